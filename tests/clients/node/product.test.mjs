// The product surface through Node's `ws`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pass } from "node:timers/promises";
import { Client } from "./client.mjs";
import { Server } from "./server.mjs";
import { productToken, seconds, sign } from "./token.mjs";

/** @type {Server} */
let server;
before(async () => {
  server = await Server.start();
});
after(() => server?.end());

/**
 * Connects and takes the greeting.
 *
 * @param {string} user
 * @param {string} more
 */
async function connect(user, more = "") {
  const client = await Client.connect(server.productOf(user, more));
  await assertGreeted(client, user);
  return client;
}

/**
 * @param {Client} client
 * @param {string} userId
 */
async function assertGreeted(client, userId) {
  const message = "Notification WebSocket connected";
  assert.deepEqual(await client.json(), { type: "CONNECTION_ESTABLISHED", message, userId });
}

test("greeting, then a notification as documented", async () => {
  const client = await connect("alice");
  const fields = { message: "Milk expires", type: "alert", productName: "Milk", expiryDate: "2026-12-01" };
  const { id } = await server.publish("default", "alice", fields);
  const text = await client.text();
  const frame = JSON.parse(text);
  assert.deepEqual(Object.keys(frame).slice(0, 5), ["id", "message", "type", "productName", "created_at"]);
  assert.deepEqual(
    [frame.id, frame.message, frame.type, frame.productName],
    [id, "Milk expires", "warning", "Milk"],
  );
  assert.equal(frame.created_at, new Date(frame.created_at).toISOString());
  assert.deepEqual([frame.timestamp, frame.expiryDate], [frame.created_at, "2026-12-01"]);

  const bare = await server.publish("default", "alice", { title: "Only a title", message: "" });
  const { message, productName, type } = await client.json();
  assert.deepEqual(
    { message, productName, type },
    { message: "Only a title", productName: "", type: "info" },
  );
  assert(bare.seq !== null);
  await client.leave();
});

test("`campanile token --product` makes a token that opens", async () => {
  const client = await Client.connect(
    server.product(await server.run("token", "--user", "bob", "--product")),
  );
  await assertGreeted(client, "bob");
  await client.leave();
});

test("PING in its forms, exactly one pong each; nonsense leaves the socket open", async () => {
  const client = await connect("carol");
  for (const ping of ["PING", '"PING"']) {
    client.send(ping);
    assert.deepEqual(await client.json(), { type: "pong" });
  }
  for (const nonsense of [
    "",
    "null",
    "[]",
    "1",
    "{",
    '{"action":"dance"}',
    '{"action":"mark_read","id":{}}',
  ]) {
    client.send(nonsense);
    const { type, code } = await client.json();
    assert.deepEqual([type, code], ["error", "bad_request"], nonsense);
  }
  assert.equal(await client.ping(), "are you there?");
  await client.assertQuiet();
  client.send(Buffer.from("PING"));
  assert.equal((await client.closed())[0], 1003);
});

test("unread is replayed after being away until it is marked read, and by nobody else", async () => {
  const client = await connect("dave");
  const seen = await server.publish("default", "dave", { message: "first" });
  assert.equal((await client.json()).id, seen.id);
  await client.leave();
  const missed = await server.publish("default", "dave", { message: "second" });

  const back = await connect("dave");
  assert.deepEqual([(await back.json()).message, (await back.json()).message], ["first", "second"]);
  const stranger = await connect("mallory");
  stranger.send({ action: "mark_read", id: missed.id });
  assert.deepEqual(await stranger.json(), { type: "error", code: "not_found", id: missed.id });
  await stranger.leave();
  for (let n = 0; n < 2; n += 1) {
    back.send({ action: "mark_read", id: seen.id });
    assert.deepEqual(await back.json(), { type: "marked_read", id: seen.id });
  }
  await back.leave();
  assert.deepEqual(
    (await server.list("dave")).map(({ id, isRead }) => [id, isRead]),
    [
      [missed.id, false],
      [seen.id, true],
    ],
  );

  const again = await connect("dave");
  assert.equal((await again.json()).id, missed.id);
  await again.assertQuiet();
  await again.leave();
  const plain = await connect("dave", "&replay=none");
  await plain.assertQuiet();
  await plain.leave();
});

test("several sockets of one user are all served; the 17th costs one that was silent for longest", async () => {
  const clients = [];
  for (let n = 0; n < 16; n += 1) clients.push(await connect("erin"));
  // Silence is measured in tenths of a second: after two of them, the first is the only one heard lately.
  await pass(200);
  await clients[0]?.assertQuiet();
  const newest = await connect("erin");
  const { id } = await server.publish("default", "erin");
  assert.equal((await newest.json()).id, id);
  const open = [newest];
  const closed = [];
  for (const client of clients) {
    const next = await client.next();
    if (next.kind === "text") {
      assert.equal(JSON.parse(next.text).id, id);
      open.push(client);
    } else {
      assert.deepEqual(next, { kind: "close", code: 1008, reason: "Too many connections" });
      closed.push(client);
    }
  }
  assert.equal(closed.length, 1);
  assert.notEqual(closed[0], clients[0]);
  await Promise.all(open.map((client) => client.leave()));
});

test("a token that ends closes the live socket with 1008", async () => {
  const exp = seconds() + 2;
  const client = await Client.connect(server.product(productToken("frank", { exp })));
  await assertGreeted(client, "frank");
  assert.deepEqual(await client.closed(), [1008, "Access token expired"]);
  const late = Date.now() - exp * 1000;
  // Promised within 1 s; a second more for a machine that is busy with the other clients.
  assert(late >= 0 && late < 2000, `${late} ms`);
});

test("refusals are closes with their reason, after an upgrade that is always completed", async () => {
  const path = "/api/ws/notification";
  const fine = productToken("grace");
  const cases = new Map([
    [path, "Access token required"],
    [`${path}?access_token=`, "Access token required"],
    [`${path}?access_token=%20`, "Access token required"],
    [`${path}?token=${fine}`, "Access token required"],
    [`${path}?access_token=${fine}&access_token=${fine}`, "Access token invalid"],
    [`${path}?access_token=Bearer%20${fine}`, "Access token invalid"],
    [`${path}?access_token=garbage`, "Access token invalid"],
    [
      `${path}?access_token=${sign({ userId: "grace", exp: seconds() + 60 }, "x".repeat(32))}`,
      "Access token invalid",
    ],
    [`${path}?access_token=${productToken("grace", { exp: undefined })}`, "Access token invalid"],
    [`${path}?access_token=${productToken("grace", { workspaces: ["acme"] })}`, "Access token invalid"],
    [`${path}?access_token=${productToken("grace", { exp: seconds() - 1 })}`, "Access token expired"],
  ]);
  for (const [address, reason] of cases) {
    const client = await Client.connect(server.ws(address));
    assert.deepEqual(await client.closed(), [1008, reason], address);
  }
});
