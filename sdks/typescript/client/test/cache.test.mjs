// What is kept across restarts, and storages that don't do what they should.

import assert from "node:assert/strict";
import { MemoryStorage } from "./fake_browser.mjs";
import { item, notification, shows } from "./rig.mjs";
import { story } from "./story.mjs";
import { eventually, turns } from "./waiting.mjs";

/** @typedef {import("./rig.mjs").Rig} Rig */

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

/**
 * A storage in which it is kept that the entry 7 was archived, and that lets whoever reads it wait.
 *
 * @param {Rig} rig
 * @param {Partial<import("../dist/esm/index.js").Options>} options
 */
async function hanging(rig, options = {}) {
  const kept = new MemoryStorage();
  const { client, socket } = await rig.live({ storage: kept, ...options });
  socket.cut();
  await shows(client, { state: "waiting" });
  client.archive("n7");
  client.disconnect();
  /** @type {() => void} */
  let goOn = () => {};
  const going = new Promise((resolve) => {
    goOn = () => resolve(undefined);
  });
  const get = (/** @type {string} */ key) => going.then(() => kept.get(key));
  const queued = () => {
    const [, queue] = [...kept.kept].find(([key]) => key.endsWith("queue")) ?? [];
    return /** @type {{action: string, id: string}[]} */ (queue).map(({ action, id }) => `${action} ${id}`);
  };
  await eventually(() => queued().length, "what waits");
  return { storage: { ...kept, get }, goOn, queued };
}

for (const late of [false, true])
  story(
    `what is done while the storage hangs waits ${late ? "longer " : ""}beside what waits there`,
    async (rig) => {
      const { storage, goOn, queued } = await hanging(rig);
      rig.server.tickets = false;
      const client = rig.connecting({ storage });
      await eventually(() => rig.clock.soonest === 2_000, "wait");
      if (late) {
        await rig.clock.pass(2_000);
        await rig.ticket();
      }
      client.read("n8");
      assert.deepEqual(queued(), ["archive n7"]);
      goOn();
      await eventually(() => queued().length > 1, "both");
      assert.deepEqual(queued(), ["archive n7", "read n8"]);
      await shows(client, { ids: [] });
    },
  );

story("what a storage that hung had kept is done as soon as it is there", async (rig) => {
  const { storage, goOn, queued } = await hanging(rig);
  const client = rig.connecting({ storage });
  await eventually(() => rig.clock.soonest === 2_000, "wait");
  await rig.clock.pass(2_000);
  const socket = await rig.dialled();
  await rig.paged([item(8), item(7)]);
  await shows(client, { state: "live", ids: ["n8", "n7"] });
  client.read("n8");
  const read = JSON.parse(await socket.texts.next("read"));
  socket.send({ type: "ok", ref: read.ref, rev: 4 });
  goOn();
  const archive = JSON.parse(await socket.texts.next("archive"));
  assert.deepEqual([archive.action, archive.id], ["archive", "n7"]);
  await shows(client, { ids: ["n8"], readIds: ["n8"] });
  socket.send({ type: "ok", ref: archive.ref, rev: 5 });
  await eventually(() => !queued().length, "that nothing waits");
});

story("what a storage that hung had kept of another user is not done", async (rig) => {
  const named = { user: "me", token: "opaque" };
  const { storage, goOn } = await hanging(rig, named);
  const client = rig.connecting({ ...named, storage });
  // By the name, and once more by the token.
  for (const _ of [1, 2]) {
    await eventually(() => rig.clock.soonest === 2_000, "wait");
    await rig.clock.pass(2_000);
  }
  const socket = await rig.dialled({ user: "bob" });
  await rig.paged([item(8), item(7)]);
  await shows(client, { state: "live", ids: ["n8", "n7"], user: "bob" });
  goOn();
  await turns();
  client.read("n8");
  assert.equal(JSON.parse(await socket.texts.next("read")).id, "n8");
  await shows(client, { ids: ["n8", "n7"], user: "bob" });
});
