// Pages of the inbox: those that fail or are late, and what changes while one is on its way.

import assert from "node:assert/strict";
import { MemoryStorage } from "./fake_browser.mjs";
import { heartbeat, item, notification, page, shows } from "./rig.mjs";
import { story } from "./story.mjs";
import { turns } from "./waiting.mjs";

/** @typedef {import("./rig.mjs").Rig} Rig */

story("a page that can't be had is told, and can be asked for again", async (rig) => {
  const { client } = await rig.live({}, { older: 7 });
  const more = client.loadMore();
  (await rig.server.requests.next("page")).answer(500, {});
  await more;
  await shows(client, { loading: false, hasMore: true, state: "live" });
  assert.deepEqual(
    rig.errors.map(({ code, detail }) => [code, detail.status]),
    [["http", 500]],
  );
  const again = client.loadMore();
  await rig.paged([item(6)]);
  await again;
  await shows(client, { ids: ["n7", "n6"], hasMore: false });
});

story("a page without an answer is given up after half a minute, and asked for again", async (rig) => {
  const client = rig.connecting();
  const socket = await rig.dialled();
  await rig.server.requests.next("page");
  await shows(client, { state: "live", loading: true });
  await rig.clock.pass(29_999);
  socket.send(heartbeat(7, { unread: 2 }));
  await shows(client, { unread: 2 });
  assert.deepEqual(rig.errors, []);
  await rig.clock.pass(1);
  await shows(client, { loading: false });
  assert.deepEqual(rig.codes, ["network"]);
  await rig.clock.pass(1_000);
  await rig.paged();
  await shows(client, { ids: ["n7"], loading: false, state: "live" });
});

story("an older page without an answer can be asked for again, and ends with its client", async (rig) => {
  const { client } = await rig.live({}, { older: 7 });
  const more = client.loadMore();
  await rig.server.requests.next("page");
  await rig.clock.pass(20_000);
  await rig.clock.pass(10_000);
  await more;
  await shows(client, { loading: false, hasMore: true });
  void client.loadMore();
  await rig.server.requests.next("page");
  client.disconnect();
  await turns();
  // The cache is written.
  await rig.clock.pass(1_000);
  assert.equal(rig.clock.soonest, Number.POSITIVE_INFINITY);
});

story("whoever sees that it is live sees that the list is under way", async (rig) => {
  const client = rig.client();
  /** @type {Set<string>} */
  const seen = new Set();
  client.subscribe(() => {
    const { state, loading, items } = client.getSnapshot();
    seen.add(`${state} ${loading} ${items.length}`);
  });
  client.connect();
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live", loading: false, ids: ["n7"] });
  assert(seen.has("live true 0") && !seen.has("live false 0"), `${[...seen]}`);
});

story("a list that is begun anew is loading until it is there", async (rig) => {
  const { client, socket } = await rig.live();
  socket.send({ type: "resync", epoch: "9f3c", seq: 8, reason: "overflow" });
  await rig.server.requests.next("page");
  socket.send({ type: "resync", epoch: "9f3c", seq: 9, reason: "overflow" });
  const second = await rig.server.requests.next("page");
  await turns();
  assert.equal(client.getSnapshot().loading, true);
  second.answer(200, page([item(9)], { head: 9 }));
  await shows(client, { ids: ["n9"], loading: false });
});

story("a page that is read while the stream goes on leaves the count right", async (rig) => {
  const { client, socket } = await rig.live({}, { older: 7 });
  const more = client.loadMore();
  const request = await rig.server.requests.next("page");
  socket.send(notification(9));
  socket.send(notification(10));
  await shows(client, { ids: ["n10", "n9", "n7"], unread: 3 });
  // The page knows of the first of them.
  const old = item(6, { read: true, seen: true });
  request.answer(200, page([old], { head: 9, unread: 2, unseen: 2 }));
  await more;
  await shows(client, {
    ids: ["n10", "n9", "n7", "n6"],
    unread: 3,
    position: { epoch: "9f3c", seq: 10, rev: 3 },
  });
});

story("a page is not the last word on what changed while it was read", async (rig) => {
  const client = rig.connecting();
  const socket = await rig.dialled({ seq: 9, head: 9, unread: 3 });
  const request = await rig.server.requests.next("page");
  socket.send({ type: "retract", seq: 11, id: "n9", itemSeq: 9, cause: "retracted" });
  socket.send({ type: "update", seq: 12, item: { ...item(8), title: "Another title" } });
  const state = { id: "n7", seq: 7, seen: true, read: true, archived: false };
  socket.send({
    type: "receipts",
    rev: 4,
    head: 12,
    unread: 1,
    unseen: 1,
    readUpTo: 0,
    seenUpTo: 0,
    items: [state],
  });
  socket.send(notification(13));
  await shows(client, { ids: ["n13"], unread: 2 });
  request.answer(200, page([item(9), item(8), item(7)], { head: 10, unread: 3 }));
  await shows(client, { ids: ["n13", "n8", "n7"], readIds: ["n7"], unread: 2 });
  assert.equal(client.getSnapshot().items[1].title, "Another title");
});

