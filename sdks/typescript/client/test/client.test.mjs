// The client with its server: tokens, users, workspaces, lifecycle.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Campanile } from "../dist/esm/index.js";
import { Browser, item, MemoryStorage, Rig, shows, TestPage } from "./rig.mjs";
import { jwt } from "./scripted.mjs";
import { within } from "./waiting.mjs";

/**
 * @param {string} name
 * @param {(rig: Rig) => Promise<void>} story
 */
const story = (name, story) => test(name, () => Rig.with(story));

story("tokens are asked for with the reason", async (rig) => {
  const { client, socket } = await rig.live();
  socket.cut();
  await shows(client, { state: "waiting" });
  await rig.clock.pass(1_000);
  const second = await rig.dialled({ resumed: true });
  await shows(client, { state: "live" });
  second.socket.close(4003, "token expired");
  await shows(client, { state: "waiting" });
  await rig.clock.pass(1_500);
  const third = await rig.dialled({
    resumed: true,
    expiresAt: new Date(rig.clock.now() + 60_000).toISOString(),
  });
  await shows(client, { state: "live" });
  third.send({ type: "heartbeat", epoch: "9f3c", seq: 7, head: 7, rev: 3, unread: 1, unseen: 1 });
  await rig.clock.pass(34_000);
  const { action, token } = JSON.parse(await third.texts.next("refresh"));
  assert.equal(action, "refresh");
  assert.match(token, /^ey/);
  assert.deepEqual(rig.asked, ["initial", "reconnect", "expired", "refresh"]);
  // Each ticket was asked for with another token.
  assert.equal(new Set(rig.server.tokens).size, 3);
});

story("a token is in no address, no storage, no channel, no error and no snapshot", async (rig) => {
  const browser = new Browser();
  const { client, socket } = await rig.live({ browser });
  assert(!("token" in socket.query));
  client.read("n7");
  await socket.texts.next("read");
  socket.cut();
  await shows(client, { state: "waiting" });
  await rig.clock.pass(2_000);
  (await rig.server.dials.next("dial")).socket.close(4001, "unauthorized");
  await shows(client, { state: "refused" });
  client.disconnect();
  const told = JSON.stringify([
    [...browser.storage.kept],
    browser.messages,
    client.getSnapshot(),
    rig.errors.map((error) => [error, error.stack]),
  ]);
  assert(browser.storage.kept.size > 0 && browser.messages.length > 0);
  for (const token of rig.server.tokens) assert(!told.includes(token), "a token is told");
  assert(!told.includes("secret-"));
});

test("tokens travel to this machine or by TLS only", () => {
  const open = (/** @type {string} */ url, more = {}) => new Campanile({ url, ...more });
  for (const url of ["http://example.com", "ws://10.0.0.1:8700", "http://localhost.example.com"])
    assert.throws(() => open(url), { code: "insecure_url" });
  for (const url of [
    "https://example.com",
    "wss://example.com/base/",
    "http://localhost:8700",
    "ws://127.0.0.1",
    "http://[::1]:1",
  ])
    open(url);
  open("http://example.com", { allowInsecure: true });
  assert.throws(() => open("ftp://example.com"), { code: "bad_url" });
});

story("without a token or a workspace it is idle, and goes on when both are there", async (rig) => {
  const client = rig.client({ token: null, workspace: null });
  client.connect();
  assert.equal(client.state, "idle");
  client.update({ workspace: "demo" });
  assert.equal(client.state, "idle");
  client.update({ token: rig.token() });
  assert.equal(client.state, "connecting");
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live", ids: ["n7"] });
  client.update({ token: null });
  await shows(client, { state: "idle", ids: [], unread: 0, user: null });
});

story("a token that can't be had is asked for again, and told", async (rig) => {
  let asked = 0;
  const client = rig.client({
    token: () => {
      asked++;
      if (asked === 1) throw new Error("the session is over");
      if (asked === 2) return new Promise(() => {});
      return asked === 3 ? null : rig.token();
    },
  });
  client.connect();
  await shows(client, { state: "waiting", reason: { kind: "token", code: 0, reason: "token_failed" } });
  assert.deepEqual(
    rig.errors.map(({ code }) => code),
    ["token_failed"],
  );
  await rig.clock.pass(1_000);
  await shows(client, { state: "connecting" });
  await rig.clock.pass(30_000);
  await shows(client, { state: "waiting" });
  await rig.clock.pass(1_500);
  await shows(client, { state: "idle" });
  client.connect();
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live" });
});

