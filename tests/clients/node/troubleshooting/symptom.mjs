// What the causes of docs/troubleshooting.md have in common: two servers, and looking at how a connection is refused.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client, Refused } from "../client.mjs";
import { Server } from "../server.mjs";
import { seconds, sign } from "../token.mjs";
import { until } from "../waiting.mjs";

export const UNAUTHORIZED = [4001, "unauthorized"];
const SCOPES = "admin events:write notifications:write";

/** @type {Map<string, string[]>} What is tested, below the heading that it stands under. */
export const tested = new Map();

/** Both servers, while the tests run. */
export const servers = {
  /** @type {Server} As it is, with one workspace that is in real time only. */
  plain: /** @type {any} */ (undefined),
  /** @type {Server} One whose times are short, for pages of one origin only. It logs each close. */
  impatient: /** @type {any} */ (undefined),
};
before(async () => {
  servers.plain = await Server.start({ CAMPANILE_WORKSPACES__LIVE_ONLY__MODE: "realtime" });
  servers.impatient = await Server.start({
    CAMPANILE_SERVER__ALLOWED_ORIGINS: '["https://app.example.com"]',
    CAMPANILE_LOG__LEVEL: "debug",
    CAMPANILE_CONNECTION__KEEPALIVE: "1s",
    CAMPANILE_CONNECTION__STALL_TIMEOUT: "1s",
    CAMPANILE_CONNECTION__OUTBOX_BYTES: "131072",
    CAMPANILE_SURFACES__WORKSPACE__IDLE_TIMEOUT: "2s",
  });
});
after(async () => {
  await servers.plain?.end();
  await servers.impatient?.end();
});

/**
 * The causes below one heading of the document.
 *
 * @param {string} heading
 * @param {Record<string, import("node:test").TestFn>} causes
 */
export function symptom(heading, causes) {
  tested.set(heading, Object.keys(causes));
  describe(heading, () => {
    for (const [cause, fn] of Object.entries(causes)) test(cause, fn);
  });
}

/**
 * How the server ends a connection that it has just upgraded.
 *
 * @param {string} address
 */
export async function close(address) {
  return (await Client.connect(address)).closed();
}

/**
 * Opens, and is served.
 *
 * @param {string} address
 * @param {import("ws").ClientOptions} [options]
 */
export async function opens(address, options) {
  const client = await Client.connect(address, options);
  client.send("PING");
  while ((await client.json()).type !== "pong");
  await client.leave();
}

/**
 * How the upgrade was refused.
 *
 * @param {string} address
 * @param {import("ws").ClientOptions} [options]
 * @returns {Promise<Refused>}
 */
export async function refusal(address, options) {
  const refused = await Client.connect(address, options).catch((error) => error);
  assert(refused instanceof Refused, String(refused));
  return refused;
}

/**
 * The API's answer to the back end.
 *
 * @param {string} method
 * @param {string} path below the workspace `acme`
 * @param {unknown} [body]
 * @param {string} [scope]
 */
export async function call(method, path, body, scope = SCOPES) {
  const claims = { userId: "backend", workspaces: ["acme", "live-only"], scope, exp: seconds() + 60 };
  const answer = await fetch(
    servers.plain.http(path.startsWith("/v1") ? path : `/v1/workspaces/acme${path}`),
    {
      method,
      headers: { authorization: `Bearer ${sign(claims)}`, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    },
  );
  const text = await answer.text();
  return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) };
}

/**
 * Waits until the server has logged a connection refused for that cause.
 *
 * @param {string} cause
 * @param {Server} server
 */
export async function logged(cause, server = servers.plain) {
  await until(async () => server.log.includes(`"cause":"${cause}"`), `the log says ${cause}`);
}
