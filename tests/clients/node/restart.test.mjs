// The documented reconnecting client through a restart of the server, and through its tokens' ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "./client.mjs";
import { Reconnecting } from "./reconnecting.mjs";
import { Server } from "./server.mjs";
import { seconds, workspaceToken } from "./token.mjs";

test("a restart: closed 1001, connected again within 5 s, and what was acknowledged is there", async (t) => {
  const server = await Server.start();
  t.after(() => server.end());
  const address = (/** @type {string} */ token) => server.workspace(token);
  const client = new Reconnecting({ address, token: () => workspaceToken("alice") });
  t.after(() => client.disconnect());
  await client.connect();
  await client.reached("open", 1);
  const product = await Client.connect(server.productOf("alice"));
  await product.json();
  const before = await server.publish("default", "alice");
  assert.equal((await product.json()).id, before.id);

  await server.stop();
  assert.deepEqual(await product.closed(), [1001, "server shutting down"]);
  const closed = await client.reached("closed", 1);
  assert.deepEqual([closed.code, closed.reason, closed.wasClean], [1001, "server shutting down", true]);
  // Down for so long that two attempts fail: the next comes 4 s later, which is the worst within 5 s.
  await client.reached("closed", 3);
  await server.boot();
  const restarted = Date.now();
  const open = await client.reached("open", 2);
  assert(open.at - restarted < 5000, `${open.at - restarted} ms`);
  assert.deepEqual(client.codes, [1001, 1006, 1006]);
  assert.equal(client.all("connecting").length, 4);
  const live = await server.publish("acme", "alice");
  assert.equal((await client.reached("notification", 1)).notification.id, live.id);
  const back = await Client.connect(server.productOf("alice"));
  await back.json();
  assert.equal((await back.json()).id, before.id);
  await back.leave();

  // Another restart: the open has reset the delay, so the first attempt comes a second after the close, not eight.
  await server.stop();
  await server.boot();
  const bootedAgain = Date.now();
  const [again, bye] = [await client.reached("open", 3), await client.reached("closed", 4)];
  assert.equal(bye.code, 1001);
  const first = client.all("connecting")[4];
  assert(first && first.at - bye.at < 5000, `${first?.at} ${bye.at}`);
  assert(again.at - bootedAgain < 5000, `${again.at - bootedAgain} ms`);
});

test("4003 makes it come back with a fresh token, 4001 makes it stop", async (t) => {
  const server = await Server.start();
  t.after(() => server.end());
  let asked = 0;
  const token = () => {
    asked += 1;
    // The server may still be down at the third attempt.
    if (asked >= 3) return "no token at all";
    return workspaceToken("bob", asked === 1 ? { exp: seconds() + 2 } : {});
  };
  const address = (/** @type {string} */ token) => server.workspace(token);
  const client = new Reconnecting({ address, token });
  t.after(() => client.disconnect());
  await client.connect();
  const expired = await client.reached("closed", 1);
  assert.deepEqual([expired.code, expired.reason], [4003, "token expired"]);
  await client.reached("open", 2);
  const { id } = await server.publish("acme", "bob");
  assert.equal((await client.reached("notification", 1)).notification.id, id);

  await server.stop();
  await server.boot();
  await client.reached("stopped", 1);
  assert.deepEqual(client.codes.slice(-1), [4001]);
  assert.equal(asked, client.all("connecting").length);
});
