// The client against the real server: two devices of one user, changes, tokens, refusals, the publisher.

import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket } from "ws";
import { productToken, seconds, sign, workspaceToken } from "../../../../../tests/clients/node/token.mjs";
import { Publisher } from "../../dist/esm/publisher.js";
import { Browser } from "../fake_browser.mjs";
import { shows } from "../rig.mjs";
import { within } from "../waiting.mjs";
import { Place, producerToken, skip, told } from "./place.mjs";

const place = new Place();

test("two devices: what is published comes to both, what is done on one is done on the other", {
  skip,
}, async () => {
  const user = "alice";
  const [phone, desk] = [place.device(user), place.device(user)];
  const heard = [told(phone, "notification"), told(desk, "notification")];
  for (const client of [phone, desk]) await shows(client, { state: "live", loading: false, ids: [] });
  const ids = [];
  for (const title of ["One", "Two", "Three"])
    ids.unshift((await place.server.publish("acme", user, { title })).id);
  for (const client of [phone, desk]) await shows(client, { ids, readIds: [], unread: 3, unseen: 3 });
  for (const one of heard) {
    const titles = one.map(([item, { replayed }]) => [item.title, replayed]);
    assert.deepEqual(titles, [
      ["One", false],
      ["Two", false],
      ["Three", false],
    ]);
  }
  const [three, two, one] = /** @type {[string, string, string]} */ (ids);
  phone.seen();
  for (const client of [phone, desk]) await shows(client, { unread: 3, unseen: 0 });
  phone.read(one);
  await shows(desk, { readIds: [one], unread: 2 });
  desk.unread(one);
  await shows(phone, { readIds: [], unread: 3 });
  desk.archive(two);
  for (const client of [phone, desk]) await shows(client, { ids: [three, one], unread: 2 });
  phone.readAll();
  for (const client of [phone, desk]) await shows(client, { readIds: [three, one], unread: 0 });
  assert.equal((await place.server.inbox(user)).unread, 0);
  assert.deepEqual(phone.getSnapshot().position, desk.getSnapshot().position);
});

test("what is said anew, taken back or superseded is so on each device", { skip }, async () => {
  const client = place.device("bob");
  const [updates, retractions] = [told(client, "update"), told(client, "retract")];
  await shows(client, { state: "live", loading: false, ids: [] });
  const first = await place.server.publish("acme", "bob", { title: "First" });
  const second = await place.server.publish("acme", "bob", { title: "Second", collapseKey: "build" });
  await shows(client, { ids: [second.id, first.id], unread: 2 });
  await place.change("PATCH", first.id, { title: "First, anew" });
  await shows(client, { ids: [second.id, first.id], unread: 2 });
  const third = await place.server.publish("acme", "bob", { title: "Third", collapseKey: "build" });
  await shows(client, { ids: [third.id, first.id], unread: 2 });
  assert.deepEqual(
    updates.map(([{ id, title }]) => [id, title]),
    [[first.id, "First, anew"]],
  );
  assert.equal(client.getSnapshot().items[1]?.title, "First, anew");
  await place.change("DELETE", first.id);
  await shows(client, { ids: [third.id], unread: 1 });
  const gone = retractions.map(([{ id, cause, by }]) => [id, cause, by]);
  assert.deepEqual(gone, [
    [second.id, "superseded", third.id],
    [first.id, "retracted", undefined],
  ]);
});

test("a token is exchanged on the living connection; without another one it ends", { skip }, async () => {
  const exp = seconds() + 11;
  const short = () => workspaceToken("dave", { exp });
  /** @type {string[]} */
  const asked = [];
  let sockets = 0;
  class Counted extends WebSocket {
    /** @param {ConstructorParameters<typeof WebSocket>} all */
    constructor(...all) {
      super(...all);
      sockets++;
    }
  }
  const careful = place.device("dave", {
    token: (why) => {
      asked.push(why);
      return asked.length === 1 ? short() : workspaceToken("dave");
    },
    WebSocket: /** @type {any} */ (Counted),
  });
  const careless = place.device("dave", { token: short() });
  const updated = place.device("dave", { token: short(), WebSocket: /** @type {any} */ (Counted) });
  for (const client of [careful, careless, updated]) await shows(client, { state: "live", loading: false });
  updated.update({ token: workspaceToken("dave") });
  await shows(careless, { state: "refused" });
  assert.deepEqual(careless.getSnapshot().reason, { kind: "close", code: 4003, reason: "token expired" });
  const { id } = await place.server.publish("acme", "dave");
  for (const client of [careful, updated]) await shows(client, { state: "live", ids: [id] });
  assert.deepEqual(asked, ["initial", "refresh"]);
  assert.equal(sockets, 2, "one each: nobody had to connect again");
  careless.update({ token: workspaceToken("dave") });
  await shows(careless, { state: "live", ids: [id] });
});

