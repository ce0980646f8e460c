// Pages with the documented reconnecting client: through a restart, against each other, with a stale token.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pass } from "node:timers/promises";
import { Server } from "../node/server.mjs";
import { seconds, workspaceToken } from "../node/token.mjs";
import { launch, Tab } from "./browser.mjs";
import { Site } from "./site.mjs";

const SHUTTING_DOWN = 'close 1001 "server shutting down" clean';
const REPLACED = 'close 4009 "replaced by a newer connection" clean';
const EXPIRED = 'close 4003 "token expired" clean';
const FAILED = 'close 1006 "" unclean';

describe("pages that reconnect", { concurrency: true }, () => {
  /** @type {import("playwright-core").Browser} */
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  /**
   * A server, and pages whose tokens the provider gives.
   *
   * @param {import("node:test").TestContext} t
   * @param {() => string} token
   */
  async function stage(t, token) {
    const server = await Server.start();
    t.after(() => server.end());
    const site = await Site.start();
    t.after(() => site.end());
    site.token = token;
    return { server, page: () => Tab.open(browser, site.at(`reconnecting.html?to=${server.ws("")}`)) };
  }

  test("a restart: closed 1001, connected again within 5 s", async (t) => {
    const { server, page } = await stage(t, () => workspaceToken("alice"));
    const tab = await page();
    await tab.is("open");
    await server.stop();
    assert.equal(await tab.item("log", 2), SHUTTING_DOWN);
    // Down for so long that an attempt fails.
    await tab.item("log", 4);
    await server.boot();
    const restarted = Date.now();
    await tab.is("open");
    assert(Date.now() - restarted < 5000, `${Date.now() - restarted} ms`);
    assert.deepEqual(await tab.items("log"), [
      "connecting",
      "open",
      SHUTTING_DOWN,
      "connecting",
      FAILED,
      "connecting",
      "open",
    ]);
    await server.publish("acme", "alice", { title: "Still", message: "here" });
    assert.equal(await tab.item("notifications", 0), "Stillhereinfo");
    await tab.close();
  });

  test("two tabs of one user settle within 60 s and stay settled for 120 s", async (t) => {
    const { server, page } = await stage(t, () => workspaceToken("bob"));
    const start = Date.now();
    const tabs = await Promise.all([page(), page()]);
    const loser = await Promise.race(tabs.map((tab) => tab.is("gave up", 60_000).then(() => tab)));
    t.diagnostic(`settled after ${Date.now() - start} ms`);
    const winner = /** @type {Tab} */ (tabs.find((tab) => tab !== loser));
    const logs = () => Promise.all([loser, winner].map((tab) => tab.items("log")));
    const settled = await logs();
    const closes = settled.flat().filter((line) => line.startsWith("close"));
    assert.deepEqual(closes.sort(), [...Array(5).fill(FAILED), ...Array(3).fill(REPLACED)]);
    await server.publish("acme", "bob", { title: "Who", message: "won" });
    assert.equal(await winner.item("notifications", 0), "Whowoninfo");
    // Here time itself is the matter: nothing may happen in it.
    await pass(120_000);
    assert.deepEqual(await logs(), settled);
    await server.publish("acme", "bob", { title: "Who", message: "stayed" });
    assert.equal(await winner.item("notifications", 1), "Whostayedinfo");
    assert.deepEqual(await loser.items("notifications"), []);
    await Promise.all(tabs.map((tab) => tab.close()));
  });

  test("a page with a stale token gives up", async (t) => {
    const stale = workspaceToken("carol", { exp: seconds() - 60 });
    const { page } = await stage(t, () => stale);
    const tab = await page();
    await tab.is("gave up", 90_000);
    const log = await tab.items("log");
    assert.deepEqual(
      log.filter((line) => line.startsWith("close")),
      [...Array(5).fill(EXPIRED), ...Array(5).fill(FAILED)],
    );
    assert.equal(log.filter((line) => line === "connecting").length, 10);
    await tab.close();
  });
});
