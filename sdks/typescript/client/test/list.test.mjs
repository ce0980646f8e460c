// The list that is shown: its bounds, its filters, its objects.

import assert from "node:assert/strict";
import { heartbeat, item, notification, shows } from "./rig.mjs";
import { story } from "./story.mjs";

story("a snapshot and its items are the same objects until they change", async (rig) => {
  const { client, socket } = await rig.live();
  const before = client.getSnapshot();
  assert.equal(client.getSnapshot(), before);
  assert.equal(client.list(), client.list());
  const unread = client.list({ unread: true });
  socket.send(heartbeat(7, { unread: 5, unseen: 5 }));
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
  const client = rig.connecting();
  const listed = (/** @type {import("../dist/esm/index.js").Filter} */ filter) =>
    client.list(filter).items.map(({ id }) => id);
  const socket = await rig.dialled({ unread: 2, seq: 9, head: 9 });
  await rig.paged([item(9), item(8, { read: true, seen: true })], { head: 9, unread: 2, older: 8 });
  await shows(client, { ids: ["n9", "n8"], hasMore: true });
  assert.deepEqual(listed({ unread: true }), ["n9"]);
  const unread = client.loadMore({ unread: true });
  assert(client.list({ unread: true }).loading && !client.getSnapshot().loading);
  const { query } = await rig.paged([item(3)], { older: null, head: 9 });
  assert.deepEqual([query.unread, query.before], ["true", "8"]);
  await unread;
  assert.deepEqual(listed({ unread: true }), ["n9", "n3"]);
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
  assert.deepEqual(listed({ archived: true }), ["n5"]);
  client.archive("n9");
  assert.deepEqual(listed({ archived: true }), ["n9", "n5"]);
  client.unread("n5");
  assert.deepEqual(listed({ archived: true }), ["n9"]);
  assert.deepEqual(listed({ unread: true }), ["n5", "n3"]);
  for (const action of ["archive", "unread"])
    assert.equal(JSON.parse(await socket.texts.next("action")).action, action);
});

story(
  "what was superseded before it was read is gone, though it is read by the time of the replay",
  async (rig) => {
    const { client, socket } = await rig.live();
    const next = await rig.resumed(client, socket, { head: 9, rev: 4, readUpTo: 7, seenUpTo: 7 });
    next.send({ type: "retract", seq: 9, id: "n7", itemSeq: 7, cause: "superseded", by: "n9" });
    next.send(notification(9));
    next.send(heartbeat(9, { rev: 4 }));
    await shows(client, {
      state: "live",
      ids: ["n9"],
      unread: 1,
      position: { epoch: "9f3c", seq: 9, rev: 3 },
    });
  },
);
