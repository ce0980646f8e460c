// The client against the real server: two devices of one user, changes, expiring tokens, a restart. Runs where `CAMPANILE_BIN` names one.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WebSocket } from "ws";
import { Server } from "../../../../../tests/clients/node/server.mjs";
import { productToken, seconds, sign, workspaceToken } from "../../../../../tests/clients/node/token.mjs";
import { Campanile } from "../../dist/esm/index.js";
import { Publisher } from "../../dist/esm/publisher.js";
import { MemoryStorage, shows } from "../rig.mjs";
import { within } from "../waiting.mjs";

/** @typedef {import("../../dist/esm/index.js").Options} Options */

const skip = process.env.CAMPANILE_BIN ? false : "CAMPANILE_BIN names no server";
const PRODUCER = { userId: "backend", workspaces: ["acme"], scope: "notifications:write" };

/** @type {Server} */
let server;
/** @type {Campanile[]} */
const clients = [];
if (!skip) {
  before(async () => {
    server = await Server.start();
  });
  after(async () => {
    for (const client of clients) client.close();
    await server?.end();
  });
}

/** @param {string} user @param {Partial<Options>} more */
function device(user, more = {}) {
  const client = new Campanile({
    url: server.http(""),
    workspace: "acme",
    token: () => workspaceToken(user),
    WebSocket: /** @type {any} */ (WebSocket),
    ...more,
  });
  clients.push(client);
  client.connect();
  return client;
}

/**
 * What a client told of an event, so far.
 *
 * @param {Campanile} client
 * @param {"notification" | "update" | "retract" | "resync" | "error"} event
 */
function told(client, event) {
  /** @type {any[]} */
  const all = [];
  client.on(event, (/** @type {any[]} */ ...one) => all.push(one));
  return all;
}

/**
 * Changes a notification, or takes it back.
 *
 * @param {"PATCH" | "DELETE"} method
 * @param {string} id
 * @param {unknown} body
 */
async function change(method, id, body = undefined) {
  const answer = await fetch(server.http(`/v1/workspaces/acme/notifications/${id}`), {
    method,
    headers: {
      authorization: `Bearer ${sign({ ...PRODUCER, exp: seconds() + 60 })}`,
      "content-type": "application/json",
    },
    body: body ? JSON.stringify(body) : null,
  });
  assert(answer.ok, await answer.text());
}

/**
 * Waits until so many are unread on the server: a client shows what its user does before the server has done it.
 *
 * @param {string} user
 * @param {number} unread
 */
function counted(user, unread) {
  const look = async () => {
    while ((await server.inbox(user)).unread !== unread) await new Promise(setImmediate);
  };
  return within(look(), "receipt on the server");
}

test("two devices: what is published comes to both, what is done on one is done on the other", {
  skip,
}, async () => {
  const user = "alice";
  const [phone, desk] = [device(user), device(user)];
  const heard = [told(phone, "notification"), told(desk, "notification")];
  for (const client of [phone, desk]) await shows(client, { state: "live", loading: false, ids: [] });
  const ids = [];
  for (const title of ["One", "Two", "Three"])
    ids.unshift((await server.publish("acme", user, { title })).id);
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
  assert.equal((await server.inbox(user)).unread, 0);
  assert.deepEqual(phone.getSnapshot().position, desk.getSnapshot().position);
});

test("what is said anew, taken back or superseded is so on each device", { skip }, async () => {
  const client = device("bob");
  const [updates, retractions] = [told(client, "update"), told(client, "retract")];
  await shows(client, { state: "live", loading: false, ids: [] });
  const first = await server.publish("acme", "bob", { title: "First" });
  const second = await server.publish("acme", "bob", { title: "Second", collapseKey: "build" });
  await shows(client, { ids: [second.id, first.id], unread: 2 });
  await change("PATCH", first.id, { title: "First, anew" });
  await shows(client, { ids: [second.id, first.id], unread: 2 });
  const third = await server.publish("acme", "bob", { title: "Third", collapseKey: "build" });
  await shows(client, { ids: [third.id, first.id], unread: 2 });
  assert.deepEqual(
    updates.map(([{ id, title }]) => [id, title]),
    [[first.id, "First, anew"]],
  );
  assert.equal(client.getSnapshot().items[1]?.title, "First, anew");
  await change("DELETE", first.id);
  await shows(client, { ids: [third.id], unread: 1 });
  const gone = retractions.map(([{ id, cause, by }]) => [id, cause, by]);
  assert.deepEqual(gone, [
    [second.id, "superseded", third.id],
    [first.id, "retracted", undefined],
  ]);
});

