// Hooks in Chromium, with a client in memory: what they give, and how often they render.

import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes } from "../../bell/test/browser.mjs";
import { application } from "./app_site.mjs";

const site = application();
/** @param {string} id */
const text = (id) => `document.querySelector("#${id}").textContent`;

for (const strict of [false, true]) {
  const mode = strict ? "strict mode" : "without strict mode";
  test(`${mode}: a burst of 1,000 in one task is one rendering`, () =>
    site.on(async (page) => {
      await page.evaluate((strict) => app.show("hooks", { client: app.client }, strict), strict);
      await becomes(page, text("items"), "0 of 0 true");
      const renders = await page.evaluate(async () => {
        const before = { ...app.renders };
        for (let index = 0; index < 1000; index++) app.client.arrive(String(index));
        await new Promise(requestAnimationFrame);
        await new Promise(requestAnimationFrame);
        return Object.keys(before).map((name) => (app.renders[name] ?? 0) - (before[name] ?? 0));
      });
      // Strict mode renders everything twice. The connection did not change.
      assert.deepEqual(renders, strict ? [2, 2, 0] : [1, 1, 0]);
      assert.equal(await page.evaluate(text("items")), "1000 of 1000 true");
      assert.equal(await page.evaluate(text("count")), "1000");
    }));
}

test("1,000 over many frames are at most one rendering a frame, also while a parent renders", () =>
  site.on(async (page) => {
    await page.evaluate(() => app.show("hooks", { client: app.client }));
    await becomes(page, text("items"), "0 of 0 true");
    const { frames, renders } = await page.evaluate(async () => {
      const before = app.renders.count ?? 0;
      let frames = 0;
      let counting = true;
      const count = () => {
        frames++;
        if (counting) requestAnimationFrame(count);
      };
      requestAnimationFrame(count);
      for (let index = 0; index < 1000; index++) {
        app.client.arrive(String(index));
        if (index % 10 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
      await new Promise(requestAnimationFrame);
      await new Promise(requestAnimationFrame);
      counting = false;
      return { frames, renders: (app.renders.count ?? 0) - before };
    });
    assert(renders > 0 && renders <= frames, `${renders} renderings in ${frames} frames`);
    assert.equal(await page.evaluate(text("count")), "1000");
  }));

test("actions reach the client, and stay the same functions", () =>
  site.on(async (page) => {
    await page.evaluate(() => app.show("hooks", { client: app.client }));
    await becomes(page, text("items"), "0 of 0 true");
    const same = await page.evaluate(async () => {
      app.client.arrive("a");
      const { read } = actions;
      await new Promise(requestAnimationFrame);
      await new Promise(requestAnimationFrame);
      actions.read("a");
      actions.markUnread("a");
      actions.archive("a");
      actions.readAll();
      actions.seen();
      await actions.loadMore();
      return read === actions.read;
    });
    assert(same);
    await becomes(page, text("items"), "1 of 0 true");
    await page.locator("#state").click();
    assert.deepEqual(await page.evaluate("app.client.calls"), [
      "read a",
      "unread a",
      "archive a",
      "read all",
      "seen",
      "load more",
      "retry",
    ]);
  }));

test("a filter, another client, and the end of it all", () =>
  site.on(async (page) => {
    await page.evaluate(() => {
      app.client.arrive("a");
      app.client.arrive("b");
      app.client.read("a");
      app.show("filtered", { client: app.client });
    });
    await becomes(page, text("items"), "1 of 1 true");
    await page.evaluate(() => {
      const former = app.client;
      app.client = new app.FakeClient();
      app.client.state = "waiting";
      app.show("filtered", { client: app.client });
      Object.assign(window, { former });
    });
    await becomes(page, text("items"), "0 of 0 false");
    assert.equal(await page.evaluate("former.listeners"), 0);
    await page.evaluate(() => app.show("filtered", {}));
    await becomes(page, text("items"), "0 of 0 false");
    assert.equal(await page.evaluate("app.client.listeners"), 0);
    await page.evaluate(() => app.show("filtered", { client: app.client }));
    await becomes(page, "app.client.listeners", 1);
    await page.evaluate(() => app.end());
    assert.equal(await page.evaluate("app.client.listeners"), 0);
  }));

test("what <Bell> is given no more is gone", () =>
  site.on(async (page) => {
    /** @param {object} bell */
    const show = (bell) =>
      page.evaluate((bell) => app.show("bell", { client: app.client, bell }, true), bell);
    const given = {
      url: "https://notifications.example.com",
      workspace: "acme",
      surface: "product",
      theme: "dark",
      placement: "top-start",
      toasts: 0,
      lang: "de",
      dir: "rtl",
      id: "mine",
      title: "Mine",
      className: "mine",
      strings: { notifications: "Eingang" },
    };
    await show(given);
    const button = page.locator("button.bell");
    await page.getByRole("button", { name: "Eingang", exact: true }).waitFor();
    const bell = page.locator("campanile-bell");
    const attributes = () => bell.evaluate((element) => element.getAttributeNames().sort());
    const { strings, className, ...plain } = given;
    assert.deepEqual(await attributes(), [...Object.keys(plain), "class"].sort());
    await show({ lang: "de" });
    await becomes(page, "document.querySelector('campanile-bell').getAttributeNames()", ["lang"]);
    assert.equal(await button.getAttribute("aria-label"), "Mitteilungen");
    await show({ lang: null, url: null });
    await becomes(page, "document.querySelector('campanile-bell').getAttributeNames()", []);
    await page.getByRole("button", { name: "Notifications", exact: true }).waitFor();
    assert.deepEqual(
      // @ts-expect-error the element is not known to these types
      await bell.evaluate(({ url, workspace, surface }) => [url, workspace, surface]),
      ["", "", "native"],
    );
  }));

test("<Bell> is fed by the provider, in strict mode too, and tells what happens in it", () =>
  site.on(async (page) => {
    await page.evaluate(() => {
      app.client.arrive("a");
      Object.assign(window, { told: [] });
      app.show(
        "bell",
        {
          client: app.client,
          bell: {
            className: "mine",
            theme: "dark",
            toasts: 1000,
            strings: { notifications: "Inbox" },
            // @ts-expect-error a global of this page
            onOpen: (event) => window.told.push(event.detail.item.id),
            // @ts-expect-error a global of this page
            onPanelToggle: (event) => window.told.push(event.detail.open),
          },
        },
        true,
      );
    });
    await page.getByRole("button", { name: "Inbox: 1 unread" }).click();
    await page.locator("article").click();
    await page.keyboard.press("Escape");
    assert.deepEqual(await page.evaluate("told"), [true, "a", false]);
    await becomes(page, "app.client.calls", ["read a"]);
    const bell = page.locator("campanile-bell");
    assert.deepEqual(
      await bell.evaluate((element) => [
        element.className,
        element.getAttribute("theme"),
        element.getAttribute("toasts"),
      ]),
      ["mine", "dark", "1000"],
    );
    await page.evaluate(() => app.end());
    assert.equal(await page.evaluate("app.client.listeners"), 0);
  }));