story("a refused ticket says what to do", async (rig) => {
  rig.server.tickets = false;
  const client = rig.client();
  client.connect();
  const ask = () => rig.server.requests.next("ticket", ({ path }) => path === "/v1/tickets");
  (await ask()).answer(401, { code: "token_expired" });
  await shows(client, { state: "waiting", reason: { kind: "http", code: 401, reason: "token_expired" } });
  await rig.clock.pass(1_000);
  (await ask()).answer(503, { code: "overloaded" }, { "retry-after": "5" });
  await shows(client, { state: "waiting", retryAt: rig.clock.now() + 5_000 });
  await rig.clock.pass(4_999);
  assert.equal(client.state, "waiting");
  await rig.clock.pass(1);
  (await ask()).answer(401, { code: "token_invalid" });
  await shows(client, { state: "refused" });
  assert.deepEqual(rig.asked, ["initial", "expired", "reconnect"]);
});

story("whoever stands in between is no reason to stay away", async (rig) => {
  rig.server.tickets = false;
  const client = rig.client();
  client.connect();
  const ask = () => rig.server.requests.next("ticket", ({ path }) => path === "/v1/tickets");
  const html = { "content-type": "text/html" };
  (await ask()).answer(403, "log in here", { ...html, "retry-after": "5" });
  const reason = { kind: /** @type {const} */ ("http"), code: 403, reason: "http" };
  await shows(client, { state: "waiting", reason, retryAt: rig.clock.now() + 5_000 });
  await rig.clock.pass(5_000);
  (await ask()).answer(401, { code: "token_invalid" }, { "content-type": "application/json" });
  await shows(client, { state: "waiting", reason: { ...reason, code: 401 } });
  await rig.clock.pass(2_000);
  (await ask()).answer(401, {});
  await shows(client, { state: "waiting", reason: { ...reason, code: 401 } });
  await rig.clock.pass(3_000);
  (await ask()).answer(403, { code: "workspace_refused" });
  await shows(client, { state: "refused" });
});

story("a ticket that is not answered is given up with its dial", async (rig) => {
  rig.server.tickets = false;
  const client = rig.client();
  client.connect();
  await rig.server.requests.next("ticket");
  await rig.clock.pass(10_000);
  await shows(client, { state: "waiting" });
  client.disconnect();
  await rig.clock.pass(20_000);
  for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
  assert.equal(rig.clock.soonest, Number.POSITIVE_INFINITY);
});

story("a token that is a text and has expired is not tried again", async (rig) => {
  const client = rig.client({ token: rig.token() });
  client.connect();
  (await rig.server.dials.next("dial")).socket.close(4003, "token expired");
  await shows(client, { state: "refused", reason: { kind: "close", code: 4003, reason: "token expired" } });
  client.update({ token: rig.token() });
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live" });
});

story("dialling is given up after ten seconds", async (rig) => {
  const client = rig.client();
  client.connect();
  await rig.server.dials.next("dial");
  await rig.clock.pass(9_999);
  assert.equal(client.state, "connecting");
  await rig.clock.pass(1);
  assert.equal(client.state, "waiting");
});

story("another token of the same user is shown on the living connection", async (rig) => {
  const { client, socket } = await rig.live({ token: rig.token() });
  const token = rig.token();
  client.update({ token });
  assert.equal(JSON.parse(await socket.texts.next("refresh")).token, token);
  assert.equal(client.state, "live");
  assert.deepEqual(rig.server.dials.left, []);
});

story("a token of another user starts anew, and nothing of the former is shown", async (rig) => {
  const storage = new MemoryStorage();
  const { client, socket } = await rig.live({ token: rig.token("alice"), storage });
  /** @type {string[]} */
  const seen = [];
  client.update({ token: rig.token("bob") });
  client.subscribe(() =>
    seen.push(...client.getSnapshot().items.map(({ id }) => id), `${client.getSnapshot().user}`),
  );
  assert.deepEqual(client.getSnapshot().items, []);
  assert.equal(client.getSnapshot().unread, 0);
  await socket.closed;
  const second = await rig.server.dials.next("dial");
  assert(!("since" in second.query));
  second.send(rig.hello({ user: "bob", unread: 0, unseen: 0 }));
  await rig.paged([item(8, { id: "bobs" })]);
  await shows(client, { state: "live", ids: ["bobs"], user: "bob" });
  assert(!seen.includes("n7") && !seen.includes("alice"), `${seen}`);
});