test("who was away is told what came, once, and finds what changed", { skip }, async () => {
  const storage = new MemoryStorage();
  const client = device("carol", { storage });
  await shows(client, { state: "live", loading: false });
  const kept = await server.publish("acme", "carol", { title: "Kept" });
  const taken = await server.publish("acme", "carol", { title: "Taken back" });
  await shows(client, { ids: [taken.id, kept.id] });
  client.disconnect();
  client.read(kept.id);
  await change("DELETE", taken.id);
  await change("PATCH", kept.id, { title: "Kept, anew" });
  const late = await server.publish("acme", "carol", { title: "Late" });
  const [heard, resyncs] = [told(client, "notification"), told(client, "resync")];
  client.connect();
  await shows(client, { state: "live", ids: [late.id, kept.id], readIds: [kept.id], unread: 1 });
  const titles = heard.map(([{ title }, { replayed }]) => [title, replayed]);
  assert.deepEqual(titles, [["Late", true]]);
  assert.deepEqual(
    client.getSnapshot().items.map(({ title }) => title),
    ["Late", "Kept, anew"],
  );
  assert.deepEqual(resyncs, []);
  // Another page of the same browser begins with what was kept, and agrees.
  client.disconnect();
  const next = device("carol", { storage });
  assert.deepEqual(told(next, "resync"), []);
  await shows(next, { state: "live", ids: [late.id, kept.id], readIds: [kept.id], unread: 1 });
  await counted("carol", 1);
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
  const careful = device("dave", {
    token: (why) => {
      asked.push(why);
      return asked.length === 1 ? short() : workspaceToken("dave");
    },
    WebSocket: /** @type {any} */ (Counted),
  });
  const careless = device("dave", { token: short() });
  const updated = device("dave", { token: short(), WebSocket: /** @type {any} */ (Counted) });
  for (const client of [careful, careless, updated]) await shows(client, { state: "live", loading: false });
  updated.update({ token: workspaceToken("dave") });
  await shows(careless, { state: "refused" });
  assert.deepEqual(careless.getSnapshot().reason, { kind: "close", code: 4003, reason: "token expired" });
  const { id } = await server.publish("acme", "dave");
  for (const client of [careful, updated]) await shows(client, { state: "live", ids: [id] });
  assert.deepEqual(asked, ["initial", "refresh"]);
  assert.equal(sockets, 2, "one each: nobody had to connect again");
  careless.update({ token: workspaceToken("dave") });
  await shows(careless, { state: "live", ids: [id] });
});

test("who may not come in is told why", { skip }, async () => {
  const expired = device("erin", { token: workspaceToken("erin", { exp: seconds() - 60 }) });
  const forged = device("erin", { token: sign({ userId: "erin", exp: seconds() + 60 }, "x".repeat(32)) });
  const elsewhere = device("erin", { workspace: "other" });
  for (const client of [expired, forged, elsewhere]) await shows(client, { state: "refused", ids: [] });
  assert.equal(forged.getSnapshot().reason?.code, 401);
  expired.update({ token: workspaceToken("erin") });
  await shows(expired, { state: "live", unread: 0 });
});

test("the server is restarted: who was live comes back to where it was, and what was done meanwhile is done", {
  skip,
}, async () => {
  const client = device("frank");
  const [heard, resyncs] = [told(client, "notification"), told(client, "resync")];
  await shows(client, { state: "live", loading: false });
  const first = await server.publish("acme", "frank", { title: "Before" });
  await shows(client, { ids: [first.id], unread: 1 });
  /** @type {Set<string>} */
  const states = new Set();
  client.on("state", ({ state, reason }) => states.add(`${state} ${reason?.code ?? ""}`));
  await server.stop();
  await shows(client, { unread: 1, ids: [first.id] });
  client.read(first.id);
  await shows(client, { unread: 0, readIds: [first.id] });
  await server.boot();
  const second = await server.publish("acme", "frank", { title: "After" });
  await shows(client, { state: "live", ids: [second.id, first.id], readIds: [first.id], unread: 1 });
  await counted("frank", 1);
  assert.deepEqual(
    heard.map(([{ title }]) => title),
    ["Before", "After"],
  );
  assert.deepEqual(resyncs, []);
  assert(states.has("waiting 1001"), [...states].join());
});

test("a publisher's batch is told once, however often it is sent", { skip }, async () => {
  const client = device("grace");
  await shows(client, { state: "live", loading: false });
  const token = () => sign({ ...PRODUCER, exp: seconds() + 60 });
  const publisher = new Publisher({ url: server.http(""), workspace: "acme", token });
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
  const workspace = device(user, { surface: "workspace" });
  const product = device(user, { surface: "product", workspace: null, token: () => productToken(user) });
  for (const client of [workspace, product]) await shows(client, { state: "live", ids: [] });
  const { id } = await server.publish("acme", user, { title: "By workspace" });
  await shows(workspace, { ids: [id], unread: 1 });
  const own = {
    userId: "backend",
    workspaces: ["default"],
    scope: "notifications:write",
    exp: seconds() + 60,
  };
  const publisher = new Publisher({ url: server.http(""), workspace: "default", token: sign(own) });
  const other = await publisher.publish({ to: { user }, title: "By product", message: "" });
  await shows(product, { ids: [other.id], unread: 1 });
  product.read(other.id);
  await shows(product, { readIds: [other.id], unread: 0 });
  await within(
    (async () => {
      while (!(await server.list(user)).find((one) => one.id === other.id)?.isRead)
        await new Promise(setImmediate);
    })(),
    "mark_read on the server",
  );
});
