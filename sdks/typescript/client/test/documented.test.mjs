// What the documented surfaces do in their own way, and the rest of the client is to know nothing of.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStorage } from "./fake_browser.mjs";
import { Rig, shows } from "./rig.mjs";
import { story } from "./story.mjs";

/** @param {string} id */
const told = (id) => ({ id, message: "Milk expires", type: "warning", created_at: "2026-01-01T00:00:00Z" });

/** The next socket, greeted as this user's. @param {Rig} rig */
async function greeted(rig, userId = "alice") {
  const socket = await rig.server.dials.next("dial");
  socket.send({ type: "CONNECTION_ESTABLISHED", userId });
  return socket;
}

test("reading all marks each that is unread, when it can be told", () =>
  Rig.with(async (rig) => {
    const client = rig.client({ surface: "product", workspace: undefined });
    client.connect();
    const socket = await greeted(rig);
    for (const id of ["a", "b"]) socket.send(told(id));
    await shows(client, { state: "live", ids: ["b", "a"], unread: 2, user: "alice", hasMore: false });
    client.readAll();
    await shows(client, { unread: 0, unseen: 0, readIds: ["b", "a"] });
    for (const id of ["b", "a"])
      assert.deepEqual(JSON.parse(await socket.texts.next("mark_read")), { action: "mark_read", id });

    socket.send(told("c"));
    await shows(client, { unread: 1 });
    socket.cut();
    await shows(client, { state: "waiting" });
    client.readAll();
    await shows(client, { unread: 0, readIds: ["c", "b", "a"] });
    await rig.clock.pass(1_000);
    const next = await greeted(rig);
    assert.deepEqual(JSON.parse(await next.texts.next("mark_read")), { action: "mark_read", id: "c" });
    // What came before is counted once, and what comes is new.
    next.send(told("d"));
    await shows(client, { state: "live", ids: ["d", "c", "b", "a"], unread: 1, unseen: 1 });
    assert.deepEqual(next.texts.left, []);
  }));

test("who greets nobody by name is of whom the token says, or the application", () =>
  Rig.with(async (rig) => {
    const named = rig.client({ surface: "workspace" });
    named.connect();
    await rig.server.dials.next("dial");
    await shows(named, { state: "live", user: "alice" });
    const opaque = rig.client({ surface: "workspace", token: "opaque", user: "bob" });
    opaque.connect();
    await rig.server.dials.next("dial");
    await shows(opaque, { state: "live", user: "bob" });
  }));

story("another user begins with counts of his own", async (rig) => {
  const client = rig.connecting({ surface: "product", token: () => "opaque" });
  const socket = await greeted(rig, "alice");
  for (const id of ["a", "b"]) socket.send(told(id));
  await shows(client, { unread: 2, user: "alice" });
  client.update({ token: () => "another" });
  await greeted(rig, "bob");
  await shows(client, { state: "live", user: "bob", ids: [], unread: 0, unseen: 0 });
});

story("what was read all at once while offline is read after a restart", async (rig) => {
  const options = /** @type {const} */ ({ surface: "product", token: rig.token("alice") });
  const storage = new MemoryStorage();
  const client = rig.connecting({ ...options, storage });
  const socket = await greeted(rig, "alice");
  socket.send(told("a"));
  await shows(client, { unread: 1 });
  socket.cut();
  await shows(client, { state: "waiting" });
  client.readAll();
  await shows(client, { unread: 0 });
  client.disconnect();
  rig.connecting({ ...options, storage });
  const next = await greeted(rig, "alice");
  assert.deepEqual(JSON.parse(await next.texts.next("mark")), { action: "mark_read", id: "a" });
});
