// Tabs of one browser: one socket, one list, one queue.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, item, notification, Rig, shows, TestPage } from "./rig.mjs";

/**
 * @param {string} name
 * @param {(rig: Rig, browser: Browser) => Promise<void>} story
 */
const story = (name, story) => test(name, () => Rig.with((rig) => story(rig, new Browser())));

/**
 * A tab that leads, and one that follows.
 *
 * @param {Rig} rig
 * @param {Browser} browser
 */
async function two(rig, browser, more = {}) {
  const { client: first, socket } = await rig.live({ browser, ...more });
  const second = rig.client({ browser });
  second.connect();
  await shows(second, { state: "live", ids: ["n7"], unread: 1, user: "alice" });
  return { first, second, socket };
}

story("two tabs share one socket and one list", async (rig, browser) => {
  const { first, second, socket } = await two(rig, browser);
  /** @type {string[]} */
  const told = [];
  second.on("notification", ({ id }, { replayed }) => told.push(`${id} ${replayed}`));
  socket.send(notification(9));
  await shows(second, { ids: ["n9", "n7"], unread: 2, position: { epoch: "9f3c", seq: 9, rev: 3 } });
  assert.deepEqual(told, ["n9 false"]);
  socket.send({ type: "retract", seq: 10, id: "n7", itemSeq: 7, cause: "retracted" });
  socket.send({ type: "heartbeat", epoch: "9f3c", seq: 10, head: 10, rev: 3, unread: 1, unseen: 1 });
  for (const tab of [first, second]) await shows(tab, { ids: ["n9"], unread: 1 });
  assert.deepEqual([rig.server.dials.left, rig.server.requests.left], [[], []]);
});

story("what is done in a tab that follows is sent by the one that leads, once", async (rig, browser) => {
  const { first, second, socket } = await two(rig, browser);
  second.read("n7");
  await shows(second, { unread: 0, readIds: ["n7"] });
  await shows(first, { unread: 0, readIds: ["n7"] });
  const { ref } = JSON.parse(await socket.texts.next("read"));
  socket.send({ type: "error", ref, code: "not_found", message: "no such entry" });
  for (const tab of [first, second]) await shows(tab, { unread: 1, readIds: [] });
  second.readAll();
  const { action, ref: other } = JSON.parse(await socket.texts.next("read_all"));
  assert.equal(action, "read_all");
  socket.send({ type: "ok", ref: other, changed: true, rev: 4, unread: 0 });
  for (const tab of [first, second]) await shows(tab, { unread: 0, readIds: ["n7"] });
  assert.deepEqual(socket.texts.left, []);
});

story("pages that a tab asks for are there in all of them", async (rig, browser) => {
  const first = rig.client({ browser });
  first.connect();
  await rig.dialled();
  await rig.paged([item(7)], { older: 7 });
  await shows(first, { ids: ["n7"], hasMore: true });
  const second = rig.client({ browser });
  second.connect();
  await shows(second, { state: "live", ids: ["n7"] });
  const more = second.loadMore();
  assert(second.getSnapshot().loading);
  await rig.paged([item(6)]);
  await more;
  for (const tab of [first, second]) await shows(tab, { ids: ["n7", "n6"], hasMore: false, loading: false });
});

story("when the tab that leads goes, another goes on where it was", async (rig, browser) => {
  const { first, second, socket } = await two(rig, browser);
  socket.send(notification(9));
  await shows(second, { ids: ["n9", "n7"] });
  first.disconnect();
  await socket.closed;
  const { query } = await rig.dialled({ resumed: true, seq: 9, head: 9, unread: 2 });
  assert.equal(query.since, "9");
  await shows(second, { state: "live", ids: ["n9", "n7"], unread: 2 });
  assert.equal(first.state, "idle");
  // And the first one follows, if it comes back.
  first.connect();
  await shows(first, { state: "live", ids: ["n9", "n7"] });
  assert.deepEqual(rig.server.dials.left, []);
});