test("who may not come in is told why", { skip }, async () => {
  const expired = place.device("erin", { token: workspaceToken("erin", { exp: seconds() - 60 }) });
  const forged = place.device("erin", {
    token: sign({ userId: "erin", exp: seconds() + 60 }, "x".repeat(32)),
  });
  const elsewhere = place.device("erin", { workspace: "other" });
  for (const client of [expired, forged, elsewhere]) await shows(client, { state: "refused", ids: [] });
  assert.equal(forged.getSnapshot().reason?.code, 401);
  expired.update({ token: workspaceToken("erin") });
  await shows(expired, { state: "live", unread: 0 });
});

test("a publisher's batch is told once, however often it is sent", { skip }, async () => {
  const client = place.device("grace");
  await shows(client, { state: "live", loading: false });
  const token = () => producerToken();
  const publisher = new Publisher({ url: place.server.http(""), workspace: "acme", token });
  const drafts = ["One", "Two"].map((title) => ({ to: { user: "grace" }, title, message: "" }));
  const first = await publisher.publish(drafts, { idempotencyKey: "batch-1" });
  assert.deepEqual(await publisher.publish(drafts, { idempotencyKey: "batch-1" }), first);
  await shows(client, { ids: first.map(({ id }) => id).reverse(), unread: 2 });
  await assert.rejects(
    publisher.publish([...drafts, { ...drafts[0], title: " " }]),
    (/** @type {any} */ error) => {
      assert.deepEqual([error.code, error.detail.status, error.detail.index], ["invalid_request", 422, 2]);
      return true;
    },
  );
  await shows(client, { ids: first.map(({ id }) => id).reverse(), unread: 2 });
});

test("the documented surfaces tell, too, and take what was read", { skip }, async () => {
  const user = "heidi";
  const workspace = place.device(user, { surface: "workspace" });
  const product = place.device(user, {
    surface: "product",
    workspace: null,
    token: () => productToken(user),
  });
  for (const client of [workspace, product]) await shows(client, { state: "live", ids: [] });
  const { id } = await place.server.publish("acme", user, { title: "By workspace" });
  await shows(workspace, { ids: [id], unread: 1 });
  const own = {
    userId: "backend",
    workspaces: ["default"],
    scope: "notifications:write",
    exp: seconds() + 60,
  };
  const publisher = new Publisher({ url: place.server.http(""), workspace: "default", token: sign(own) });
  const other = await publisher.publish({ to: { user }, title: "By product", message: "" });
  await shows(product, { ids: [other.id], unread: 1 });
  product.read(other.id);
  await shows(product, { readIds: [other.id], unread: 0 });
  await within(
    (async () => {
      while (!(await place.server.list(user)).find((one) => one.id === other.id)?.isRead)
        await new Promise(setImmediate);
    })(),
    "mark_read on the server",
  );
});

test("two tabs of a browser share one socket, and one list", { skip }, async () => {
  const { locks, channel, storage } = new Browser();
  let sockets = 0;
  class Counted extends WebSocket {
    /** @param {ConstructorParameters<typeof WebSocket>} all */
    constructor(...all) {
      super(...all);
      sockets++;
    }
  }
  const more = { WebSocket: /** @type {any} */ (Counted), storage, environment: { locks, channel } };
  const first = place.device("ivan", more);
  await shows(first, { state: "live", loading: false });
  const second = place.device("ivan", more);
  const { id } = await place.server.publish("acme", "ivan");
  for (const tab of [first, second]) await shows(tab, { state: "live", ids: [id], unread: 1 });
  second.read(id);
  await shows(first, { readIds: [id], unread: 0 });
  await place.counted("ivan", 0);
  assert.equal(sockets, 1);
  // The other one takes over.
  first.disconnect();
  const next = await place.server.publish("acme", "ivan");
  await shows(second, { state: "live", ids: [next.id, id], readIds: [id], unread: 1 });
  assert.equal(sockets, 2);
});
