// What a client shows and keeps: lists, pages, the cache, waiting actions, handlers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { item, MemoryStorage, notification, page, Rig, shows } from "./rig.mjs";
import { within } from "./waiting.mjs";

/**
 * @param {string} name
 * @param {(rig: Rig) => Promise<void>} story
 */
const story = (name, story) => test(name, () => Rig.with(story));

story("what was kept is shown before the network answers, and resumed exactly", async (rig) => {
  const storage = new MemoryStorage();
  const { client, socket } = await rig.live({ storage });
  socket.send(notification(9));
  await shows(client, { ids: ["n9", "n7"] });
  await rig.clock.pass(1_000);
  const token = rig.token();
  const next = rig.client({ storage, token });
  next.connect();
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
  const next = rig.client({ storage, user: "alice", token: () => new Promise(() => {}) });
  next.connect();
  await shows(next, { ids: ["n7"], unread: 1, state: "connecting" });
});

story("the client goes on from a position that it is given", async (rig) => {
  const client = rig.client({ resume: { epoch: "9f3c", seq: 5, rev: 2 } });
  client.connect();
  const { query } = await rig.dialled({ resumed: true, seq: 5 });
  assert.deepEqual([query.epoch, query.since, query.rev], ["9f3c", "5", "2"]);
  await rig.paged();
  await shows(client, { state: "live", ids: ["n7"], position: { epoch: "9f3c", seq: 5, rev: 3 } });
});

story("a log that had no name yet is told again from its beginning, and once", async (rig) => {
  const client = rig.client();
  /** @type {string[]} */
  const told = [];
  client.on("notification", ({ id }) => told.push(id));
  client.connect();
  const nothing = { epoch: null, head: 0, rev: 0, unread: 0, unseen: 0 };
  const socket = await rig.dialled({ ...nothing, seq: 0 });
  await rig.paged([], nothing);
  socket.send(notification(1));
  await shows(client, { ids: ["n1"], position: null });
  socket.cut();
  await shows(client, { state: "waiting" });
  await rig.clock.pass(1_000);
  const next = await rig.dialled({ resumed: true, seq: 0, head: 2, rev: 0, unread: 2, unseen: 2 });
  assert.deepEqual([next.query.epoch, next.query.since], [undefined, "0"]);
  for (const seq of [1, 2]) next.send(notification(seq));
  next.send({ type: "heartbeat", epoch: "9f3c", seq: 2, head: 2, rev: 0, unread: 2, unseen: 2 });
  await shows(client, { ids: ["n2", "n1"], unread: 2, position: { epoch: "9f3c", seq: 2, rev: 0 } });
  assert.deepEqual(told, ["n1", "n2"]);
});

story(
  "what was superseded before it was read is gone, though it is read by the time of the replay",
  async (rig) => {
    const { client, socket } = await rig.live();
    socket.cut();
    await shows(client, { state: "waiting" });
    await rig.clock.pass(1_000);
    const next = await rig.dialled({
      resumed: true,
      head: 9,
      rev: 4,
      unread: 1,
      unseen: 1,
      readUpTo: 7,
      seenUpTo: 7,
    });
    next.send({ type: "retract", seq: 9, id: "n7", itemSeq: 7, cause: "superseded", by: "n9" });
    next.send(notification(9));
    next.send({ type: "heartbeat", epoch: "9f3c", seq: 9, head: 9, rev: 4, unread: 1, unseen: 1 });
    await shows(client, {
      state: "live",
      ids: ["n9"],
      unread: 1,
      position: { epoch: "9f3c", seq: 9, rev: 3 },
    });
  },
);

story("what a page brought before the stream is told when the stream tells it", async (rig) => {
  const client = rig.client();
  /** @type {string[]} */
  const told = [];
  client.on("notification", ({ id }) => told.push(id));
  client.connect();
  const socket = await rig.dialled();
  await rig.paged([item(9), item(7)], { head: 9, unread: 2, unseen: 2 });
  await shows(client, { state: "live", ids: ["n9", "n7"], unread: 2 });
  assert.deepEqual(told, []);
  socket.send(notification(9));
  await shows(client, { position: { epoch: "9f3c", seq: 9, rev: 3 } });
  socket.send(notification(9));
  socket.send(notification(10));
  await shows(client, { ids: ["n10", "n9", "n7"], unread: 3 });
  assert.deepEqual(told, ["n9", "n10"]);
});

