// A bell's connection to the real server: restarts, ends of tokens, sleep, networks that go, tabs, users.

import assert from "node:assert/strict";
import { test } from "node:test";
import { seconds, workspaceToken } from "../../../../../tests/clients/node/token.mjs";
import { becomes } from "../browser.mjs";
import { badge, connected, open, signIn } from "./tabs.mjs";

/** @typedef {import("playwright-core").Page} Page */

const at = connected();
const STATE = 'document.querySelector("campanile-bell").client?.getSnapshot().state';
const TITLES =
  'document.querySelector("campanile-bell").client.getSnapshot().items.map(({ title }) => title)';

/** @param {Page} page @param {string} text */
const status = (page, text) =>
  page.locator(".status").getByRole("status").getByText(text, { exact: true }).waitFor();

test("a restart of the server: says so, comes back, and has what came meanwhile", () =>
  at.within(async (context) => {
    const page = await at.tab(context, "restart");
    await at.server.publish("acme", "restart", { title: "Before" });
    await badge(page).getByText("1").waitFor();
    await open(page);
    await status(page, "Live");
    await at.server.stop();
    await status(page, "Reconnecting…");
    await at.server.boot();
    await at.server.publish("acme", "restart", { title: "Meanwhile" });
    await status(page, "Live");
    await page.locator("article", { hasText: "Meanwhile" }).waitFor();
    await becomes(page, TITLES, ["Meanwhile", "Before"]);
    await becomes(page, 'document.querySelector("campanile-bell").client.getSnapshot().unread', 2);
  }));

