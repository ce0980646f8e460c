// The documented client counts from zero whenever a socket opens, and a refusing close comes after an open: with
// a provider that never renews, it would come back every second for ever.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Reconnecting } from "./reconnecting.mjs";
import { Server } from "./server.mjs";
import { seconds, workspaceToken } from "./token.mjs";

describe("a stale token provider does not hammer for ever", { concurrency: true }, () => {
  /** @type {Server} */
  let server;
  before(async () => {
    server = await Server.start();
  });
  after(() => server?.end());

  /** @param {string} token */
  async function outcome(token) {
    const client = new Reconnecting({ address: (token) => server.workspace(token), token: () => token });
    await client.connect();
    const end = await client.reached("gave up", 1, 90_000);
    const [start] = client.all("connecting");
    assert(start);
    return { codes: client.codes, attempts: client.all("connecting").length, took: end.at - start.at };
  }

  const refused = [...Array(5).fill(4003), ...Array(5).fill(1006)];

  test("its token is expired from the start", async (t) => {
    const { codes, attempts, took } = await outcome(workspaceToken("alice", { exp: seconds() - 60 }));
    assert.deepEqual(codes, refused);
    assert.equal(attempts, 10);
    t.diagnostic(`gave up after ${attempts} attempts and ${took} ms`);
  });

  test("its token expires while it is connected", async (t) => {
    const { codes, attempts, took } = await outcome(workspaceToken("bob", { exp: seconds() + 2 }));
    // The first close ends a connection that was good.
    assert.deepEqual(codes, [4003, ...refused]);
    assert.equal(attempts, 11);
    t.diagnostic(`gave up after ${attempts} attempts and ${took} ms`);
  });
});