story("what was done offline outlives the page, and is sent once under its key", async (rig) => {
  const storage = new MemoryStorage();
  const { client, socket } = await rig.live({ storage });
  await rig.clock.pass(1_000);
  socket.cut();
  await shows(client, { state: "waiting" });
  client.read("n7");
  await shows(client, { unread: 0, readIds: ["n7"] });
  await within(
    (async () => {
      while (
        ![...storage.kept].some(([key, value]) => key.endsWith("queue") && /** @type {[]} */ (value).length)
      )
        await new Promise(setImmediate);
    })(),
    "queue in the storage",
  );
  client.disconnect();
  const next = rig.client({ storage });
  next.connect();
  const second = await rig.dialled({ resumed: true });
  const sent = JSON.parse(await second.texts.next("action"));
  assert.deepEqual([sent.action, sent.id], ["read", "n7"]);
  await shows(next, { state: "live", unread: 0, readIds: ["n7"] });
  second.cut();
  await shows(next, { state: "waiting" });
  await rig.clock.pass(1_000);
  const third = await rig.dialled({ resumed: true });
  assert.equal(JSON.parse(await third.texts.next("action")).key, sent.key);
  third.send({ type: "ok", ref: sent.ref, changed: true, rev: 4, unread: 0 });
  await shows(next, { unread: 0, readIds: ["n7"] });
  await rig.clock.pass(1_000);
  next.disconnect();
  const again = rig.client({ storage });
  again.connect();
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
  socket.cut();
  await shows(client, { state: "waiting" });
  await rig.clock.pass(1_000);
  const second = await rig.dialled({ resumed: true });
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

story("a page that is read while the stream goes on leaves the count right", async (rig) => {
  const client = rig.client();
  client.connect();
  const socket = await rig.dialled();
  await rig.paged([item(7)], { older: 7 });
  await shows(client, { state: "live", ids: ["n7"], unread: 1 });
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

story("a thousand actions wait, and one more is refused", async (rig) => {
  const { client, socket } = await rig.live();
  socket.cut();
  await shows(client, { state: "waiting" });
  for (let n = 0; n < 1_000; n++) client.read(`x${n}`);
  assert.deepEqual(rig.errors, []);
  client.archive("n7");
  assert.deepEqual(
    rig.errors.map(({ code }) => code),
    ["queue_full"],
  );
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
  const client = rig.client({ storage: { get: hangs, set: hangs, erase: hangs } });
  client.connect();
  await within(
    (async () => {
      while (rig.clock.soonest !== 2_000) await new Promise(setImmediate);
    })(),
    "wait",
  );
  await rig.clock.pass(2_000);
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live", ids: ["n7"] });
});

story("handlers that throw, reject or never end stop nothing", async (rig) => {
  const { client, socket } = await rig.live();
  /** @type {string[]} */
  const told = [];
  client.on("notification", () => {
    throw new Error("a handler's own");
  });
  client.on("notification", () => Promise.reject(new Error("a handler's own")));
  client.on("notification", () => new Promise(() => {}));
  client.on("error", () => {
    throw new Error("even this one");
  });
  const stop = client.on("notification", ({ id }, { replayed }) => told.push(`${id} ${replayed}`));
  client.subscribe(() => {
    throw new Error("a listener's own");
  });
  socket.send(notification(9));
  socket.send(notification(10));
  await shows(client, { ids: ["n10", "n9", "n7"] });
  assert.deepEqual(told, ["n9 false", "n10 false"]);
  assert(rig.errors.length >= 4 && rig.errors.every(({ code }) => code === "handler_failed"));
  stop();
  socket.send(notification(11));
  await shows(client, { ids: ["n11", "n10", "n9", "n7"] });
  assert.equal(told.length, 2);
});

story("what comes late is told as replayed", async (rig) => {
  const { client, socket } = await rig.live();
  /** @type {string[]} */
  const told = [];
  client.on("notification", ({ id }, { replayed }) => told.push(`${id} ${replayed}`));
  socket.cut();
  await shows(client, { state: "waiting" });
  await rig.clock.pass(1_000);
  const second = await rig.dialled({ resumed: true, head: 9, unread: 2 });
  second.send(notification(9));
  second.send(notification(10));
  await shows(client, { ids: ["n10", "n9", "n7"], unread: 3 });
  assert.deepEqual(told, ["n9 true", "n10 false"]);
});

story("a snapshot and its items are the same objects until they change", async (rig) => {
  const { client, socket } = await rig.live();
  const before = client.getSnapshot();
  assert.equal(client.getSnapshot(), before);
  assert.equal(client.list(), client.list());
  const unread = client.list({ unread: true });
  socket.send({ type: "heartbeat", epoch: "9f3c", seq: 7, head: 7, rev: 3, unread: 5, unseen: 5 });
  await shows(client, { unread: 5 });
  const after = client.getSnapshot();
  assert.notEqual(after, before);
  assert.equal(after.items, before.items);
  assert.equal(client.list({ unread: true }), unread);
  socket.send(notification(9));
  await shows(client, { ids: ["n9", "n7"] });
  assert.equal(client.getSnapshot().items[1], before.items[0]);
});

story("lists are bounded, and go further down when asked", async (rig) => {
  const { client, socket } = await rig.live({ maxItems: 3, pageSize: 2 });
  for (const seq of [8, 9, 10]) socket.send(notification(seq));
  await shows(client, { ids: ["n10", "n9", "n8"], hasMore: true, unread: 4 });
  const more = client.loadMore();
  assert(client.getSnapshot().loading);
  const { query } = await rig.paged([item(7), item(6)], { older: 6 });
  assert.deepEqual([query.before, query.limit], ["8", "2"]);
  await more;
  await shows(client, { ids: ["n10", "n9", "n8", "n7", "n6"], hasMore: true, loading: false });
  const last = client.loadMore();
  assert.equal((await rig.paged([], { older: null })).query.before, "6");
  await last;
  await shows(client, { hasMore: false });
  await client.loadMore();
  assert.deepEqual(rig.server.requests.left, []);
});

story("filters have lists of their own", async (rig) => {
  const client = rig.client();
  client.connect();
  const socket = await rig.dialled({ unread: 2, seq: 9, head: 9 });
  await rig.paged([item(9), item(8, { read: true, seen: true })], { head: 9, unread: 2, older: 8 });
  await shows(client, { ids: ["n9", "n8"], hasMore: true });
  assert.deepEqual(
    client.list({ unread: true }).items.map(({ id }) => id),
    ["n9"],
  );
  const unread = client.loadMore({ unread: true });
  assert(client.list({ unread: true }).loading && !client.getSnapshot().loading);
  const { query } = await rig.paged([item(3)], { older: null, head: 9 });
  assert.deepEqual([query.unread, query.before], ["true", "8"]);
  await unread;
  assert.deepEqual(
    client.list({ unread: true }).items.map(({ id }) => id),
    ["n9", "n3"],
  );
  assert(!client.list({ unread: true }).hasMore);
  // The default list has no gap: what lies beneath it is not shown there.
  await shows(client, { ids: ["n9", "n8"], hasMore: true });
  const archived = client.loadMore({ archived: true });
  const asked = await rig.paged([item(5, { archived: true, read: true, seen: true })], {
    older: null,
    head: 9,
  });
  assert.equal(asked.query.archived, "true");
  await archived;
  assert.deepEqual(
    client.list({ archived: true }).items.map(({ id }) => id),
    ["n5"],
  );
  client.archive("n9");
  assert.deepEqual(
    client.list({ archived: true }).items.map(({ id }) => id),
    ["n9", "n5"],
  );
  client.unread("n5");
  assert.deepEqual(
    client.list({ archived: true }).items.map(({ id }) => id),
    ["n9"],
  );
  assert.deepEqual(
    client.list({ unread: true }).items.map(({ id }) => id),
    ["n5", "n3"],
  );
  for (const action of ["archive", "unread"])
    assert.equal(JSON.parse(await socket.texts.next("action")).action, action);
});

story("a page that can't be had is told, and can be asked for again", async (rig) => {
  const client = rig.client();
  client.connect();
  await rig.dialled();
  await rig.paged([item(7)], { older: 7 });
  await shows(client, { ids: ["n7"], hasMore: true });
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

story("a page is not the last word on what changed while it was read", async (rig) => {
  const client = rig.client();
  client.connect();
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
  socket.cut();
  await shows(client, { state: "waiting" });
  await rig.clock.pass(1_000);
  const { query } = await rig.dialled({ resumed: true, seq: 20, head: 20 });
  assert.equal(query.since, "20");
  await rig.paged([item(20)], { head: 20 });
  await shows(client, { ids: ["n20"], state: "live" });
});

story("the product surface marks what it is told as read, if it is to", async (rig) => {
  const client = rig.client({ surface: "product", workspace: undefined, autoMarkRead: true });
  client.connect();
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
  await within(
    (async () => {
      while (!rig.errors.length) await new Promise(setImmediate);
    })(),
    "error",
  );
  assert.deepEqual([rig.errors[0].code, rig.errors[0].detail.id], ["not_found", "a"]);
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
  next.send({ type: "heartbeat", epoch: "9f3c", seq: 10, head: 10, rev: 3, unread: 1, unseen: 1 });
  await shows(client, { position: { epoch: "9f3c", seq: 10, rev: 3 } });
  request.answer(200, page([item(9), item(7)], { head: 9, unread: 2 }));
  await shows(client, { ids: ["n7"], loading: false });
});

story("what a page leaves open is asked again", async (rig) => {
  const client = rig.client();
  client.connect();
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

story("a page without an answer is given up after half a minute, and asked for again", async (rig) => {
  const client = rig.client();
  client.connect();
  const socket = await rig.dialled();
  await rig.server.requests.next("page");
  await shows(client, { state: "live", loading: true });
  const beat = { type: "heartbeat", epoch: "9f3c", seq: 7, head: 7, rev: 3, unread: 1, unseen: 1 };
  await rig.clock.pass(29_999);
  socket.send({ ...beat, unread: 2 });
  await shows(client, { unread: 2 });
  assert.deepEqual(rig.errors, []);
  await rig.clock.pass(1);
  await shows(client, { loading: false });
  assert.deepEqual(
    rig.errors.map(({ code }) => code),
    ["network"],
  );
  await rig.clock.pass(1_000);
  await rig.paged();
  await shows(client, { ids: ["n7"], loading: false, state: "live" });
});

story("an older page without an answer can be asked for again, and ends with its client", async (rig) => {
  const client = rig.client();
  client.connect();
  await rig.dialled();
  await rig.paged([item(7)], { older: 7 });
  await shows(client, { ids: ["n7"], hasMore: true });
  const more = client.loadMore();
  await rig.server.requests.next("page");
  await rig.clock.pass(20_000);
  await rig.clock.pass(10_000);
  await more;
  await shows(client, { loading: false, hasMore: true });
  void client.loadMore();
  await rig.server.requests.next("page");
  client.disconnect();
  for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
  // The cache is written.
  await rig.clock.pass(1_000);
  assert.equal(rig.clock.soonest, Number.POSITIVE_INFINITY);
});

story("a list that is begun anew is loading until it is there", async (rig) => {
  const { client, socket } = await rig.live();
  socket.send({ type: "resync", epoch: "9f3c", seq: 8, reason: "overflow" });
  await rig.server.requests.next("page");
  socket.send({ type: "resync", epoch: "9f3c", seq: 9, reason: "overflow" });
  const second = await rig.server.requests.next("page");
  for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
  assert.equal(client.getSnapshot().loading, true);
  second.answer(200, page([item(9)], { head: 9 }));
  await shows(client, { ids: ["n9"], loading: false });
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
