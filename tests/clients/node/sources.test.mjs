// Every notification type of the documents, each caused by its real source, on both surfaces.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client } from "./client.mjs";
import { Server } from "./server.mjs";
import { seconds, sign } from "./token.mjs";
import { within } from "./waiting.mjs";

/** The product surface's own workspace, so that both surfaces show the same log. */
const WORKSPACE = "default";
const SCOPES =
  "notifications:write events:write products:write records:write functions:write functions:execute admin";

/** @type {Server} */
let server;
before(async () => {
  server = await Server.start();
});
after(() => server?.end());

/** @param {string} user */
const token = (user) => sign({ userId: user, workspaces: [WORKSPACE], scope: SCOPES, exp: seconds() + 600 });

/**
 * A request to the workspace's API on behalf of `user`.
 *
 * @param {string} user
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {string} type
 * @returns {Promise<any>}
 */
async function api(user, method, path, body, type = "application/json") {
  const answer = await fetch(server.http(`/v1/workspaces/${WORKSPACE}${path}`), {
    method,
    headers: {
      authorization: `Bearer ${token(user)}`,
      ...(body === undefined ? {} : { "content-type": type }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await answer.text();
  assert(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

/**
 * A request about the planned drain of the whole server.
 *
 * @param {string} method
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
async function drain(method, body) {
  const operator = sign({ userId: "op", workspaces: ["*"], scope: "operator", exp: seconds() + 600 });
  const answer = await fetch(server.http("/v1/drain"), {
    method,
    headers: {
      authorization: `Bearer ${operator}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  assert(answer.ok, `${method} /v1/drain: ${answer.status}`);
  return answer.json();
}

/** One user on both surfaces. */
class Both {
  /**
   * @param {Client} workspace
   * @param {Client} product
   */
  constructor(workspace, product) {
    this.workspace = workspace;
    this.product = product;
  }

  /** @param {string} user */
  static async connect(user) {
    const query = `token=${encodeURIComponent(token(user))}&workspaceSlug=${WORKSPACE}`;
    const workspace = await Client.connect(server.ws(`/?${query}`));
    const product = await Client.connect(server.product(token(user), "&replay=none"));
    assert.equal((await product.json()).type, "CONNECTION_ESTABLISHED");
    return new Both(workspace, product);
  }

  /**
   * The next notification, which comes to both and is of this type and level.
   *
   * @param {string} type
   * @param {string} level
   */
  async told(type, level) {
    const [here, there] = await Promise.all([this.workspace.json(), this.product.json()]);
    assert.equal(here.type, type, JSON.stringify(here));
    assert.equal(here.metadata.level, level);
    assert.equal(there.id, here.id);
    const shown = { info: "info", success: "info", warning: "warning", error: "error", alert: "warning" };
    assert.equal(there.type, shown[/** @type {keyof typeof shown} */ (level)]);
    assert.equal(there.message, here.message || here.title);
    return { here, there };
  }

  async leave() {
    await this.workspace.leave();
    await this.product.leave();
  }
}

/** @param {string} topic @param {string} user */
const subscribe = (topic, user) =>
  api("backend", "POST", `/topics/${encodeURIComponent(topic)}/subscribers`, { users: [user] });

test("data: created, updated, deleted, and many at once", async () => {
  await subscribe("collection:orders", "dana");
  const dana = await Both.connect("dana");
  const records = "/collections/orders/records";
  await api("backend", "POST", records, { id: "o-1", data: { total: 5, note: "canary" } });
  const { here } = await dana.told("record_created", "info");
  assert.deepEqual([here.metadata.collection, here.metadata.recordId], ["orders", "o-1"]);
  await api("backend", "PATCH", `${records}/o-1`, { total: 6 });
  assert.deepEqual((await dana.told("record_updated", "info")).here.metadata.changed, ["total"]);
  await api("backend", "DELETE", `${records}/o-1`);
  await dana.told("record_deleted", "info");
  const create = Array.from({ length: 300 }, (_, n) => ({ id: `b-${n}`, data: { n } }));
  await api("backend", "POST", `${records}/bulk`, { create });
  const bulk = (await dana.told("bulk_complete", "success")).here;
  assert.deepEqual([bulk.metadata.operation, bulk.metadata.count], ["created", 300]);
  await dana.leave();
});

test("functions: started, completed, failed, timed out, and what they say themselves", async () => {
  const code = {
    fine: "async function run() { await api.notify({to: 'fred', title: 'Hello', type: 'greeting', level: 'success'}); return 1; }",
    broken: "async function run() { throw new Error('canary'); }",
    endless: "async function run() { for (;;) {} }",
  };
  for (const [name, source] of Object.entries(code)) {
    await api("backend", "PUT", `/functions/${name}`, { code: source, limits: { cpuMs: 200 } });
  }
  const fred = await Both.connect("fred");
  await api("fred", "POST", "/functions/fine/run");
  await fred.told("function_started", "info");
  const [own] = await Promise.all([fred.workspace.json(), fred.product.json()]);
  assert.deepEqual([own.title, own.type], ["Hello", "greeting"]);
  await fred.told("function_complete", "success");
  await api("fred", "POST", "/functions/broken/run");
  await fred.told("function_started", "info");
  const { here } = await fred.told("function_failed", "error");
  assert(!JSON.stringify(here).includes("canary"));
  await api("fred", "POST", "/functions/endless/run");
  await fred.told("function_started", "info");
  await fred.told("function_timeout", "error");
  await fred.leave();
});

test("system: the workspace, the user's account and access, maintenance, a drain", async () => {
  const sid = await Both.connect("sid");
  await api("backend", "PUT", "/settings", { timeZone: "Europe/Berlin" });
  await sid.told("workspace_updated", "info");
  const event = { specversion: "1.0", id: "1", source: "https://accounts.example.com", type: "user.updated" };
  const updated = { ...event, data: { user: "sid", changed: ["email"] } };
  await api("backend", "POST", "/events", updated, "application/cloudevents+json");
  assert.deepEqual((await sid.told("user_updated", "info")).here.metadata.changed, ["email"]);
  const [startsAt, endsAt] = [3_600_000, 7_200_000].map((ms) => new Date(Date.now() + ms).toISOString());
  const announced = await api("backend", "POST", "/announcements", {
    message: "New disks",
    startsAt,
    endsAt,
  });
  assert.equal((await sid.told("maintenance_scheduled", "alert")).here.message, "New disks");
  await api("backend", "DELETE", `/announcements/${announced.id}`);
  await sid.told("maintenance_cancelled", "alert");
  const drained = await drain("POST", { after: "1h", message: "A new version" });
  assert.deepEqual([drained.message, drained.failed], ["A new version", 0]);
  const planned = (await sid.told("drain_planned", "alert")).here;
  assert.deepEqual([planned.message, planned.metadata.at], ["A new version", drained.at]);
  await drain("DELETE");
  await sid.told("drain_cancelled", "alert");
  await api("backend", "PUT", "/access/sid");
  assert.equal((await sid.told("access_granted", "info")).there.title, "Access granted");
  await api("backend", "DELETE", "/access/sid");
  await sid.told("access_withdrawn", "info");
  assert.deepEqual((await sid.workspace.closed())[0], 4001);
  assert.deepEqual((await sid.product.closed())[0], 1008);
  await api("backend", "PUT", "/access/sid");
  const query = `token=${encodeURIComponent(token("sid"))}&workspaceSlug=${WORKSPACE}&replay=unread`;
  const again = new Both(
    await Client.connect(server.ws(`/?${query}`)),
    await Client.connect(server.product(token("sid"))),
  );
  assert.equal((await again.product.json()).type, "CONNECTION_ESTABLISHED");
  // What was told before the withdrawal is there again, the withdrawal too, and then the second grant.
  /** @type {string[][]} */
  const told = [];
  while (told.filter(([type]) => type === "access_granted").length < 2) {
    const [here, there] = await Promise.all([again.workspace.json(), again.product.json()]);
    assert.equal(there.id, here.id);
    told.push([here.type, there.title]);
  }
  assert.deepEqual(told.slice(-3), [
    ["access_granted", "Access granted"],
    ["access_withdrawn", "Access withdrawn"],
    ["access_granted", "Access granted"],
  ]);
  await again.leave();
});

test("system: a limit nearly reached", async () => {
  await subscribe("workspace:limits", "lim");
  const lim = await Both.connect("lim");
  const rule = { on: { types: ["never"] }, to: { workspace: true }, title: "T", message: "M", type: "never" };
  for (let n = 1; n <= 450; n++) {
    await api("backend", "PUT", `/rules/many-${n}`, { name: `many-${n}`, ...rule });
  }
  const { here } = await lim.told("limit_nearly_reached", "warning");
  const { limit, used, max, percent, actor } = here.metadata;
  assert.deepEqual([limit, used, max, percent, actor], ["rules", 450, 500, 90, "backend"]);
  for (let n = 1; n <= 450; n++) await api("backend", "DELETE", `/rules/many-${n}`);
  await lim.leave();
});

test("products: expiring and expired", async () => {
  const pia = await Both.connect("pia");
  const inTwoSeconds = Date.now() + 2_000;
  const milk = {
    id: "milk",
    name: "Milk",
    owners: ["pia"],
    expiryDate: new Date(inTwoSeconds + 3_600_000).toISOString(),
    ladder: { rungs: ["1h"] },
  };
  await api("backend", "POST", "/products", milk);
  const expiring = await pia.told("product_expiring", "warning");
  assert.ok(Date.now() - inTwoSeconds < 1_500, "told within a second and a half");
  assert.deepEqual(
    [expiring.there.productName, expiring.there.event, expiring.there.expiryDate],
    ["Milk", "product_expiration", milk.expiryDate],
  );
  const bread = {
    id: "bread",
    name: "Bread",
    owners: ["pia"],
    expiryDate: new Date(Date.now() + 1_000).toISOString(),
  };
  await api("backend", "POST", "/products", bread);
  const expired = await pia.told("product_expired", "error");
  assert.equal(expired.there.message, "Bread has expired");
  await pia.leave();
});

test("custom: whatever a backend says, and whatever a rule makes of its event", async () => {
  const cleo = await Both.connect("cleo");
  await api("backend", "PUT", "/rules/shipped", {
    name: "shipped",
    on: { types: ["com.example.order.shipped"] },
    to: { user: "data.customer" },
    title: "Order {{ data.number }} is on its way",
    message: "",
    type: "order_shipped",
    level: "success",
  });
  const event = {
    specversion: "1.0",
    id: "77",
    source: "https://shop.example.com",
    type: "com.example.order.shipped",
    data: { customer: "cleo", number: 77 },
  };
  const send = () => api("backend", "POST", "/events", event, "application/cloudevents+json");
  const first = await within(send(), "an answer");
  assert.deepEqual([first.events[0].duplicate, first.events[0].notifications.length], [false, 1]);
  assert.equal((await cleo.told("order_shipped", "success")).here.title, "Order 77 is on its way");
  assert.equal((await send()).events[0].duplicate, true);
  await cleo.workspace.assertQuiet();
  await cleo.leave();
});
