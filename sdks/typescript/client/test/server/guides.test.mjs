// docs/guides/tokens.md and best-practices.md do what they say: each `js` block is a module of the name beside it, and each
// line of `sh` a command. All of them are run, against the real server.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { WebSocket } from "ws";
import { Client } from "../../../../../tests/clients/node/client.mjs";
import { BINARY, Server } from "../../../../../tests/clients/node/server.mjs";
import { SECRET, workspaceToken } from "../../../../../tests/clients/node/token.mjs";
import { until as eventually } from "../../../../../tests/clients/node/waiting.mjs";
import { producerToken, skip } from "./place.mjs";

/** The packages, as they were built. */
const PACKAGES = {
  '"@campanile/client/publisher"': `"${new URL("../../dist/esm/publisher.js", import.meta.url)}"`,
  '"@campanile/client"': `"${new URL("../../dist/esm/index.js", import.meta.url)}"`,
};

/**
 * @param {() => boolean | Promise<boolean>} isSo
 * @param {string} what
 */
const until = (isSo, what) => eventually(async () => isSo(), what);

/** A guide's modules and commands, in a directory of their own. */
class Guide {
  /** @type {Map<string, string>} Modules that were not run yet. */
  #left = new Map();
  /** @type {string[]} */
  #commands = [];
  #directory = "";

