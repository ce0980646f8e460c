// Toasts: what appears, for how long, and when it doesn't. The page's clock is stepped.

import assert from "node:assert/strict";
import { test } from "node:test";
import { opened, pages } from "./pages.mjs";

/** @typedef {import("playwright-core").Page} Page */

const site = pages();

/** Titles of the toasts that are not about to go. @param {Page} page */
const shown = (page) => page.locator(".toast:not(.leaving) .title > :last-child").allTextContents();

/** @param {Page} page @param {...[string, string]} arrivals */
const arrive = (page, ...arrivals) =>
  page.evaluate((arrivals) => {
    for (const [id, level] of arrivals)
      fixture.source.arrive({ id, title: id, message: "m", level, read: false });
  }, arrivals);

/** @param {Page} page */
async function clocked(page) {
  await page.clock.install({ time: 0 });
  await page.clock.pauseAt(3_600_000);
  await page.evaluate(() => void fixture.start());
}

test("a toast leaves after 6 s; errors and alerts stay until they are dismissed", () =>
  site.on(async (page) => {
    await clocked(page);
    await arrive(page, ["a", "info"], ["b", "error"]);
    assert.deepEqual(await shown(page), ["a", "b"]);
    await page.clock.runFor(5900);
    assert.deepEqual(await shown(page), ["a", "b"]);
    await page.clock.runFor(200);
    assert.deepEqual(await shown(page), ["b"]);
    await page.clock.runFor(600_000);
    assert.deepEqual(await shown(page), ["b"]);
    await page.locator(".toast").getByRole("button", { name: "Dismiss" }).click();
    await page.clock.runFor(200);
    assert.equal(await page.locator(".toast").count(), 0);
    assert.equal(await page.locator(".toasts").isVisible(), false);
  }));

test("none leaves while the pointer or the focus is on one", () =>
  site.on(async (page) => {
    await clocked(page);
    await arrive(page, ["a", "info"], ["b", "success"]);
    await page.locator(".toast").first().hover();
    await page.clock.runFor(60_000);
    assert.deepEqual(await shown(page), ["a", "b"]);
    await page.mouse.move(5, 5);
    await page.locator(".toast").last().focus();
    await page.clock.runFor(60_000);
    assert.deepEqual(await shown(page), ["a", "b"]);
    await page.locator("#before").focus();
    await page.clock.runFor(6100);
    assert.deepEqual(await shown(page), []);
  }));

test("three are shown; the oldest that may leave makes room, and the rest is counted", () =>
  site.on(async (page) => {
    await clocked(page);
    await arrive(page, ["a", "error"], ["b", "info"], ["c", "info"], ["d", "warning"]);
    assert.deepEqual(await shown(page), ["a", "c", "d"]);
    await page.getByText("1 more notification", { exact: true }).waitFor();
    await page.locator(".toast", { hasText: "d" }).hover();
    await arrive(page, ["e", "info"], ["f", "info"]);
    assert.deepEqual(await shown(page), ["a", "c", "d"]);
    await page.getByText("3 more notifications").waitFor();
  }));

test("what was read elsewhere takes its toast with it, and opening the panel takes all", () =>
  site.on(async (page) => {
    await clocked(page);
    await arrive(page, ["a", "error"], ["b", "error"]);
    await page.evaluate(() => fixture.source.read("a"));
    await page.clock.runFor(50);
    assert.deepEqual(await shown(page), ["b"]);
    await page.locator("button.bell").click();
    assert.deepEqual(await shown(page), []);
    await arrive(page, ["c", "error"]);
    assert.deepEqual(await shown(page), []);
  }));

test("no toast for what is told late, for a page that says no, or where they are off", () =>
  site.on(async (page) => {
    await clocked(page);
    await page.evaluate(() => {
      fixture.source.arrive({ id: "old", title: "old", read: false }, true);
      document.addEventListener("campanile-notification", (event) => event.preventDefault(), { once: true });
    });
    await arrive(page, ["a", "info"]);
    assert.deepEqual(await shown(page), []);
    await arrive(page, ["b", "info"]);
    assert.deepEqual(await shown(page), ["b"]);
    await page.evaluate(() => fixture.bell.setAttribute("toasts", "off"));
    await arrive(page, ["c", "info"]);
    assert.deepEqual(await shown(page), ["b"]);
    await page.evaluate(() => fixture.bell.setAttribute("toasts", "1000"));
    await arrive(page, ["d", "info"]);
    await page.clock.runFor(1100);
    assert.deepEqual(await shown(page), ["b"]);
  }));

test("screen readers are told: one by its words, urgently if it is an error, several by their number", () =>
  site.on(async (page) => {
    await clocked(page);
    const polite = page.locator('.root > .spoken [role="status"]');
    const urgent = page.locator('.root > .spoken [role="alert"]');
    await arrive(page, ["a", "info"]);
    await page.clock.runFor(600);
    assert.equal(await polite.textContent(), "Info. a. m");
    await arrive(page, ["b", "error"]);
    await page.clock.runFor(600);
    assert.equal(await urgent.textContent(), "Error. b. m");
    await arrive(page, ["c", "info"], ["d", "info"], ["e", "info"]);
    await page.clock.runFor(600);
    assert.equal(await polite.textContent(), "3 new notifications");
  }));

test("without motion for who wants none, with it for others", async () => {
  const running = async (/** @type {Page} */ page) => {
    await opened(page, 3);
    await page.keyboard.press("Escape");
    await arrive(page, ["a", "info"]);
    await page.locator(".toast").waitFor();
    return page.evaluate(() => {
      const elements = [...(fixture.bell.shadowRoot?.querySelectorAll("*") ?? [])];
      return elements.flatMap((element) => element.getAnimations()).length;
    });
  };
  await site.on(async (page) => assert.equal(await running(page), 0), { reducedMotion: "reduce" });
  await site.on(async (page) => assert.notEqual(await running(page), 0), { reducedMotion: "no-preference" });
});