story("what happens while a connection is lost within a resync is not forgotten", async (rig) => {
  const { client, socket } = await rig.live();
  socket.send({ type: "resync", epoch: "9f3c", seq: 20, reason: "overflow" });
  await rig.server.requests.next("page");
  const { query } = await rig.resumed(client, socket, { seq: 20, head: 20 });
  assert.equal(query.since, "20");
  await rig.paged([item(20)], { head: 20 });
  await shows(client, { ids: ["n20"], state: "live" });
});

story("what came and went while its page was on its way is not brought back by the page", async (rig) => {
  const { client, socket } = await rig.live();
  socket.cut();
  await shows(client, { state: "waiting" });
  await rig.clock.pass(1_000);
  const next = await rig.server.dials.next("dial");
  next.send({ ...rig.hello({ head: 10, unread: 1 }), resumed: true });
  next.send({ type: "resync", epoch: "9f3c", seq: 7, reason: "too_many" });
  const request = await rig.server.requests.next("page");
  // The entry at 9 was there when the page was made, and gone when the stream passed its place.
  next.send(heartbeat(10));
  await shows(client, { position: { epoch: "9f3c", seq: 10, rev: 3 } });
  request.answer(200, page([item(9), item(7)], { head: 9, unread: 2 }));
  await shows(client, { ids: ["n7"], loading: false });
});

story("what a page leaves open is asked again", async (rig) => {
  const client = rig.connecting();
  const socket = await rig.dialled({ seq: 8, head: 8, unread: 2 });
  const request = await rig.server.requests.next("page");
  socket.send({ type: "retract", seq: 9, id: "n7", itemSeq: 7, cause: "superseded", by: "n10" });
  const known = { rev: 4, head: 9, unread: 0, unseen: 0, readUpTo: 8, seenUpTo: 8 };
  socket.send({ type: "receipts", ...known, items: [] });
  await shows(client, { unread: 0 });
  request.answer(200, page([item(8), item(7)], { head: 8, unread: 2 }));
  await shows(client, { ids: ["n8"], readIds: ["n8"] });
  await rig.clock.pass(1_000);
  const read = { read: true, seen: true };
  await rig.paged([item(8, read), item(7, { ...read, superseded: true })], known);
  await shows(client, { ids: ["n8", "n7"], readIds: ["n8", "n7"], loading: false });
  await rig.clock.pass(20_000);
  assert.deepEqual(rig.server.requests.left, []);
});

story("an older page that leaves something open lets the list be read again", async (rig) => {
  const { client, socket } = await rig.live();
  socket.cut();
  await shows(client, { state: "waiting" });
  await rig.clock.pass(1_000);
  const next = await rig.dialled({ seq: 8, head: 8, unread: 3 });
  next.send({ type: "resync", epoch: "9f3c", seq: 8, reason: "too_many" });
  await rig.paged([item(8)], { head: 8, unread: 3, older: 8 });
  await shows(client, { ids: ["n8"], hasMore: true, loading: false });
  const more = client.loadMore();
  const request = await rig.server.requests.next("page");
  next.send({ type: "retract", seq: 9, id: "n7", itemSeq: 7, cause: "superseded", by: "n10" });
  const known = { rev: 4, head: 9, unread: 0, unseen: 0, readUpTo: 8, seenUpTo: 8 };
  next.send({ type: "receipts", ...known, items: [] });
  await shows(client, { unread: 0 });
  request.answer(200, page([item(7)], { head: 8, unread: 3 }));
  const read = { read: true, seen: true };
  await rig.paged([item(8, read)], { ...known, older: 8 });
  await rig.paged([item(7, { ...read, superseded: true })], known);
  await more;
  await shows(client, { ids: ["n8", "n7"], readIds: ["n8", "n7"], loading: false });
});

/** @param {Rig} rig */
const asked = (rig) => rig.server.requests.next("request", ({ path }) => path.endsWith("/inbox"));

story("a connection that ended asks for no more pages", async (rig) => {
  const client = rig.connecting();
  const socket = await rig.dialled();
  await asked(rig);
  await shows(client, { state: "live" });
  const more = client.loadMore({ unread: true });
  client.disconnect();
  await socket.closed;
  await more;
  assert.equal(client.list({ unread: true }).loading, false);
  for (let minute = 0; minute < 5; minute++) {
    await rig.clock.pass(60_000);
    await turns();
  }
  assert.deepEqual(rig.server.requests.left, []);
});

story("a page that a former user waited for is not had with the next one's token", async (rig) => {
  const storage = new MemoryStorage();
  const client = rig.connecting({ storage, token: rig.token("alice") });
  const socket = await rig.dialled();
  await asked(rig);
  await shows(client, { state: "live" });
  void client.loadMore({ unread: true });
  client.update({ token: rig.token("bob") });
  await socket.closed;
  await rig.dialled({ user: "bob" });
  (await asked(rig)).answer(200, page([item(5, { id: "bobs" })]));
  await shows(client, { state: "live", ids: ["bobs"], user: "bob" });
  await rig.clock.pass(60_000);
  await turns();
  assert.deepEqual(rig.server.requests.left, []);
  const kept = [...storage.kept].filter(([, value]) => JSON.stringify(value).includes("bobs"));
  assert.deepEqual(
    kept.map(([key]) => key.includes('"bob"')),
    [true],
  );
});
