// Two documented reconnecting clients of one user: each eviction would bring the other back, for ever.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pass } from "node:timers/promises";
import { Reconnecting } from "./reconnecting.mjs";
import { Server } from "./server.mjs";
import { workspaceToken } from "./token.mjs";

test("they settle within 60 s and stay settled for 120 s", async (t) => {
  const server = await Server.start();
  t.after(() => server.end());
  const options = {
    address: (/** @type {string} */ token) => server.workspace(token),
    token: () => workspaceToken("alice"),
  };
  const clients = [new Reconnecting(options), new Reconnecting(options)];
  t.after(() => clients.map((client) => client.disconnect()));
  const start = Date.now();
  await Promise.all(clients.map((client) => client.connect()));
  await Promise.race(clients.map((client) => client.reached("gave up", 1, 60_000)));
  t.diagnostic(`settled after ${Date.now() - start} ms`);

  const [loser, winner] = /** @type {[Reconnecting, Reconnecting]} */ (
    clients.toSorted((a, b) => b.all("gave up").length - a.all("gave up").length)
  );
  assert.equal(winner.all("gave up").length, 0);
  assert.equal(winner.all("open").length, winner.all("closed").length + 1, "one is connected");
  const codes = [...winner.codes, ...loser.codes].sort();
  assert.deepEqual(codes, [1006, 1006, 1006, 1006, 1006, 4009, 4009, 4009]);
  const attempts = [winner, loser].map((client) => client.all("connecting").length);
  t.diagnostic(`attempts: ${attempts.join(" and ")}`);

  const before = await server.publish("acme", "alice");
  assert.equal((await winner.reached("notification", 1)).notification.id, before.id);
  // Here time itself is the matter: nothing may happen in it.
  const events = clients.map((client) => client.events.length);
  await pass(120_000);
  assert.deepEqual(
    clients.map((client) => client.events.length),
    events,
  );
  const after = await server.publish("acme", "alice");
  assert.equal((await winner.reached("notification", 2)).notification.id, after.id);
  assert.equal(loser.all("notification").length, 0);
});
