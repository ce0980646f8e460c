// Whose the list is: other users, other workspaces, and tokens that say something else than the page does.

import assert from "node:assert/strict";
import { Browser, MemoryStorage } from "./fake_browser.mjs";
import { item, shows } from "./rig.mjs";
import { story } from "./story.mjs";
import { within } from "./waiting.mjs";

/** @typedef {import("../dist/esm/index.js").Campanile} Campanile */
/** @typedef {import("./rig.mjs").Rig} Rig */

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

story("a name may have letters of any script", async (rig) => {
  const named = { storage: new MemoryStorage(), user: "Ζωή", token: rig.token("Ζωή") };
  const first = rig.connecting(named);
  await rig.dialled({ user: "Ζωή" });
  await rig.paged();
  await shows(first, { state: "live", ids: ["n7"], user: "Ζωή" });
  first.disconnect();
  // What was kept is shown before the server says whose it is: the token and the page say the same.
  await shows(rig.connecting(named), { state: "connecting", ids: ["n7"], user: "Ζωή" });
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
  // Whose it would be is not known.
  client.readAll();
  give(rig.token("alice"));
  // The same user after all: what was there is there again, and goes on.
  await shows(client, { ids: ["n7"], unread: 1 });
  assert.equal((await rig.server.dials.next("dial")).query.since, "7");
});

story("the callback of a refresh may have another user", async (rig) => {
  let user = "alice";
  const client = rig.connecting({ token: () => rig.token(user) });
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
  const other = rig.connecting({ storage, user: "me" });
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

story("an opaque token may be anybody's: nothing is shown until the server says whose", async (rig) => {
  const { client } = await rig.live({ token: "opaque" });
  client.update({ token: "another" });
  assert.deepEqual([client.getSnapshot().items, client.getSnapshot().user], [[], null]);
  await rig.dialled({ user: "bob" });
  await rig.paged([item(8, { id: "bobs" })]);
  await shows(client, { state: "live", ids: ["bobs"], user: "bob" });
});

for (const surface of /** @type {const} */ (["workspace", "product"]))
  for (const latter of ["opaque-b", () => "opaque-b"])
    story(
      `where the ${surface} surface does not say whose it is, another token (a ${typeof latter}) starts anew`,
      async (rig) => {
        const client = rig.connecting({ surface, token: "opaque-a" });
        const alive = async () => {
          const socket = await rig.server.dials.next("dial");
          if (surface === "product") socket.send({ type: "CONNECTION_ESTABLISHED" });
          await shows(client, { state: "live" });
          return socket;
        };
        const socket = await alive();
        socket.send({ id: "secret", title: "Secret", message: "Hello.", type: "info" });
        await shows(client, { ids: ["secret"] });
        socket.cut();
        await shows(client, { state: "waiting" });
        client.read("secret");
        const shown = shownBy(client);
        shown.clear();
        client.update({ token: latter });
        const other = await alive();
        other.send({ id: "bobs", title: "For Bob", message: "Hello.", type: "info" });
        await shows(client, { ids: ["bobs"], unread: 1 });
        assert.deepEqual(shown, new Set([null, "bobs"]));
        // Whatever was sent before came before.
        client.read("bobs");
        assert.equal(JSON.parse(await other.texts.next("text")).id, "bobs");
      },
    );

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
    const client = rig.connecting({ storage: new MemoryStorage(), user, token: () => rig.token(user) });
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
