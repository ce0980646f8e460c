// What handlers are told, and how often.

import assert from "node:assert/strict";
import { heartbeat, item, notification, shows } from "./rig.mjs";
import { story } from "./story.mjs";

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
  const second = await rig.resumed(client, socket, { head: 9, unread: 2 });
  second.send(notification(9));
  second.send(notification(10));
  await shows(client, { ids: ["n10", "n9", "n7"], unread: 3 });
  assert.deepEqual(told, ["n9 true", "n10 false"]);
});

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
  const next = await rig.resumed(client, socket, { seq: 0, head: 2, rev: 0, unread: 2, unseen: 2 });
  assert.deepEqual([next.query.epoch, next.query.since], [undefined, "0"]);
  for (const seq of [1, 2]) next.send(notification(seq));
  next.send(heartbeat(2, { rev: 0, unread: 2, unseen: 2 }));
  await shows(client, { ids: ["n2", "n1"], unread: 2, position: { epoch: "9f3c", seq: 2, rev: 0 } });
  assert.deepEqual(told, ["n1", "n2"]);
});

story("what is JSON and no frame is passed over", async (rig) => {
  const { client, socket } = await rig.live();
  for (const text of ["5", '"heartbeat"', "null", "[]", "true", "no JSON"]) socket.send(text);
  socket.send(notification(9));
  await shows(client, { ids: ["n9", "n7"], state: "live" });
});
