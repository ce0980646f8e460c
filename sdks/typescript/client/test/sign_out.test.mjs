// Signing out: nothing of a user is left, in no tab and no storage, wherever it was said.

import assert from "node:assert/strict";
import { MemoryStorage } from "./fake_browser.mjs";
import { item, page, shows } from "./rig.mjs";
import { story } from "./story.mjs";
import { eventually, turns } from "./waiting.mjs";

/** @typedef {import("./rig.mjs").Rig} Rig */

/**
 * Nothing is kept any more, and nothing is written later.
 *
 * @param {Rig} rig
 * @param {{storage: MemoryStorage}} browser
 */
async function nothingIsKept(rig, { storage }) {
  await rig.clock.pass(60_000);
  await new Promise(setImmediate);
  assert.deepEqual([...storage.kept.keys()], []);
}

const GONE = { state: /** @type {const} */ ("closed"), ids: [], unread: 0, user: null, position: null };

story("signing out in one tab signs out in all, and leaves nothing", async (rig, browser) => {
  const { client: first, socket } = await rig.live({ browser });
  const second = rig.connecting({ browser });
  await shows(second, { state: "live", ids: ["n7"] });
  await rig.clock.pass(1_000);
  assert(browser.storage.kept.size > 0);
  second.close();
  assert.deepEqual([second.state, second.getSnapshot().items], ["closed", []]);
  await shows(first, { state: "closed", ids: [], unread: 0, user: null });
  await socket.closed;
  await nothingIsKept(rig, browser);
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

story("a tab that is disconnected signs out the others", async (rig, browser) => {
  const { client: first, socket } = await rig.live({ browser });
  const second = rig.connecting({ browser });
  await shows(second, { state: "live", ids: ["n7"] });
  await rig.clock.pass(1_000);
  second.disconnect();
  second.close();
  for (const tab of [first, second]) await shows(tab, GONE);
  await socket.closed;
  await nothingIsKept(rig, browser);
});

story("a page that never connected signs out the others", async (rig, browser) => {
  for (const who of [{ user: "alice", token: null }, { token: rig.token() }]) {
    const { client, socket } = await rig.live({ browser });
    await rig.clock.pass(1_000);
    assert(browser.storage.kept.size > 0);
    rig.client({ browser, workspace: null, ...who }).close();
    await shows(client, GONE);
    await socket.closed;
    await nothingIsKept(rig, browser);
  }
});

story("a tab that is disconnected is signed out by another one", async (rig, browser) => {
  const { client: first } = await rig.live({ browser });
  first.disconnect();
  await shows(first, { state: "idle", ids: ["n7"] });
  const second = rig.connecting({ browser });
  await rig.dialled({ resumed: true });
  await shows(second, { state: "live", ids: ["n7"] });
  second.close();
  await shows(first, GONE);
  first.connect();
  assert.equal(first.state, "closed");
  await nothingIsKept(rig, browser);
});

story("the workspaces that a client was in before are forgotten, too", async (rig, browser) => {
  const { client } = await rig.live({ browser });
  client.archive("n7");
  client.update({ workspace: "other" });
  await rig.dialled({ workspace: "other", epoch: "aaaa", seq: 1, head: 1, unread: 0 });
  await rig.paged([], { head: 1, unread: 0, epoch: "aaaa" });
  await shows(client, { state: "live", ids: [] });
  await rig.clock.pass(1_000);
  const of = (/** @type {string} */ place) =>
    [...browser.storage.kept.keys()].filter((key) => key.includes(` ${place} `)).length;
  assert.deepEqual([of("demo"), of("other")], [2, 2]);
  client.close();
  await shows(client, GONE);
  await nothingIsKept(rig, browser);
});

story("tabs of all workspaces and surfaces are signed out", async (rig, browser) => {
  const { client: first } = await rig.live({ browser });
  const second = rig.connecting({ browser, workspace: "other", shareTabs: false });
  await rig.dialled({ workspace: "other" });
  await rig.paged([item(3)]);
  await shows(second, { state: "live", ids: ["n3"] });
  const third = rig.connecting({ browser, surface: "workspace" });
  await rig.server.dials.next("dial");
  await shows(third, { state: "live" });
  await rig.clock.pass(1_000);
  first.close();
  for (const tab of [first, second, third]) await shows(tab, GONE);
  await nothingIsKept(rig, browser);
});

story("who has no token any more can still be signed out", async (rig, browser) => {
  let signedIn = true;
  const token = () => (signedIn ? rig.token() : null);
  const { client: first, socket } = await rig.live({ browser, token });
  const { client: second } = await rig.live({ browser, shareTabs: false });
  await rig.clock.pass(1_000);
  signedIn = false;
  socket.cut();
  await shows(first, { state: "waiting" });
  await rig.clock.pass(1_500);
  await shows(first, { state: "idle", ids: [] });
  assert(browser.storage.kept.size > 0);
  first.close();
  for (const tab of [first, second]) await shows(tab, GONE);
  await nothingIsKept(rig, browser);
});

story("without a token any more, it is signed out by another one", async (rig, browser) => {
  const { client: first } = await rig.live({ browser });
  const { client: second } = await rig.live({ browser, shareTabs: false });
  first.update({ token: null });
  await shows(first, { state: "idle", ids: [] });
  second.close();
  await shows(first, GONE);
  await nothingIsKept(rig, browser);
});

story("who an opaque token is of, the server says", async (rig, browser) => {
  const { client: first } = await rig.live({ browser, token: () => "opaque-1" });
  const { client: second } = await rig.live({ browser, token: () => "opaque-2" });
  const { client: third } = await rig.live({ browser });
  await rig.clock.pass(1_000);
  first.close();
  for (const tab of [first, second, third]) await shows(tab, GONE);
  await nothingIsKept(rig, browser);
});

story("only the one who signs out is forgotten", async (rig, browser) => {
  const whose = () => new Set([...browser.storage.kept.keys()].map((key) => key.match(/"(alice|bob)"/)?.[1]));
  const { client: alice } = await rig.live({ browser });
  const bob = rig.connecting({ browser, token: () => rig.token("bob") });
  await rig.dialled({ user: "bob", unread: 0 });
  await rig.paged([item(3)]);
  await shows(bob, { state: "live", ids: ["n3"] });
  await rig.clock.pass(1_000);
  alice.close();
  await shows(alice, GONE);
  await rig.clock.pass(1_000);
  await shows(bob, { state: "live", ids: ["n3"] });
  assert.deepEqual(whose(), new Set(["bob"]));
  // A client that went over to another user signs that one out.
  const moved = rig.connecting({ browser, token: rig.token("alice") });
  await rig.dialled();
  await rig.paged();
  await shows(moved, { state: "live", ids: ["n7"] });
  moved.disconnect();
  moved.update({ token: rig.token("bob") });
  rig.client({ browser, user: "alice" }).close();
  await rig.clock.pass(1_000);
  assert.deepEqual([moved.state, whose()], ["idle", new Set(["bob"])]);
  moved.close();
  for (const tab of [moved, bob]) await shows(tab, GONE);
  await nothingIsKept(rig, browser);
});

story(
  "who is named in another way than the token says is signed out as who was shown",
  async (rig, browser) => {
    let signedIn = true;
    const token = () => (signedIn ? rig.token() : null);
    const { client, socket } = await rig.live({ browser, user: "somebody", token });
    await rig.clock.pass(1_000);
    assert(browser.storage.kept.size > 0);
    client.update({ workspace: "other" });
    await socket.closed;
    const next = await rig.dialled({ workspace: "other" });
    await rig.paged();
    await shows(client, { state: "live", ids: ["n7"] });
    signedIn = false;
    next.cut();
    await shows(client, { state: "waiting" });
    await rig.clock.pass(1_500);
    await shows(client, { state: "idle", ids: [] });
    client.close();
    await nothingIsKept(rig, browser);
  },
);

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
  await nothingIsKept(rig, { storage });
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

story("a page that comes after the user was let go of is not kept", async (rig, browser) => {
  const { client } = await rig.live({ browser }, { older: 7 });
  void client.loadMore();
  const { answer } = await rig.server.requests.next("page", ({ path }) => path.endsWith("/inbox"));
  client.update({ token: undefined });
  client.close();
  answer(200, page([item(6)], { unread: 2 }));
  await eventually(() => browser.storage.kept.size === 0, "erased");
  await rig.clock.pass(3_000);
  await turns();
  assert.deepEqual([...browser.storage.kept.keys()], []);
});