story("the tabs show what the connection of the one that leads is", async (rig, browser) => {
  const { second, socket } = await two(rig, browser);
  socket.cut();
  await shows(second, { state: "waiting", reason: { kind: "lost", code: 1006, reason: "" } });
  second.retry();
  await rig.dialled({ resumed: true });
  await shows(second, { state: "live", reason: null });
});

story("an action that nobody heard is not lost", async (rig, browser) => {
  const { first, second, socket } = await two(rig, browser);
  // The lead is given up in the same moment.
  first.disconnect();
  second.archive("n7");
  await socket.closed;
  const next = await rig.dialled({ resumed: true });
  const { action, id } = JSON.parse(await next.texts.next("archive"));
  assert.deepEqual([action, id], ["archive", "n7"]);
  await shows(second, { ids: [], unread: 0 });
});

story("signing out in one tab signs out in all, and leaves nothing", async (rig, browser) => {
  const { first, second, socket } = await two(rig, browser);
  await rig.clock.pass(1_000);
  assert(browser.storage.kept.size > 0);
  second.close();
  assert.deepEqual([second.state, second.getSnapshot().items], ["closed", []]);
  await shows(first, { state: "closed", ids: [], unread: 0, user: null });
  await socket.closed;
  await rig.clock.pass(60_000);
  await new Promise(setImmediate);
  assert.equal(browser.storage.kept.size, 0);
  // Another user in the same browser.
  const bob = rig.client({ browser, token: () => rig.token("bob") });
  /** @type {string[]} */
  const seen = [];
  bob.subscribe(() => seen.push(...bob.getSnapshot().items.map(({ id }) => id)));
  bob.connect();
  const next = await rig.dialled({ user: "bob", unread: 0 });
  assert(!("since" in next.query));
  await rig.paged([], { unread: 0 });
  await shows(bob, { state: "live", ids: [], user: "bob" });
  assert.deepEqual(seen, []);
});

story("users don't share", async (rig, browser) => {
  await rig.live({ browser });
  const bob = rig.client({ browser, token: () => rig.token("bob") });
  bob.connect();
  await rig.dialled({ user: "bob", unread: 0 });
  await rig.paged([], { unread: 0 });
  await shows(bob, { state: "live", ids: [], user: "bob" });
});

story("a hidden tab leaves the lead to one that is seen", async (rig, browser) => {
  const page = new TestPage();
  const { first, second, socket } = await two(rig, browser, { page });
  page.tell("hidden");
  for (let minute = 0; minute < 12; minute++) {
    await rig.clock.pass(25_000);
    socket.send({
      type: "heartbeat",
      epoch: "9f3c",
      seq: 7,
      head: 7,
      rev: 3,
      unread: 10 + minute,
      unseen: 1,
    });
    if (minute < 11) await shows(first, { unread: 10 + minute });
  }
  await socket.closed;
  const next = await rig.dialled({ resumed: true });
  await shows(second, { state: "live" });
  // It is told by the other one, and does not connect.
  await shows(first, { state: "live" });
  next.send(notification(9));
  await shows(first, { ids: ["n9", "n7"] });
  page.tell("visible");
  await rig.clock.pass(1_000);
  await shows(first, { state: "live" });
  assert.deepEqual(rig.server.dials.left, []);
});

story("tabs that can't share have a connection each", async (rig, browser) => {
  await rig.live({ browser, shareTabs: false });
  const { client } = await rig.live({ browser, shareTabs: false });
  assert.equal(client.state, "live");
  browser.locks.request = async () => {
    throw new DOMException("not here", "SecurityError");
  };
  await rig.live({ browser });
});

story("a tab that missed something asks for everything", async (rig, browser) => {
  const { second, socket } = await two(rig, browser);
  const lost = browser.lose();
  socket.send(notification(9));
  await lost;
  socket.send(notification(10));
  await shows(second, { ids: ["n10", "n9", "n7"], unread: 3 });
});
