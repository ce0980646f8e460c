// A service account, as a backend uses one: token by client credentials, publish; and a browser's ticket.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client } from "./client.mjs";
import { Server } from "./server.mjs";
import { seconds, sign, workspaceToken } from "./token.mjs";

/** @type {Server} */
let server;
before(async () => {
  server = await Server.start();
});
after(() => server?.end());

/**
 * @param {string} path
 * @param {Record<string, string>} headers
 * @param {string} [body]
 * @returns {Promise<any>}
 */
async function post(path, headers, body) {
  const answer = await fetch(server.http(path), { method: "POST", headers, ...(body ? { body } : {}) });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

const json = { "content-type": "application/json" };

test("a service account's token publishes, and its ticket opens a socket", async () => {
  const admin = sign({ userId: "admin", workspaces: ["acme"], scope: "admin", exp: seconds() + 60 });
  const account = await post(
    "/v1/workspaces/acme/service-accounts",
    { ...json, authorization: `Bearer ${admin}` },
    JSON.stringify({ name: "shop", scopes: ["notifications:write"] }),
  );
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: account.clientId,
    client_secret: account.clientSecret,
  });
  const type = { "content-type": "application/x-www-form-urlencoded" };
  const { access_token: token } = await post("/oidc/token", type, form.toString());
  const bearer = { authorization: `Bearer ${token}` };

  const alice = await Client.connect(server.workspace(workspaceToken("alice")));
  const note = { to: { user: "alice" }, title: "Order shipped", message: "From a machine" };
  const { id } = await post(
    "/v1/workspaces/acme/notifications",
    { ...json, ...bearer },
    JSON.stringify(note),
  );
  const frame = await alice.json();
  assert.deepEqual([frame.id, frame.message], [id, "From a machine"]);

  const { ticket } = await post("/v1/tickets", bearer);
  const machine = await Client.connect(server.ws(`/?ticket=${ticket}&workspaceSlug=acme`));
  const sent = await server.publish("acme", account.user);
  assert.equal((await machine.json()).id, sent.id);
});