story("a callback of another user shows nothing before it is known whose it is", async (rig) => {
  const { client } = await rig.live();
  /** @type {(token: string) => void} */
  let give = () => {};
  client.update({ token: () => new Promise((resolve) => (give = resolve)) });
  assert.deepEqual(
    [client.getSnapshot().items, client.getSnapshot().unread, client.getSnapshot().user],
    [[], 0, null],
  );
  await new Promise(setImmediate);
  give(rig.token("alice"));
  // The same user after all: what was there is there again, and goes on.
  await shows(client, { ids: ["n7"] });
  assert.equal((await rig.server.dials.next("dial")).query.since, "7");
});

story("the callback of a refresh may have another user", async (rig) => {
  let user = "alice";
  const client = rig.client({ token: () => rig.token(user) });
  client.connect();
  const socket = await rig.dialled({ expiresAt: new Date(rig.clock.now() + 60_000).toISOString() });
  await rig.paged();
  await shows(client, { state: "live", ids: ["n7"] });
  user = "bob";
  await rig.clock.pass(34_000);
  await socket.closed;
  await shows(client, { ids: [], user: null });
  const second = await rig.server.dials.next("dial");
  assert(!("since" in second.query));
});

story("a greeting of another user than the one that was kept starts anew", async (rig) => {
  const storage = new MemoryStorage();
  const { client } = await rig.live({ storage, user: "me" });
  client.disconnect();
  const other = rig.client({ storage, user: "me" });
  other.connect();
  const socket = await rig.dialled({ user: "bob", resumed: true });
  assert.equal(socket.query.since, "7");
  await rig.paged([item(8, { id: "bobs" })], { head: 8 });
  await shows(other, { state: "live", ids: ["bobs"], user: "bob" });
});

story("another workspace starts anew, and the former is kept", async (rig) => {
  const storage = new MemoryStorage();
  const { client } = await rig.live({ storage });
  client.update({ workspace: "other" });
  assert.deepEqual(client.getSnapshot().items, []);
  const second = await rig.dialled({ workspace: "other", epoch: "aaaa", seq: 1, head: 1, unread: 0 });
  assert.equal(second.query.workspace, "other");
  assert(!("since" in second.query));
  const request = await rig.paged([], { head: 1, unread: 0, epoch: "aaaa" });
  assert.equal(request.path, "/v1/workspaces/other/inbox");
  await shows(client, { state: "live", ids: [], unread: 0 });
  client.update({ workspace: "demo" });
  await shows(client, { ids: ["n7"], unread: 1 });
  assert.equal((await rig.server.dials.next("dial")).query.since, "7");
});

story("close forgets the user, here and in the storage", async (rig) => {
  const storage = new MemoryStorage();
  const { client, socket } = await rig.live({ storage });
  client.read("n7");
  await rig.clock.pass(1_000);
  assert(storage.kept.size > 0);
  client.close();
  assert.deepEqual(
    [client.state, client.getSnapshot().items, client.getSnapshot().unread, client.getSnapshot().user],
    ["closed", [], 0, null],
  );
  await socket.closed;
  await rig.clock.pass(60_000);
  await new Promise(setImmediate);
  assert.equal(storage.kept.size, 0);
  for (const call of [
    () => client.connect(),
    () => client.retry(),
    () => client.read("n7"),
    () => client.update({ token: rig.token() }),
  ]) {
    call();
    assert.equal(client.state, "closed");
  }
  assert.deepEqual(rig.server.dials.left, []);
});

story("close forgets a user that was never connected, too", async (rig) => {
  const storage = new MemoryStorage();
  await rig.live({ storage });
  await rig.clock.pass(1_000);
  assert(storage.kept.size > 0);
  rig.client({ storage, user: "alice", token: null }).close();
  await new Promise(setImmediate);
  assert.equal(storage.kept.size, 0);
});

story("there must be a WebSocket", async (rig) => {
  const client = rig.client({ WebSocket: undefined, environment: { WebSocket: undefined } });
  const missing = !globalThis.WebSocket;
  if (!missing) return;
  client.connect();
  await shows(client, { state: "waiting" });
  assert.deepEqual(
    rig.errors.map(({ code }) => code),
    ["no_websocket"],
  );
});

story("a name that is not ASCII and an opaque token are names and tokens too", async (rig) => {
  const user = "Ærøskøbing 🔔";
  const client = rig.client({ token: () => jwt({ sub: user, exp: 4e9 }) });
  client.connect();
  await rig.dialled({ user });
  await rig.paged();
  await shows(client, { user, state: "live", ids: ["n7"] });
  const opaque = rig.client({ token: () => "opaque" });
  opaque.connect();
  await rig.dialled();
  await rig.paged();
  await shows(opaque, { user: "alice", state: "live", ids: ["n7"] });
});

