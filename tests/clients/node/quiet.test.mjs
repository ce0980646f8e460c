// What time does to a quiet connection, with times short enough to see it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Client } from "./client.mjs";
import { Server } from "./server.mjs";
import { within } from "./waiting.mjs";

test("the server pings; an idle workspace client is closed with 4008, an idle product client is not", async (t) => {
  const server = await Server.start({
    CAMPANILE_CONNECTION__KEEPALIVE: "1s",
    CAMPANILE_SURFACES__WORKSPACE__IDLE_TIMEOUT: "3s",
  });
  t.after(() => server.end());
  const product = await Client.connect(server.productOf("alice"));
  await product.json();
  const workspace = await Client.connect(server.workspaceOf("alice"));
  const connected = Date.now();
  await within(once(workspace.socket, "ping"), "a ping");
  // `ws` answers each ping; that alone is no activity.
  assert.deepEqual(await workspace.closed(), [4008, "idle timeout"]);
  const after = Date.now() - connected;
  assert(after > 2000 && after < 6000, `${after} ms`);
  await within(once(product.socket, "ping"), "another ping");
  await product.assertQuiet();
  await product.leave();
});
