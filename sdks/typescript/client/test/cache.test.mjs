// What is kept across restarts, and storages that don't do what they should.

import assert from "node:assert/strict";
import { MemoryStorage } from "./fake_browser.mjs";
import { notification, shows } from "./rig.mjs";
import { story } from "./story.mjs";
import { eventually } from "./waiting.mjs";

story("what was kept is shown before the network answers, and resumed exactly", async (rig) => {
  const storage = new MemoryStorage();
  const { client, socket } = await rig.live({ storage });
  socket.send(notification(9));
  await shows(client, { ids: ["n9", "n7"] });
  await rig.clock.pass(1_000);
  const token = rig.token();
  const next = rig.connecting({ storage, token });
  await shows(next, { ids: ["n9", "n7"], unread: 2, user: "alice", state: "connecting" });
  const { query } = await rig.dialled({ resumed: true, seq: 9, head: 9, unread: 2 });
  assert.deepEqual([query.epoch, query.since, query.rev], ["9f3c", "9", "3"]);
  await shows(next, { state: "live", ids: ["n9", "n7"], unread: 2 });
  assert.deepEqual(rig.server.requests.left, []);
});

story("with a user's name the kept list needs no token", async (rig) => {
  const storage = new MemoryStorage();
  const { client } = await rig.live({ storage, user: "alice" });
  client.disconnect();
  const next = rig.connecting({ storage, user: "alice", token: () => new Promise(() => {}) });
  await shows(next, { ids: ["n7"], unread: 1, state: "connecting" });
});

story("the client goes on from a position that it is given", async (rig) => {
  const client = rig.connecting({ resume: { epoch: "9f3c", seq: 5, rev: 2 } });
  const { query } = await rig.dialled({ resumed: true, seq: 5 });
  assert.deepEqual([query.epoch, query.since, query.rev], ["9f3c", "5", "2"]);
  await rig.paged();
  await shows(client, { state: "live", ids: ["n7"], position: { epoch: "9f3c", seq: 5, rev: 3 } });
});

story("a position that it is given wins over what was kept", async (rig) => {
  const storage = new MemoryStorage();
  const { client } = await rig.live({ storage, user: "alice" });
  client.disconnect();
  const next = rig.connecting({ storage, user: "alice", resume: { epoch: "9f3c", seq: 5, rev: 2 } });
  const { query } = await rig.dialled({ resumed: true, seq: 5 });
  assert.deepEqual([query.epoch, query.since, query.rev], ["9f3c", "5", "2"]);
  await rig.paged();
  await shows(next, { state: "live", ids: ["n7"], position: { epoch: "9f3c", seq: 5, rev: 3 } });
});

story("a storage that fails costs the cache, and nothing else", async (rig) => {
  const fails = async () => {
    throw new Error("the disk is full");
  };
  await rig.live({ storage: { get: fails, set: fails, erase: fails } });
  await rig.clock.pass(1_000);
  assert.deepEqual(new Set(rig.errors.map(({ code }) => code)), new Set(["storage_failed"]));
});

story("a storage that hangs is not waited for", async (rig) => {
  const hangs = () => new Promise(() => {});
  const client = rig.connecting({ storage: { get: hangs, set: hangs, erase: hangs } });
  await eventually(() => rig.clock.soonest === 2_000, "wait");
  await rig.clock.pass(2_000);
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live", ids: ["n7"] });
});