story("an opaque token may be anybody's: nothing is shown until the server says whose", async (rig) => {
  const { client } = await rig.live({ token: "opaque" });
  client.update({ token: "another" });
  assert.deepEqual([client.getSnapshot().items, client.getSnapshot().user], [[], null]);
  await rig.dialled({ user: "bob" });
  await rig.paged([item(8, { id: "bobs" })]);
  await shows(client, { state: "live", ids: ["bobs"], user: "bob" });
});

story("a user who is named comes back after a token was taken away", async (rig) => {
  const { client } = await rig.live({ user: "alice" });
  client.update({ token: null });
  assert.deepEqual([client.state, client.getSnapshot().items], ["idle", []]);
  client.update({ token: rig.token() });
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live", ids: ["n7"] });
});

/**
 * The ids and users that a client shows from now on.
 *
 * @param {Campanile} client
 */
function shownBy(client) {
  /** @type {Set<string | null>} */
  const shown = new Set();
  const look = () => {
    const { items, user } = client.getSnapshot();
    for (const one of [...items.map(({ id }) => id), user]) shown.add(one);
  };
  client.subscribe(look);
  look();
  return shown;
}

/**
 * Answers as the server of bob, and shows that the client starts anew and shows nothing of alice.
 *
 * @param {Rig} rig
 * @param {Campanile} client
 * @param {Set<string | null>} shown
 */
async function becomesBobs(rig, client, shown) {
  const socket = await rig.server.dials.next("dial");
  assert(!("since" in socket.query));
  socket.send(rig.hello({ user: "bob", unread: 0, unseen: 0 }));
  await rig.paged([item(7, { id: "bobs" })]);
  await shows(client, { state: "live", ids: ["bobs"], user: "bob" });
  assert.deepEqual([...shown].sort(), ["bob", "bobs", null]);
  return socket;
}

for (const nobody of [null, undefined])
  story(`a user who is no longer named (${nobody}) is gone, whosever the next token is`, async (rig) => {
    let user = "alice";
    const client = rig.client({ storage: new MemoryStorage(), user, token: () => rig.token(user) });
    client.connect();
    const socket = await rig.dialled();
    await rig.paged();
    await shows(client, { state: "live", ids: ["n7"] });
    user = "bob";
    client.update({ user: nobody });
    const shown = shownBy(client);
    await within(socket.closed, "close");
    await becomesBobs(rig, client, shown);
    // Nobody was named, and nobody is: nothing happens.
    client.update({ user: null });
    assert.equal(client.state, "live");
  });

story("what is still said of a user whose token was taken away holds for no other token", async (rig) => {
  const storage = new MemoryStorage();
  const { client } = await rig.live({ storage, user: "alice" });
  client.update({ token: null });
  const shown = shownBy(client);
  client.update({ token: () => rig.token("bob") });
  await becomesBobs(rig, client, shown);
});

story("a callback that gives no token any more took it away, too", async (rig) => {
  /** @type {string | null} */
  let user = "alice";
  const token = () => user && rig.token(user);
  const { client, socket } = await rig.live({ storage: new MemoryStorage(), user, token });
  user = null;
  socket.cut();
  await shows(client, { state: "waiting" });
  await rig.clock.pass(1_000);
  await shows(client, { state: "idle", ids: [] });
  const shown = shownBy(client);
  user = "bob";
  client.connect();
  await becomesBobs(rig, client, shown);
});

story("another callback is asked before anything more is shown, whoever is named", async (rig) => {
  const { client, socket } = await rig.live({ storage: new MemoryStorage(), user: "alice" });
  client.update({ token: () => rig.token("bob") });
  const shown = shownBy(client);
  await within(socket.closed, "close");
  const second = await becomesBobs(rig, client, shown);
  // The same disagreement comes back to what it had.
  second.cut();
  await shows(client, { state: "waiting", ids: ["bobs"] });
  await rig.clock.pass(1_000);
  assert.equal((await rig.dialled({ user: "bob", resumed: true })).query.since, "7");
  await shows(client, { state: "live", ids: ["bobs"], user: "bob" });
  assert.deepEqual([...shown].sort(), ["bob", "bobs", null]);
});

