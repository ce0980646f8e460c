// Starting, stopping, and the page around a client.

import assert from "node:assert/strict";
import { Browser, TestPage } from "./fake_browser.mjs";
import { shows } from "./rig.mjs";
import { story } from "./story.mjs";

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
