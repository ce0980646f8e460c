// Starting, stopping, and the page around a client.

import assert from "node:assert/strict";
import { Browser, TestPage } from "./fake_browser.mjs";
import { shows } from "./rig.mjs";
import { story } from "./story.mjs";
import { turns } from "./waiting.mjs";

story("there must be a WebSocket", async (rig) => {
  const client = rig.client({ WebSocket: undefined, environment: { WebSocket: undefined } });
  const missing = !globalThis.WebSocket;
  if (!missing) return;
  client.connect();
  await shows(client, { state: "waiting" });
  assert.deepEqual(rig.codes, ["no_websocket"]);
});

story("started, stopped and started at once, it connects once", async (rig) => {
  const client = rig.connecting({ browser: new Browser() });
  client.disconnect();
  client.connect();
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live", ids: ["n7"] });
  client.connect();
  await rig.clock.pass(20_000);
  assert.deepEqual([rig.server.dials.left, rig.server.requests.left], [[], []]);
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

story("what is changed by whoever is told that it connects is connected once", async (rig) => {
  const client = rig.client();
  const token = () => rig.token();
  const stop = client.on("state", () => {
    stop();
    client.update({ token });
  });
  client.connect();
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live", ids: ["n7"] });
  await turns();
  assert.deepEqual([rig.server.dials.left, rig.asked], [[], []]);
});

story("whoever is told that it connects may end it", async (rig, browser) => {
  const client = rig.client({ browser, user: "alice" });
  client.on("state", () => client.close());
  client.connect();
  await turns();
  // Nothing but the farewell: it asked no other tab for anything.
  assert.deepEqual([client.state, browser.messages], ["closed", [1]]);
});

story("whoever is told of the greeting may stop it", async (rig) => {
  const client = rig.client();
  const stop = client.subscribe(() => {
    if (!client.getSnapshot().user) return;
    stop();
    client.disconnect();
  });
  client.connect();
  const socket = await rig.dialled();
  await socket.closed;
  assert.equal(client.state, "idle");
});

story("a client that is closed minds its page no more, whatever is called", async (rig) => {
  let minded = 0;
  const page = () => {
    minded++;
    return () => minded--;
  };
  const client = rig.connecting({ environment: { page } });
  assert.equal(minded, 1);
  client.close();
  client.connect();
  assert.equal(minded, 0);
});

story("whoever is told of what is shown may stop it before the cache is read", async (rig, browser) => {
  await rig.live({ browser });
  const second = rig.client({ browser, user: "alice" });
  let changes = 0;
  second.subscribe(() => {
    if (++changes === 2) second.disconnect();
  });
  second.connect();
  await turns();
  assert.equal(second.state, "idle");
});

story("whoever is told that a token can't be had may give another one", async (rig) => {
  const client = rig.client({ token: () => Promise.reject(new Error("the session is over")) });
  const stop = client.on("error", () => {
    stop();
    client.update({ token: () => rig.token() });
  });
  client.connect();
  // At once: no back-off is waited for.
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live", ids: ["n7"] });
});
