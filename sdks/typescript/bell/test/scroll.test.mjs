// A list of 10,000: how much of it is in the document, how smoothly it scrolls, and that it keeps its place.

import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes } from "./browser.mjs";
import { opened, pages } from "./pages.mjs";

/** @typedef {import("playwright-core").Page} Page */

const site = pages();
const COUNT = 10_000;

/** Scrolls by `step` pixels in each frame until the end, and gives the times between frames, in milliseconds. @param {Page} page @param {number} step @param {number} limit */
const scrolled = (page, step, limit) =>
  page.evaluate(
    async ({ step, limit }) => {
      const list = fixture.bell.shadowRoot?.querySelector(".list");
      if (!list) throw new Error("there is no list");
      const frame = () => new Promise(requestAnimationFrame);
      /** @type {number[]} */
      const times = [];
      let most = 0;
      let blank = 0;
      let last = await frame();
      for (let count = 0; count < limit; count++) {
        list.scrollTop += step;
        const now = await frame();
        times.push(now - last);
        last = now;
        most = Math.max(most, list.querySelectorAll("article").length);
        const { top, left, width, height } = list.getBoundingClientRect();
        const seen = fixture.bell.shadowRoot?.elementFromPoint(left + width / 2, top + height / 2);
        if (!seen?.closest("article")) blank++;
      }
      times.sort((a, b) => a - b);
      const at = (/** @type {number} */ part) => times[Math.floor(times.length * part)];
      return { median: at(0.5), p99: at(0.99), most, blank, top: list.scrollTop };
    },
    { step, limit },
  );

test("10,000 entries scroll smoothly, with a screenful of them in the document", (t) =>
  site.on(async (page) => {
    await page.evaluate((count) => void fixture.start(fixture.inbox(count), count), COUNT);
    await page.locator("button.bell").click();
    await page.locator("article").first().waitFor();
    const { median, p99, most, blank, top } = await scrolled(page, 300, 600);
    t.diagnostic(
      `frames: median ${median?.toFixed(1)} ms, p99 ${p99?.toFixed(1)} ms; at most ${most} entries in the document`,
    );
    assert(top > 100_000, `scrolled to ${top}`);
    assert(most <= 40, `${most} entries in the document`);
    assert.equal(blank, 0, "frames without entries");
    // Frames of a busy machine without a graphics card are late; those of a list that is all there are later still.
    assert(Number(median) < 50, `median ${median} ms`);
    assert(Number(p99) < 250, `p99 ${p99} ms`);

    await page.locator("article").first().focus();
    await page.keyboard.press("End");
    await page.locator(`article[aria-posinset="${COUNT}"]`).waitFor();
    assert((await page.locator("article").count()) <= 40);
  }));

test("pages are loaded as the end comes near, one at a time, until there are no more", () =>
  site.on(async (page) => {
    await opened(page, 260);
    await scrolled(page, 400, 120);
    await becomes(page, "fixture.source.list({}).items.length", 260);
    await becomes(page, "fixture.source.calls.filter((call) => call === 'load all').length", 10);
    await page.locator('article[aria-setsize="260"]').first().waitFor();
    assert.equal(await page.locator(".more").isVisible(), false);
  }));

test("what is seen stays where it is while entries arrive above, and while heights become known", () =>
  site.on(async (page) => {
    await opened(page, 400);
    await page.evaluate(() => {
      const list = fixture.bell.shadowRoot?.querySelector(".list");
      if (list) list.scrollTop = 1000;
    });
    const row = page.locator("article", { hasText: "ago" }).nth(8);
    const id = await row.getAttribute("aria-posinset");
    const before = await page.locator(`article[aria-posinset="${id}"]`).boundingBox();
    await page.evaluate(() => {
      for (let index = 0; index < 50; index++)
        fixture.source.arrive({
          id: `a${index}`,
          title: `Arrived ${index}`,
          message: "long ".repeat(index * 2),
          read: false,
        });
    });
    const moved = page.locator(`article[aria-posinset="${Number(id) + 50}"]`);
    await moved.waitFor();
    const after = await moved.boundingBox();
    assert(before && after && Math.abs(before.y - after.y) <= 1, `from ${before?.y} to ${after?.y}`);
  }));

test("a burst of 1,000 arrivals is a handful of renderings", () =>
  site.on(async (page) => {
    await opened(page, 10);
    const changes = await page.evaluate(async () => {
      const badge = fixture.bell.shadowRoot?.querySelector(".badge");
      if (!badge) throw new Error("there is no badge");
      let changes = 0;
      new MutationObserver((records) => {
        changes += records.length;
      }).observe(badge, { childList: true, characterData: true, subtree: true });
      for (let index = 0; index < 1000; index++)
        fixture.source.arrive({ id: `a${index}`, title: "Burst", read: false });
      await new Promise(requestAnimationFrame);
      await new Promise(requestAnimationFrame);
      return { changes, text: badge.textContent };
    });
    assert.deepEqual(changes, { changes: 1, text: "99+" });
  }));