test("a token that ends during use is exchanged, and nothing is missed or told twice", () =>
  at.within(async (context) => {
    const page = await context.newPage();
    const exp = seconds() + 4;
    let asked = 0;
    await page.route("**/token?user=expiry", (route) =>
      route.fulfill({ body: workspaceToken("expiry", asked++ === 0 ? { exp } : {}) }),
    );
    await page.goto(at.site.origin);
    await signIn(page, at.server.http(""), "expiry");
    await at.server.publish("acme", "expiry", { title: "With the first" });
    await becomes(page, TITLES, ["With the first"]);
    // Beyond the end of the first token: by the server's clock, so by the answer of a request with it.
    const first = workspaceToken("expiry", { exp });
    for (;;) {
      const headers = { authorization: `Bearer ${first}` };
      const { status } = await fetch(at.server.http("/v1/workspaces/acme/inbox"), { headers });
      if (status === 401) break;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await at.server.publish("acme", "expiry", { title: "With the second" });
    await becomes(page, TITLES, ["With the second", "With the first"]);
    await becomes(page, STATE, "live");
    assert(asked >= 2, `a token was asked for ${asked} times`);
  }));

test("without a network it is offline; with one it is live, and has what came meanwhile", () =>
  at.within(async (context) => {
    const page = await at.tab(context, "offline");
    await open(page);
    await context.setOffline(true);
    await status(page, "Offline");
    await at.server.publish("acme", "offline", { title: "Meanwhile" });
    await context.setOffline(false);
    await status(page, "Live");
    await becomes(page, TITLES, ["Meanwhile"]);
  }));

test("what is done offline is shown at once, and done on the server later", () =>
  at.within(async (context) => {
    await at.server.publish("acme", "queue", { title: "One" });
    const page = await at.tab(context, "queue");
    await open(page);
    await context.setOffline(true);
    await status(page, "Offline");
    await page.locator("article").hover();
    await page.getByRole("button", { name: "Mark as read", exact: true }).click();
    await badge(page).waitFor({ state: "hidden" });
    assert.equal((await at.server.inbox("queue")).unread, 1);
    await context.setOffline(false);
    await status(page, "Live");
    const end = Date.now() + 20_000;
    while ((await at.server.inbox("queue")).unread !== 0) {
      assert(Date.now() < end, "the server was told");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }));

test("a laptop that sleeps while the server restarts wakes up, and has what came meanwhile", () =>
  at.within(async (context) => {
    const page = await at.tab(context, "sleeper");
    const session = await context.newCDPSession(page);
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    await at.server.stop();
    await at.server.boot();
    await at.server.publish("acme", "sleeper", { title: "While asleep" });
    await session.send("Page.setWebLifecycleState", { state: "active" });
    await becomes(page, TITLES, ["While asleep"]);
    await becomes(page, STATE, "live");
    await badge(page).getByText("1").waitFor();
  }));

test("two tabs share one socket, and the second goes on when the first is closed", () =>
  at.within(async (context) => {
    let sockets = 0;
    context.on("page", (page) => page.on("websocket", () => sockets++));
    const first = await at.tab(context, "tabs");
    const second = await at.tab(context, "tabs");
    await at.server.publish("acme", "tabs", { title: "One" });
    for (const page of [first, second]) await badge(page).getByText("1").waitFor();
    assert.equal(sockets, 1);
    // Read in the tab without a socket, and so in the other.
    await open(second);
    await second.locator("article").click();
    await badge(first).waitFor({ state: "hidden" });
    await first.close();
    await at.server.publish("acme", "tabs", { title: "Two" });
    await badge(second).getByText("1").waitFor();
    await becomes(second, TITLES, ["Two", "One"]);
    assert.equal(sockets, 2);
  }));

test("A signs out and B signs in: not a frame shows what is A's, in either tab", () =>
  at.within(async (context) => {
    await at.server.publish("acme", "user-a", { title: "Of A" });
    const first = await at.tab(context, "user-a");
    const second = await at.tab(context, "user-a");
    for (const page of [first, second]) {
      await open(page);
      await page.locator("article", { hasText: "Of A" }).waitFor();
    }
    await first.evaluate(() => document.querySelector("campanile-bell")?.signOut());
    for (const page of [first, second]) await page.locator("article").waitFor({ state: "detached" });
    await at.server.publish("acme", "user-b", { title: "Of B" });
    const watched = first.evaluate(async () => {
      const seen = new Set();
      const end = performance.now() + 10_000;
      const bell = document.querySelector("campanile-bell");
      while (!seen.has("Of B") && performance.now() < end) {
        await new Promise(requestAnimationFrame);
        for (const title of bell?.shadowRoot?.querySelectorAll(".title > :last-child") ?? [])
          seen.add(title.textContent);
      }
      return [...seen];
    });
    await signIn(first, at.server.http(""), "user-b");
    assert.deepEqual(await watched, ["Of B"]);
    // Nothing of A is left in the browser.
    await first.reload();
    const kept = await first.evaluate(async () => {
      const found = await indexedDB.databases();
      const values = [];
      for (const { name } of found) {
        const database = await new Promise((resolve, reject) => {
          const request = indexedDB.open(name ?? "");
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
        for (const store of database.objectStoreNames)
          values.push(
            await new Promise((resolve, reject) => {
              const request = database.transaction(store).objectStore(store).getAll();
              request.onsuccess = () => resolve(request.result);
              request.onerror = () => reject(request.error);
            }),
          );
      }
      return JSON.stringify(values);
    });
    assert(!kept.includes("Of A") && !kept.includes("user-a"), kept);
    assert(!kept.includes("eyJ"), "no token is kept");
  }));

test("a refused token is said, and another one signs in", () =>
  at.within(async (context) => {
    const page = await context.newPage();
    await page.goto(at.site.origin);
    await page.evaluate((url) => {
      const bell = document.querySelector("campanile-bell");
      if (!bell) throw new Error("there is no bell");
      bell.url = url;
      bell.token = "garbage";
    }, at.server.http(""));
    await open(page);
    await status(page, "Not signed in");
    await page.getByText("Notifications are not available right now.").waitFor();
    await at.server.publish("acme", "late", { title: "At last" });
    await signIn(page, at.server.http(""), "late");
    await page.locator("article", { hasText: "At last" }).waitFor();
    await status(page, "Live");
  }));
