// Tabs of one browser: one socket, one list, one queue.

import assert from "node:assert/strict";
import { Tab, TestPage } from "./fake_browser.mjs";
import { heartbeat, item, notification, page, shows } from "./rig.mjs";
import { story } from "./story.mjs";
import { eventually, turns, within } from "./waiting.mjs";

/** @typedef {import("./fake_browser.mjs").Browser} Browser */
/** @typedef {import("./rig.mjs").Rig} Rig */

/**
 * A tab that leads, and one that follows.
 *
 * @param {Rig} rig
 * @param {Browser} browser
 */
async function two(rig, browser, more = {}) {
  const { client: first, socket } = await rig.live({ browser, ...more });
  const second = rig.connecting({ browser });
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
  socket.send(heartbeat(10));
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
  const { client: first } = await rig.live({ browser }, { older: 7 });
  const second = rig.connecting({ browser });
  await shows(second, { state: "live", ids: ["n7"] });
  const more = second.loadMore();
  assert(second.getSnapshot().loading);
  await rig.paged([item(6)]);
  await more;
  for (const tab of [first, second]) await shows(tab, { ids: ["n7", "n6"], hasMore: false, loading: false });
});

story("whoever sees that it is live sees that the list is under way, in each tab", async (rig, browser) => {
  const first = rig.connecting({ browser });
  const second = rig.connecting({ browser });
  const socket = await rig.server.dials.next("dial");
  const third = rig.connecting({ browser });
  for (const tab of [first, second, third]) await shows(tab, { state: "connecting", user: null });
  /** @type {unknown[]} */
  const empty = [];
  const look = (/** @type {typeof first} */ tab) => {
    const { state, loading, items } = tab.getSnapshot();
    if (state === "live" && !loading && !items.length) empty.push(tab);
  };
  for (const tab of [first, second, third]) tab.subscribe(() => look(tab));
  socket.send(rig.hello());
  const request = await rig.server.requests.next("page");
  for (const tab of [second, third]) await shows(tab, { state: "live", loading: true });
  const fourth = rig.client({ browser });
  fourth.subscribe(() => look(fourth));
  fourth.connect();
  await shows(fourth, { state: "live", loading: true });
  request.answer(200, page([item(7)]));
  for (const tab of [first, second, third, fourth]) await shows(tab, { ids: ["n7"], loading: false });
  assert.deepEqual(empty, []);
});

story("a page is waited for, whoever comes meanwhile", async (rig, browser) => {
  await rig.live({ browser }, { older: 7 });
  const second = rig.connecting({ browser });
  await shows(second, { state: "live", ids: ["n7"] });
  const more = second.loadMore().then(() => second.getSnapshot().items.length);
  const request = await rig.server.requests.next("page");
  const third = rig.connecting({ browser });
  await shows(third, { state: "live", loading: true });
  request.answer(200, page([item(6)]));
  assert.equal(await more, 2);
});

