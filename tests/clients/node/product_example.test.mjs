// The product surface from JavaScript without our SDK: the example, as it is run and as its README shows it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { WebSocket } from "ws";
import { BINARY, Server } from "./server.mjs";
import { productToken, seconds } from "./token.mjs";
import { until, within } from "./waiting.mjs";

const EXAMPLE = fileURLToPath(new URL("../../../examples/product-js", import.meta.url));
const { Notifications } = await import(`${EXAMPLE}/client.mjs`);

/** @type {Server} */
let server;
before(async () => {
  server = await Server.start();
});
after(() => server?.end());

test("`make` prints what the README shows, to the letter", async () => {
  const options = { env: { ...process.env, CAMPANILE_BIN: BINARY }, timeout: 120_000 };
  const { stdout } = await promisify(execFile)("make", ["--silent", "-C", EXAMPLE], options);
  const blocks = (await readFile(`${EXAMPLE}/README.md`, "utf8")).split("```\n");
  const shown = blocks.filter((block) => block.includes("is told:"));
  assert.deepEqual([stdout.replace(/^make: .*\n/gm, "")], shown);
});

test("a refused token stops it, with the reason", async () => {
  /** @type {string} */
  const reason = await within(
    new Promise((resolve) => {
      new Notifications({
        url: server.ws(""),
        token: () => "garbage",
        WebSocket,
        onnotification: () => {},
        onrefused: resolve,
      }).connect();
    }),
    "the reason",
  );
  assert.equal(reason, "Access token invalid");
});

test("an expired token brings it back with another one; a handler that throws loses nothing", async (t) => {
  t.mock.method(console, "error", () => {});
  let asked = 0;
  /** @type {string[]} */
  const told = [];
  const notifications = new Notifications({
    url: server.ws(""),
    token: () => {
      asked += 1;
      return productToken("alice", asked === 1 ? { exp: seconds() - 1 } : {});
    },
    WebSocket,
    onnotification(/** @type {{id: string, message: string}} */ { id, message }) {
      told.push(message);
      if (message === "bad") throw new Error("the page's own mistake");
      notifications.markRead(id);
    },
    onrefused: assert.fail,
  });
  t.after(() => notifications.close());
  await server.publish("default", "alice", { message: "bad" });
  const { id } = await server.publish("default", "alice", { message: "good" });
  await notifications.connect();
  const isRead = async () => (await server.list("alice")).find((entry) => entry.id === id)?.isRead === true;
  await until(isRead, "the good one is read");
  assert.deepEqual([asked, notifications.user, told], [2, "alice", ["bad", "good"]]);
  assert.deepEqual(
    (await server.list("alice")).map((entry) => entry.isRead),
    [true, false],
  );
});

test("it says PING every 25 s, and without a pong in 10 s it comes back", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  /** @type {Silent[]} */
  const sockets = [];
  /** A connection that is open, and on which nothing is said. */
  class Silent {
    readyState = 1;
    /** @type {string[]} */
    sent = [];
    onopen = () => {};
    onmessage = (/** @type {{data: string}} */ _message) => {};
    onclose = (/** @type {{code: number, reason: string}} */ _close) => {};
    constructor() {
      sockets.push(this);
    }
    send(/** @type {string} */ text) {
      this.sent.push(text);
    }
    close() {
      this.readyState = 2;
    }
  }
  const notifications = new Notifications({
    url: "wss://notify.example.com",
    token: () => "a token",
    WebSocket: Silent,
    onnotification: assert.fail,
    onrefused: assert.fail,
  });
  await notifications.connect();
  const [first] = sockets;
  assert(first);
  first.onopen();
  t.mock.timers.tick(24_999);
  assert.deepEqual(first.sent, []);
  t.mock.timers.tick(1);
  assert.deepEqual(first.sent, ["PING"]);
  t.mock.timers.tick(9_999);
  first.onmessage({ data: '{"type":"pong"}' });
  t.mock.timers.tick(25_000);
  assert.deepEqual([first.sent, first.readyState], [["PING", "PING"], 1]);
  t.mock.timers.tick(10_000);
  assert.equal(first.readyState, 2);
  // Back within 500 ms and a second by chance; its late close changes nothing.
  t.mock.timers.tick(1_500);
  await Promise.resolve();
  assert.equal(sockets.length, 2);
  first.onclose({ code: 1006, reason: "" });
  t.mock.timers.tick(60_000);
  await Promise.resolve();
  assert.equal(sockets.length, 2);
  notifications.close();
  assert.equal(sockets[1]?.readyState, 2);
});
