// wss through Node's `ws`, with a certificate of a test authority that is renewed meanwhile.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Certificates } from "./certificates.mjs";
import { Client } from "./client.mjs";
import { Server } from "./server.mjs";
import { workspaceToken } from "./token.mjs";
import { until } from "./waiting.mjs";

const PUBLISH = "/v1/workspaces/acme/notifications";

/** @type {Certificates} */
let certificates;
/** @type {Server} */
let server;
before(async () => {
  certificates = await Certificates.make();
  server = await Server.start(certificates.environment);
});
after(async () => {
  await server?.end();
  await certificates?.remove();
});

/** @param {string} user */
const connected = (user) => Client.connect(server.workspaceOf(user), { ca: certificates.ca });

/** The certificate that a new connection is shown. */
async function shown() {
  const client = await connected("looker");
  const socket = /** @type {{_socket: import("node:tls").TLSSocket}} */ (
    /** @type {unknown} */ (client.socket)
  );
  const certificate = socket._socket.getPeerX509Certificate();
  await client.leave();
  return certificate?.serialNumber;
}

test("notifications, PING and refusals within TLS", async () => {
  const client = await connected("alice");
  const id = await certificates.publish(server.http(PUBLISH), "within");
  assert.equal((await client.json()).id, id);
  await client.assertQuiet();
  await client.leave();
  const refused = await Client.connect(server.workspace(`${workspaceToken("alice")}x`), {
    ca: certificates.ca,
  });
  assert.deepEqual(await refused.closed(), [4001, "unauthorized"]);
});

test("who does not trust the authority does not connect", async () => {
  await assert.rejects(Client.connect(server.workspaceOf("bob")), {
    code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  });
});

test("a certificate is renewed while clients receive: nobody loses a frame", async () => {
  const count = 200;
  const clients = await Promise.all(Array.from({ length: 20 }, (_, n) => connected(`steady ${n}`)));
  for (let n = 0; n < count; n += 1) {
    if (n === 60) {
      await certificates.renew();
      server.reload();
    }
    // Noticed without a signal, too.
    if (n === 120) await certificates.renew();
    await certificates.publish(server.http(PUBLISH), String(n));
  }
  const { serialNumber } = await certificates.current();
  await until(async () => (await shown()) === serialNumber, "new connections see the new certificate");
  for (const client of clients) {
    for (let n = 0; n < count; n += 1) assert.equal((await client.json()).title, String(n));
    await client.assertQuiet();
    await client.leave();
  }
});