story("a page that can't be had any more is not waited for", async (rig, browser) => {
  const { client: first, socket } = await rig.live({ browser }, { older: 7 });
  const second = rig.connecting({ browser });
  await shows(second, { state: "live", ids: ["n7"] });
  socket.cut();
  await shows(first, { state: "waiting" });
  // It has not heard of that yet.
  assert.equal(second.state, "live");
  await within(second.loadMore(), "end of the page");
  await rig.clock.pass(1_000);
  await rig.dialled({ resumed: true });
  await shows(second, { state: "live", loading: false, hasMore: true });
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

story("a tab that followed for long asks for a token before it leads", async (rig, browser) => {
  const { first, second, socket } = await two(rig, browser);
  await rig.clock.pass(20_000);
  socket.send(heartbeat(7));
  await rig.clock.pass(20_000);
  first.disconnect();
  await socket.closed;
  await rig.dialled({ resumed: true });
  await shows(second, { state: "live" });
  assert.deepEqual(rig.asked, ["initial", "initial", "reconnect"]);
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

story("users don't share", async (rig, browser) => {
  await rig.live({ browser });
  const bob = rig.connecting({ browser, token: () => rig.token("bob") });
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
    socket.send(heartbeat(7, { unread: 10 + minute }));
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
  /** @type {string[]} */
  const told = [];
  second.on("notification", ({ id }, { replayed }) => told.push(`${id} ${replayed}`));
  const lost = browser.lose();
  socket.send(notification(9));
  await lost;
  socket.send(notification(10));
  await shows(second, { ids: ["n10", "n9", "n7"], unread: 3 });
  // Somebody who comes, and is told everything, is no news to the others.
  const third = rig.connecting({ browser });
  await shows(third, { state: "live", ids: ["n10", "n9", "n7"] });
  socket.send(notification(11));
  for (const tab of [second, third]) await shows(tab, { ids: ["n11", "n10", "n9", "n7"] });
  assert.deepEqual(told, ["n9 true", "n10 true", "n11 false"]);
});

/**
 * A tab that leads and hangs, and two that follow.
 *
 * @param {Rig} rig
 * @param {Browser} browser
 */
async function hanging(rig, browser) {
  const tab = new Tab(rig, browser);
  const { environment, WebSocket } = tab;
  const { client: first, socket } = await rig.live({ browser, environment, WebSocket });
  const others = [rig.client({ browser }), rig.client({ browser })];
  for (const other of others) {
    other.connect();
    await shows(other, { state: "live", ids: ["n7"] });
  }
  tab.hang();
  return { tab, first, socket, others };
}

story("a leader that hangs is asked, then robbed, and follows once it is back", async (rig, browser) => {
  const { tab, first, socket, others } = await hanging(rig, browser);
  // 35 s without a word, and 10 s without an answer.
  await rig.clock.pass(44_000);
  assert.deepEqual(rig.server.dials.left, []);
  await rig.clock.pass(4_000);
  const next = await rig.dialled({ resumed: true, seq: 7, head: 8, unread: 2 });
  next.send(notification(8));
  for (const other of others) await shows(other, { state: "live", ids: ["n8", "n7"], unread: 2 });
  tab.wake();
  await socket.closed;
  await shows(first, { state: "live", reason: null, ids: ["n8", "n7"], unread: 2 });
  // Nobody fights about it: the one that was robbed waits for its turn.
  next.send(notification(9));
  for (const each of [first, ...others]) await shows(each, { ids: ["n9", "n8", "n7"] });
  for (let minute = 0; minute < 3; minute++) {
    next.send(heartbeat(9, { unread: 10 + minute }));
    for (const each of [first, ...others]) await shows(each, { state: "live", unread: 10 + minute });
    await rig.clock.pass(25_000);
  }
  assert.deepEqual(rig.server.dials.left, []);
  first.archive("n8");
  assert.equal(JSON.parse(await next.texts.next("archive")).id, "n8");
});

story("the tab that was robbed leads again when its turn comes", async (rig, browser) => {
  const { tab, first, socket, others } = await hanging(rig, browser);
  others.pop()?.disconnect();
  await rig.clock.pass(40_000);
  // Nobody is told: the lock says so by itself.
  const lost = browser.lose();
  await rig.clock.pass(8_000);
  await lost;
  const next = await rig.dialled({ resumed: true });
  for (const other of others) await shows(other, { state: "live" });
  tab.wake();
  await socket.closed;
  await shows(first, { state: "live" });
  await rig.clock.pass(1_500);
  for (const other of others) other.disconnect();
  await next.closed;
  await rig.dialled({ resumed: true });
  await shows(first, { state: "live", ids: ["n7"] });
});

story("a tab that hung while its connection was replaced follows the one that did", async (rig, browser) => {
  const { tab, first, socket, others } = await hanging(rig, browser);
  socket.socket.close(4009, "replaced by a newer connection");
  await socket.closed;
  await rig.clock.pass(48_000);
  const next = await rig.dialled({ resumed: true });
  for (const other of others) await shows(other, { state: "live" });
  tab.wake();
  await shows(first, { state: "live", ids: ["n7"] });
  for (const other of others) other.disconnect();
  await next.closed;
  await rig.dialled({ resumed: true });
  await shows(first, { state: "live", ids: ["n7"] });
});

story("a tab that may not lead does not call live what hangs", async (rig, browser) => {
  const tab = new Tab(rig, browser);
  const { environment, WebSocket } = tab;
  const { client: first, socket } = await rig.live({ browser });
  const second = rig.connecting({ browser, environment, WebSocket });
  await shows(second, { state: "live", ids: ["n7"] });
  socket.socket.close(4001, "unauthorized");
  await rig.dialled({ resumed: true });
  for (const each of [first, second]) await shows(each, { state: "live" });
  tab.hang();
  await rig.clock.pass(48_000);
  await shows(first, { state: "refused", ids: ["n7"] });
  first.retry();
  await eventually(() => rig.asked.length === 3, "asking for a token");
  await new Promise(setImmediate);
  await rig.clock.pass(12_000);
  await rig.dialled({ resumed: true });
  await shows(first, { state: "live" });
});

story("a tab that is opened beside one that hangs connects", async (rig, browser) => {
  const tab = new Tab(rig, browser);
  const { environment, WebSocket } = tab;
  const { socket } = await rig.live({ browser, environment, WebSocket });
  tab.hang();
  const second = rig.connecting({ browser });
  await eventually(() => rig.asked.length === 2, "asking for a token");
  await new Promise(setImmediate);
  await rig.clock.pass(12_000);
  await rig.dialled({ resumed: true });
  await shows(second, { state: "live" });
  tab.wake();
  await socket.closed;
});

story("a leader that hung for a while is forgiven", async (rig, browser) => {
  const { tab, first, socket, others } = await hanging(rig, browser);
  socket.send(heartbeat(7));
  // It was asked 5 s ago.
  await rig.clock.pass(40_000);
  tab.wake();
  await rig.clock.pass(10_000);
  socket.send(notification(8));
  for (const each of [first, ...others]) await shows(each, { state: "live", ids: ["n8", "n7"] });
  assert.deepEqual(rig.server.dials.left, []);
});

story("a leader that has nothing to tell says that it is there", async (rig, browser) => {
  const first = rig.connecting({ browser, surface: "workspace" });
  await rig.server.dials.next("dial");
  const second = rig.connecting({ browser, surface: "workspace" });
  for (const each of [first, second]) await shows(each, { state: "live" });
  let changes = 0;
  second.subscribe(() => changes++);
  await rig.clock.pass(600_000);
  assert.deepEqual(rig.server.dials.left, []);
  assert.equal(second.state, "live");
  assert.equal(changes, 0);
});

story("what a greeting of another user takes away is gone in every tab", async (rig, browser) => {
  // The page names both of them the same.
  const { client: first, socket } = await rig.live({ browser, user: "somebody" });
  const second = rig.connecting({ browser, user: "somebody" });
  await shows(second, { state: "live", ids: ["n7"], user: "alice" });
  socket.cut();
  await shows(second, { state: "waiting" });
  second.archive("n7");
  /** @type {string[]} */
  const shown = [];
  second.subscribe(() => {
    const { user, items } = second.getSnapshot();
    if (user === "bob") shown.push(...items.map(({ id }) => id));
  });
  second.retry();
  const next = await rig.dialled({ user: "bob", unread: 0 });
  await shows(second, { state: "live", user: "bob", ids: [] });
  await rig.paged([item(3)], { older: null });
  for (const tab of [first, second]) await shows(tab, { user: "bob", ids: ["n3"] });
  assert.deepEqual([new Set(shown), next.texts.left], [new Set(["n3"]), []]);
});

story("a position that was given is no place to go back to for a tab that followed", async (rig, browser) => {
  const { client: first, socket } = await rig.live({ browser });
  const second = rig.connecting({ browser, resume: { epoch: "9f3c", seq: 7, rev: 3 } });
  /** @type {string[]} */
  const told = [];
  second.on("notification", ({ id }) => told.push(id));
  await shows(second, { state: "live", ids: ["n7"] });
  for (const seq of [8, 9]) socket.send(notification(seq));
  await shows(second, { ids: ["n9", "n8", "n7"] });
  first.disconnect();
  const next = await rig.dialled({ resumed: true, seq: 9, head: 9, unread: 3 });
  assert.equal(next.query.since, "9");
  next.send(notification(10));
  await shows(second, { ids: ["n10", "n9", "n8", "n7"] });
  assert.deepEqual(told, ["n8", "n9", "n10"]);
});

story("a page that was asked of a tab that goes is asked for again", async (rig, browser) => {
  const { client: first, socket } = await rig.live({ browser }, { older: 7 });
  const second = rig.connecting({ browser });
  await shows(second, { state: "live", ids: ["n7"] });
  const more = second.loadMore();
  await rig.server.requests.next("request");
  first.disconnect();
  await socket.closed;
  await rig.dialled({ resumed: true });
  await more;
  await shows(second, { state: "live" });
  assert.equal(second.getSnapshot().loading, false);
  void second.loadMore();
  await rig.paged([item(6)]);
  await shows(second, { ids: ["n7", "n6"] });
});

story("a tab that opens on a documented surface is told nothing that was there", async (rig, browser) => {
  const first = rig.connecting({ browser, surface: "workspace" });
  const socket = await rig.server.dials.next("dial");
  await shows(first, { state: "live" });
  for (const id of ["a", "b"])
    socket.send({ id, message: "It is on its way.", timestamp: "2026-01-01T00:00:00Z" });
  await shows(first, { unread: 2 });
  const second = rig.client({ browser, surface: "workspace" });
  /** @type {string[]} */
  const told = [];
  second.on("notification", ({ id }) => told.push(id));
  second.connect();
  await shows(second, { state: "live", ids: ["b", "a"], unread: 2 });
  socket.send({ id: "c", message: "It is on its way.", timestamp: "2026-01-01T00:00:00Z" });
  await shows(second, { unread: 3 });
  assert.deepEqual(told, ["c"]);
});

for (const [cache, read] of /** @type {[string, () => Promise<void>][]} */ ([
  ["at once", async () => {}],
  ["late", turns],
]))
  story(
    `a tab that opens is told nothing that was there, if its cache comes ${cache}`,
    async (rig, browser) => {
      const { socket } = await rig.live({ browser });
      await rig.clock.pass(1_000);
      // Newer than what is kept.
      socket.send(notification(8));
      const { set, erase, get } = browser.storage;
      const storage = { set, erase, get: (/** @type {string} */ key) => read().then(() => get(key)) };
      const second = rig.client({ browser, storage });
      /** @type {string[]} */
      const told = [];
      second.on("notification", ({ id }) => told.push(id));
      second.connect();
      await shows(second, { state: "live", ids: ["n8", "n7"] });
      socket.send(notification(9));
      await shows(second, { ids: ["n9", "n8", "n7"] });
      assert.deepEqual(told, ["n9"]);
    },
  );

story("a tab that comes back is told what it missed", async (rig, browser) => {
  const { second, socket } = await two(rig, browser);
  /** @type {string[]} */
  const told = [];
  second.on("notification", ({ id }, { replayed }) => told.push(`${id} ${replayed}`));
  second.disconnect();
  socket.send(notification(8));
  socket.send(notification(9));
  await turns();
  second.connect();
  await shows(second, { state: "live", ids: ["n9", "n8", "n7"] });
  assert.deepEqual(told, ["n8 true", "n9 true"]);
});

story("what is in no log is read in a tab that follows, too, and told to nobody", async (rig, browser) => {
  const { first, second, socket } = await two(rig, browser);
  socket.send({ type: "notification", seq: null, item: item(null, { id: "passing" }) });
  await shows(second, { ids: ["passing", "n7"] });
  second.read("passing");
  for (const tab of [first, second]) await shows(tab, { readIds: ["passing"], unread: 1 });
  second.read("n7");
  // The next one that is told.
  assert.equal(JSON.parse(await socket.texts.next("read")).id, "n7");
});

story("who a tab that is to lead asked for a token in vain ends no other attempt", async (rig, browser) => {
  const { client: first, socket } = await rig.live({ browser });
  /** @type {((token: null) => void) | undefined} */
  let late;
  const second = rig.connecting({
    browser,
    token: (why) => (why === "initial" ? rig.token() : new Promise((answer) => (late = answer))),
  });
  await shows(second, { state: "live", ids: ["n7"] });
  await rig.clock.pass(20_000);
  socket.send(heartbeat(7));
  await rig.clock.pass(20_000);
  first.disconnect();
  await eventually(() => late, "asking for a token");
  second.update({ token: rig.token("bob") });
  late?.(null);
  await rig.dialled({ user: "bob" });
  await rig.paged([item(5)]);
  await shows(second, { state: "live", user: "bob", ids: ["n5"] });
});

story(
  "a page that was asked of a tab that resigned is asked for by the one that goes on",
  async (rig, browser) => {
    const inbox = (/** @type {{path: string}} */ { path }) => path.endsWith("/inbox");
    const { client: first, socket } = await rig.live({ browser }, { older: 7 });
    const second = rig.connecting({ browser });
    await shows(second, { state: "live", ids: ["n7"] });
    const more = second.loadMore();
    await rig.server.requests.next("page", inbox);
    first.disconnect();
    await socket.closed;
    await rig.dialled({ resumed: true });
    await within(more, "the page is given up");
    await shows(second, { state: "live", loading: false });
    const again = second.loadMore();
    const { answer } = await rig.server.requests.next("page", inbox);
    answer(200, page([item(6)], { unread: 2 }));
    await again;
    await shows(second, { ids: ["n7", "n6"] });
  },
);