story(
  "a token of another user than the one that is named shows neither's, nor mixes what is kept",
  async (rig) => {
    const browser = new Browser();
    const { client: alices } = await rig.live({ browser, user: "alice" });
    await rig.clock.pass(1_000);
    const client = rig.client({ browser, user: "alice", token: rig.token("bob") });
    const shown = shownBy(client);
    client.connect();
    const socket = await becomesBobs(rig, client, shown);
    // A tab in which the same is said shares the connection, and goes on when the first one goes.
    const second = rig.client({ browser, user: "alice", token: rig.token("bob") });
    const shownSecond = shownBy(second);
    second.connect();
    await shows(second, { state: "live", ids: ["bobs"], user: "bob" });
    client.disconnect();
    await within(socket.closed, "close");
    await rig.dialled({ user: "bob", resumed: true });
    await shows(second, { state: "live", ids: ["bobs"], user: "bob" });
    await rig.clock.pass(1_000);
    assert.deepEqual([...shownSecond].sort(), ["bob", "bobs", null]);
    await shows(alices, { state: "live", ids: ["n7"], user: "alice" });
    const keys = [...browser.storage.kept].filter(([, value]) => JSON.stringify(value).includes("bobs"));
    assert(keys.length === 1 && keys.every(([key]) => key.includes("bob")), `${keys.map(([key]) => key)}`);
    assert.deepEqual(rig.server.dials.left, []);
  },
);

story("started, stopped and started at once, it connects once", async (rig) => {
  const client = rig.client({ browser: new Browser() });
  client.connect();
  client.disconnect();
  client.connect();
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live", ids: ["n7"] });
  client.connect();
  await rig.clock.pass(20_000);
  assert.deepEqual([rig.server.dials.left, rig.server.requests.left], [[], []]);
});

story("a text that is given while it connects is the one that it connects with", async (rig) => {
  const client = rig.client({ token: rig.token("alice") });
  rig.server.tickets = false;
  client.connect();
  await rig.server.requests.next("ticket", ({ path }) => path === "/v1/tickets");
  rig.server.tickets = true;
  const fresh = rig.token("alice");
  client.update({ token: fresh });
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live", user: "alice" });
  assert.equal(rig.server.tokens.at(-1), fresh);
});

story("a text that is exchanged without an answer is no reason to end", async (rig) => {
  const { client, socket } = await rig.live({ token: rig.token() });
  client.update({ token: rig.token() });
  await socket.texts.next("refresh");
  await rig.clock.pass(30_000);
  await shows(client, { state: "live", ids: ["n7"] });
  assert.deepEqual(socket.texts.left, []);
});

story("a method may be handed on without its client", async (rig) => {
  const { client, socket } = await rig.live();
  const { getSnapshot, subscribe, read } = client;
  let changes = 0;
  subscribe(() => changes++);
  read("n7");
  await socket.texts.next("read");
  assert(changes > 0);
  assert.equal(getSnapshot().unread, 0);
});

story("a stopped client leaves nothing that runs", async (rig) => {
  const { client } = await rig.live({ browser: new Browser() });
  client.disconnect();
  await new Promise(setImmediate);
  assert.equal(rig.clock.soonest, Number.POSITIVE_INFINITY);
});

story("a network that is there though the page says otherwise is found", async (rig) => {
  const page = new TestPage();
  const { client, socket } = await rig.live({ page });
  page.tell("offline");
  await socket.closed;
  await rig.clock.pass(300_000);
  await rig.dialled({ resumed: true });
  await shows(client, { state: "live" });
});

story("a page that is hidden, and a network that goes, are minded", async (rig) => {
  const page = new TestPage();
  const { client, socket } = await rig.live({ page });
  page.tell("offline");
  assert.equal(client.state, "suspended");
  await socket.closed;
  await rig.clock.pass(299_999);
  assert.equal(client.state, "suspended");
  page.tell("online");
  await rig.clock.pass(1_000);
  const second = await rig.dialled({ resumed: true });
  await shows(client, { state: "live" });
  page.tell("hidden");
  second.cut();
  await shows(client, { state: "waiting" });
  // The machine slept, and the page is looked at again.
  await rig.clock.pass(1_500);
  const third = await rig.dialled({ resumed: true });
  await shows(client, { state: "live" });
  await rig.clock.pass(34_000);
  third.cut();
  await shows(client, { state: "suspended" });
  page.tell("visible");
  await rig.clock.pass(1_000);
  await rig.dialled({ resumed: true });
  await shows(client, { state: "live" });
});

/** A client of the workspace surface whose token of a minute was just exchanged: the next socket is open. */
async function exchanged(/** @type {Rig} */ rig) {
  const client = rig.client({ surface: "workspace", token: () => rig.token("alice", 60_000) });
  client.connect();
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
