// The documented surfaces, and the two sockets of one whose token was exchanged.

import assert from "node:assert/strict";
import { shows } from "./rig.mjs";
import { story } from "./story.mjs";
import { eventually } from "./waiting.mjs";

/** @typedef {import("./rig.mjs").Rig} Rig */

story("the product surface marks what it is told as read, if it is to", async (rig) => {
  const client = rig.connecting({ surface: "product", workspace: undefined, autoMarkRead: true });
  const socket = await rig.server.dials.next("dial");
  socket.send({
    type: "CONNECTION_ESTABLISHED",
    message: "Notification WebSocket connected",
    userId: "alice",
  });
  socket.send({
    id: "a",
    message: "Milk expires",
    type: "warning",
    productName: "Milk",
    created_at: "2026-01-01T00:00:00.123Z",
  });
  assert.deepEqual(JSON.parse(await socket.texts.next("mark_read")), { action: "mark_read", id: "a" });
  await shows(client, { ids: ["a"], unread: 0, position: null, hasMore: false });
  const [{ title, level, timestamp, seq }] = client.getSnapshot().items;
  assert.deepEqual([title, level, timestamp], ["Milk", "warning", "2026-01-01T00:00:00.123Z"]);
  assert.equal(typeof seq, "number");
  socket.send({ type: "error", code: "not_found", id: "a" });
  await eventually(() => rig.errors.length > 0, "error");
  assert.deepEqual([rig.errors[0].code, rig.errors[0].detail.id], ["not_found", "a"]);
});

/** A client of the workspace surface whose token of a minute was just exchanged: the next socket is open. */
async function exchanged(/** @type {Rig} */ rig) {
  const client = rig.connecting({ surface: "workspace", token: () => rig.token("alice", 60_000) });
  const first = await rig.server.dials.next("dial");
  await shows(client, { state: "live" });
  await rig.clock.pass(33_000);
  const second = await rig.server.dials.next("next dial");
  const tell = (/** @type {typeof first} */ socket, /** @type {string} */ id) =>
    socket.send({ id, title: id, message: "Hello.", type: "info", timestamp: "2026-01-01T00:00:00Z" });
  // What comes by the next one says that it is open here, too.
  tell(second, "a");
  await shows(client, { ids: ["a"] });
  return { client, first, second, tell };
}

story("a socket that is replaced is heard to its end", async (rig) => {
  const { client, first, second, tell } = await exchanged(rig);
  tell(first, "b");
  tell(first, "a");
  await shows(client, { ids: ["b", "a"] });
  client.read("b");
  assert.equal(JSON.parse(await second.texts.next("mark_read")).id, "b");
  await rig.clock.pass(999);
  tell(first, "c");
  await shows(client, { ids: ["c", "b", "a"], state: "live" });
  await rig.clock.pass(1);
  await first.closed;
  tell(second, "d");
  await shows(client, { ids: ["d", "c", "b", "a"], state: "live" });
  second.cut();
  await shows(client, { state: "waiting" });
});

story("a next socket that is refused costs the good one nothing", async (rig) => {
  const { client, first, second, tell } = await exchanged(rig);
  second.socket.close(4001, "unauthorized");
  await second.closed;
  tell(first, "b");
  await shows(client, { ids: ["b", "a"], state: "live" });
  await rig.clock.pass(4_999);
  await shows(client, { state: "live" });
  await rig.clock.pass(5_001);
  const third = await rig.server.dials.next("third dial");
  tell(third, "c");
  await shows(client, { ids: ["c", "b", "a"], state: "live" });
  await rig.clock.pass(1_000);
  await first.closed;
  client.disconnect();
  await third.closed;
});

story("a socket that was replaced is nothing to fall back on", async (rig) => {
  const { client, first, second } = await exchanged(rig);
  first.socket.close(4009, "replaced by a newer connection");
  await first.closed;
  second.socket.close(4001, "unauthorized");
  // Whichever close is heard first.
  await shows(client, { state: "refused" });
});

story("a client that ends ends both sockets", async (rig) => {
  const { client, first, second } = await exchanged(rig);
  client.close();
  await Promise.all([first.closed, second.closed]);
});
