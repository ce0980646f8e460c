// What is done, and waits to be told: across connections, restarts and supersessions.

import assert from "node:assert/strict";
import { MemoryStorage } from "./fake_browser.mjs";
import { item, notification, shows } from "./rig.mjs";
import { story } from "./story.mjs";
import { eventually } from "./waiting.mjs";

story("what was done offline outlives the page, and is sent once under its key", async (rig) => {
  const storage = new MemoryStorage();
  const { client, socket } = await rig.live({ storage });
  await rig.clock.pass(1_000);
  socket.cut();
  await shows(client, { state: "waiting" });
  client.read("n7");
  await shows(client, { unread: 0, readIds: ["n7"] });
  await eventually(
    () => [...storage.kept].some(([key, value]) => key.endsWith("queue") && /** @type {[]} */ (value).length),
    "queue in the storage",
  );
  client.disconnect();
  const next = rig.connecting({ storage });
  const second = await rig.dialled({ resumed: true });
  const sent = JSON.parse(await second.texts.next("action"));
  assert.deepEqual([sent.action, sent.id], ["read", "n7"]);
  await shows(next, { state: "live", unread: 0, readIds: ["n7"] });
  const third = await rig.resumed(next, second);
  assert.equal(JSON.parse(await third.texts.next("action")).key, sent.key);
  third.send({ type: "ok", ref: sent.ref, changed: true, rev: 4, unread: 0 });
  await shows(next, { unread: 0, readIds: ["n7"] });
  await rig.clock.pass(1_000);
  next.disconnect();
  const again = rig.connecting({ storage });
  const fourth = await rig.dialled({ resumed: true, unread: 0, rev: 4, seq: 7 });
  fourth.send(notification(9));
  await shows(again, { ids: ["n9", "n7"], state: "live" });
  assert.deepEqual(fourth.texts.left, []);
});

story("the answer to what was done before does not undo what was done since", async (rig) => {
  const { client, socket } = await rig.live();
  client.read("n7");
  const { ref } = JSON.parse(await socket.texts.next("read"));
  // It was done, and undone on another device, and nobody heard of either.
  const second = await rig.resumed(client, socket);
  assert.equal(JSON.parse(await second.texts.next("read again")).ref, ref);
  const state = { id: "n7", seq: 7, seen: true, read: false, archived: false };
  const known = { head: 7, unread: 1, unseen: 0, readUpTo: 0, seenUpTo: 0 };
  second.send({ type: "receipts", rev: 5, ...known, items: [state] });
  second.send({ type: "ok", ref, changed: false, rev: 6, unread: 1 });
  second.send(notification(9));
  await shows(client, { ids: ["n9", "n7"], readIds: [], unread: 2 });
  client.disconnect();
  assert.deepEqual(client.getSnapshot().items.at(-1)?.read, false);
});

story("a thousand actions wait, and one more is refused", async (rig) => {
  const { client, socket } = await rig.live();
  socket.cut();
  await shows(client, { state: "waiting" });
  for (let n = 0; n < 1_000; n++) client.read(`x${n}`);
  assert.deepEqual(rig.errors, []);
  client.archive("n7");
  assert.deepEqual(rig.codes, ["queue_full"]);
  await shows(client, { ids: ["n7"], unread: 1 });
});

story("places of another lineage are not acted on", async (rig) => {
  const { client, socket } = await rig.live();
  socket.cut();
  await shows(client, { state: "waiting" });
  client.readAll();
  client.read("n7");
  await rig.clock.pass(1_000);
  const second = await rig.dialled({ epoch: "other", seq: 1, head: 1 });
  assert.equal(JSON.parse(await second.texts.next("action")).action, "read");
  second.send({ type: "resync", epoch: "other", seq: 1, reason: "epoch" });
  await rig.paged([], { epoch: "other", head: 1, unread: 0 });
  await shows(client, { ids: [] });
  assert.deepEqual(second.texts.left, []);
});

story("what was read a moment before it was superseded is back with the answer", async (rig) => {
  const { client, socket } = await rig.live();
  for (const [head, ids] of /** @type {[number, string[]][]} */ ([
    [11, ["n8"]],
    [9, ["n8", "n7"]],
  ])) {
    socket.send({ type: "resync", epoch: "9f3c", seq: 8, reason: "overflow" });
    await rig.paged([item(8), item(7)], { head: 8, unread: 2 });
    await shows(client, { ids: ["n8", "n7"], loading: false });
    client.read("n7");
    const { ref } = JSON.parse(await socket.texts.next("read"));
    socket.send({ type: "retract", seq: 11, id: "n7", itemSeq: 7, cause: "superseded", by: "n10" });
    await shows(client, { ids: ["n8"] });
    socket.send({ type: "ok", ref, changed: true, rev: 4, unread: 1, head });
    socket.send({ type: "update", seq: 12, item: item(8) });
    const position = { epoch: "9f3c", seq: 12, rev: 3 };
    await shows(client, { ids, unread: 1, readIds: ids.slice(1), position });
  }
});

story("what was done while the server dropped its answers is sent again", async (rig) => {
  const { client, socket } = await rig.live();
  client.read("n7");
  const { key } = JSON.parse(await socket.texts.next("read"));
  socket.send({ type: "resync", epoch: "9f3c", seq: 8, reason: "overflow" });
  const again = JSON.parse(await socket.texts.next("read again"));
  assert.equal(again.key, key);
  socket.send({ type: "ok", ref: again.ref, changed: false, rev: 4, unread: 0 });
  await rig.paged([item(7, { read: true, seen: true })], { rev: 4, unread: 0 });
  await shows(client, { readIds: ["n7"], unread: 0, loading: false });
});