  /**
   * @param {import("node:test").TestContext} t
   * @param {string} name
   */
  static async open(t, name) {
    const guide = new Guide();
    guide.#directory = await mkdtemp(join(tmpdir(), "campanile-guide-"));
    t.after(() => rm(guide.#directory, { recursive: true }));
    const text = await readFile(new URL(`../../../../../docs/guides/${name}`, import.meta.url), "utf8");
    for (const [, kind = "", block = ""] of text.matchAll(/^```(.+)\n([\s\S]*?)^```$/gm)) {
      const [, file] = /^js (\w+\.mjs)$/.exec(kind) ?? [];
      if (file) guide.#left.set(file, block);
      else if (kind === "sh") guide.#commands.push(...block.trim().split("\n"));
      else assert.fail(`a block that nothing runs: ${kind}`);
    }
    return guide;
  }

  /**
   * Runs a module.
   *
   * @param {string} file
   * @param {Record<string, string>} addresses those that the guide names, and what they are here
   * @returns {Promise<any>} its exports
   */
  async module(file, addresses = {}) {
    let said = this.#left.get(file) ?? assert.fail(file);
    this.#left.delete(file);
    for (const [from, to] of Object.entries({ ...PACKAGES, ...addresses })) said = said.replaceAll(from, to);
    await writeFile(join(this.#directory, file), said);
    return import(pathToFileURL(join(this.#directory, file)).href);
  }

  /**
   * Runs the next command. What it prints is kept as `keep`, if there is a name.
   *
   * @param {string} [keep]
   */
  async command(keep) {
    const [program, ...words] = this.#commands.shift()?.split(" ") ?? [];
    assert.equal(program, "campanile");
    const env = { ...process.env, CAMPANILE_SECRET: SECRET };
    const { stdout } = await promisify(execFile)(BINARY, words, { cwd: this.#directory, env });
    if (keep) await writeFile(join(this.#directory, keep), stdout);
    return stdout;
  }

  /** Nothing is left that was not run. */
  assertDone() {
    assert.deepEqual([[...this.#left.keys()], this.#commands], [[], []]);
  }
}

/**
 * A server, and a platform that has what a browser has.
 *
 * @param {import("node:test").TestContext} t
 */
async function started(t) {
  const { WebSocket: former } = globalThis;
  Object.assign(globalThis, { WebSocket });
  t.after(() => void Object.assign(globalThis, { WebSocket: former }));
  const server = await Server.start();
  t.after(() => server.end());
  return server;
}

test("tokens.md", { skip }, async (t) => {
  const server = await started(t);
  const said = t.mock.method(console, "log", () => {});
  process.env.CAMPANILE_SECRET = SECRET;
  t.after(() => void delete process.env.CAMPANILE_SECRET);

  /** @type {string | undefined} */
  let user = "alice";
  const guide = await Guide.open(t, "tokens.md");
  const { notificationToken } = await guide.module("token.mjs");
  const { backend } = await guide.module("backend.mjs");
  const site = backend(() => user).listen(0, "127.0.0.1");
  await once(site, "listening");
  t.after(() => site.close());
  const address = `http://127.0.0.1:${site.address().port}`;
  assert.equal((await fetch(`${address}/elsewhere`)).status, 401);

  const { client } = await guide.module("page.mjs", {
    "https://notify.example.com": server.http(""),
    "https://app.example.com": address,
  });
  t.after(() => client.close());
  await until(() => client.getSnapshot().state === "live", "the page is live");
  assert.equal(client.getSnapshot().user, "alice");
  await server.stop();
  await server.boot();
  const asked = () => said.mock.calls.map(({ arguments: [line] }) => String(line).split(": ")[1]);
  await until(() => asked().length > 1 && client.getSnapshot().state === "live", "it is live again");
  assert.deepEqual([asked()[0], [...new Set(asked().slice(1))]], ["initial", ["reconnect"]]);
  user = undefined;
  await server.stop();
  await server.boot();
  await until(() => client.getSnapshot().state === "idle", "nobody is signed in");

  const { addressWithTicket } = await guide.module("ticket.mjs");
  const token = notificationToken("alice", "acme", SECRET);
  const single = await addressWithTicket(server.http(""), token, "acme");
  assert(!single.includes(token));
  const socket = await Client.connect(single);
  const { id } = await server.publish("acme", "alice");
  assert.equal((await socket.json()).id, id);
  await socket.leave();
  assert.equal((await (await Client.connect(single)).closed())[0], 4001);

  const printed = (await guide.command("token.txt")).trim();
  assert.match(printed, /^eyJ/);
  const verdict = await guide.command();
  assert(verdict.includes("alice") && !verdict.includes(printed));
  guide.assertDone();
});

test("best-practices.md", { skip }, async (t) => {
  const server = await started(t);
  t.mock.method(console, "warn", () => {});
  const guide = await Guide.open(t, "best-practices.md");
  const { signIn } = await guide.module("page.mjs", { "https://notify.example.com": server.http("") });
  const { connectionLine } = await guide.module("line.mjs");
  const { client, signOut } = signIn(() => workspaceToken("alice"));
  t.after(signOut);
  const state = () => client.getSnapshot().state;
  await until(() => state() === "live", "the page is live");
  assert.equal(connectionLine(client.getSnapshot()), "");

  const { tellOfOrder } = await guide.module("publish.mjs");
  const { id } = await tellOfOrder(server.http(""), producerToken(), "alice", "4711");
  await until(() => client.getSnapshot().unread === 1, "it is told");
  const [item] = client.getSnapshot().items;
  assert.deepEqual([item.id, item.type, item.metadata], [id, "order_shipped", { order: "4711" }]);

  const { putAway } = await guide.module("offline.mjs");
  await server.stop();
  await until(() => state() === "waiting", "the connection is gone");
  const soon = client.getSnapshot();
  assert.equal(connectionLine({ ...soon, retryAt: Date.now() + 60_000 }), "Not live. Trying again soon.");
  assert.match(connectionLine({ ...soon, state: "suspended" }), /^Offline/);
  assert.equal(putAway(client, id), 0);
  await server.boot();
  await until(async () => (await server.inbox("alice")).unread === 0, "the server has it too");

  const stranger = signIn(() => "garbage");
  t.after(stranger.signOut);
  await until(() => stranger.client.getSnapshot().state === "refused", "it is refused");
  assert.match(connectionLine(stranger.client.getSnapshot()), /^Not connected \(401\)/);
  signOut();
  assert.deepEqual([state(), client.getSnapshot().items], ["closed", []]);
  guide.assertDone();
});
