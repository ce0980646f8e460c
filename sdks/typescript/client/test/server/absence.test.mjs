// The client against the real server: away, and back, and what it missed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Publisher } from "../../dist/esm/publisher.js";
import { MemoryStorage } from "../fake_browser.mjs";
import { shows } from "../rig.mjs";
import { Place, producerToken, skip, told } from "./place.mjs";

const place = new Place();

test("who was away is told what came, once, and finds what changed", { skip }, async () => {
  const storage = new MemoryStorage();
  const client = place.device("carol", { storage });
  await shows(client, { state: "live", loading: false });
  const kept = await place.server.publish("acme", "carol", { title: "Kept" });
  const taken = await place.server.publish("acme", "carol", { title: "Taken back" });
  await shows(client, { ids: [taken.id, kept.id] });
  client.disconnect();
  client.read(kept.id);
  await place.change("DELETE", taken.id);
  await place.change("PATCH", kept.id, { title: "Kept, anew" });
  const late = await place.server.publish("acme", "carol", { title: "Late" });
  const [heard, resyncs] = [told(client, "notification"), told(client, "resync")];
  client.connect();
  await shows(client, { state: "live", ids: [late.id, kept.id], readIds: [kept.id], unread: 1 });
  const titles = heard.map(([{ title }, { replayed }]) => [title, replayed]);
  assert.deepEqual(titles, [["Late", true]]);
  assert.deepEqual(
    client.getSnapshot().items.map(({ title }) => title),
    ["Late", "Kept, anew"],
  );
  assert.deepEqual(resyncs, []);
  // Another page of the same browser begins with what was kept, and agrees.
  client.disconnect();
  const next = place.device("carol", { storage });
  assert.deepEqual(told(next, "resync"), []);
  await shows(next, { state: "live", ids: [late.id, kept.id], readIds: [kept.id], unread: 1 });
  await place.counted("carol", 1);
});

test("the server is restarted: who was live comes back to where it was, and what was done meanwhile is done", {
  skip,
}, async () => {
  const client = place.device("frank");
  const [heard, resyncs] = [told(client, "notification"), told(client, "resync")];
  await shows(client, { state: "live", loading: false });
  const first = await place.server.publish("acme", "frank", { title: "Before" });
  await shows(client, { ids: [first.id], unread: 1 });
  /** @type {Set<string>} */
  const states = new Set();
  client.on("state", ({ state, reason }) => states.add(`${state} ${reason?.code ?? ""}`));
  await place.server.stop();
  await shows(client, { unread: 1, ids: [first.id] });
  client.read(first.id);
  await shows(client, { unread: 0, readIds: [first.id] });
  await place.server.boot();
  const second = await place.server.publish("acme", "frank", { title: "After" });
  await shows(client, { state: "live", ids: [second.id, first.id], readIds: [first.id], unread: 1 });
  await place.counted("frank", 1);
  assert.deepEqual(
    heard.map(([{ title }]) => title),
    ["Before", "After"],
  );
  assert.deepEqual(resyncs, []);
  assert(states.has("waiting 1001"), [...states].join());
});

test("who missed more than is told again reads the inbox anew", { skip }, async () => {
  const client = place.device("judy");
  await shows(client, { state: "live", loading: false });
  const old = await place.server.publish("acme", "judy", { title: "Old" });
  await shows(client, { ids: [old.id] });
  client.disconnect();
  await place.change("DELETE", old.id);
  const publisher = new Publisher({
    url: place.server.http(""),
    workspace: "acme",
    token: () => producerToken(),
  });
  const missed = [];
  for (const many of [1_000, 1_000, 500]) {
    const drafts = Array.from({ length: many }, () => ({ to: { user: "judy" }, title: "New", message: "" }));
    missed.unshift(...(await publisher.publish(drafts)).map(({ id }) => id).reverse());
  }
  const [heard, resyncs] = [told(client, "notification"), told(client, "resync")];
  client.connect();
  await shows(client, {
    state: "live",
    loading: false,
    ids: missed.slice(0, 25),
    unread: 2_500,
    hasMore: true,
  });
  assert.deepEqual(resyncs, [[{ reason: "too_many" }]]);
  // Some of them may have been told before it got too much: the oldest, each once.
  const ids = heard.map(([{ id }]) => id);
  assert.deepEqual(ids, [...missed].reverse().slice(0, ids.length));
  await client.loadMore();
  await shows(client, { ids: missed.slice(0, 50), unread: 2_500 });
  const next = await place.server.publish("acme", "judy", { title: "Next" });
  await shows(client, { ids: [next.id, ...missed.slice(0, 50)], unread: 2_501 });
  client.readAll();
  await place.counted("judy", 0);
  await shows(client, { unread: 0 });
});
