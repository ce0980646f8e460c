// A bell without a pointer: every flow by keys alone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes } from "./browser.mjs";
import { calls, focused, opened, pages } from "./pages.mjs";

const site = pages();

/**
 * @param {import("playwright-core").Page} page
 * @param {...string} keys
 */
async function press(page, ...keys) {
  for (const key of keys) await page.keyboard.press(key);
}

test("Tab reaches the bell, Enter opens it, Escape closes it and gives the focus back", () =>
  site.on(async (page) => {
    await page.evaluate(() => void fixture.start(fixture.inbox(9)));
    await page.locator("#before").focus();
    await press(page, "Tab");
    assert.equal(await focused(page), "bell");
    await press(page, "Enter");
    await page.getByRole("dialog").waitFor();
    assert.equal(await focused(page), 1);
    await press(page, "Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    assert.equal(await focused(page), "bell");
    await press(page, "ArrowDown");
    assert.equal(await focused(page), 1);
    await press(page, "Escape", "Space");
    assert.equal(await focused(page), 1);
  }));

test("arrows, Home, End and pages move through the list, also past what was loaded", () =>
  site.on(async (page) => {
    await page.evaluate(() => {
      const source = fixture.start(fixture.inbox(60));
      source.held = new Promise((resolve) => Object.assign(window, { release: resolve }));
    });
    await page.locator("button.bell").focus();
    await press(page, "Enter", "ArrowDown", "ArrowDown");
    assert.equal(await focused(page), 3);
    await press(page, "ArrowUp", "ArrowUp", "ArrowUp");
    assert.equal(await focused(page), 1);
    await press(page, "PageDown");
    const paged = Number(await focused(page));
    assert(paged > 4 && paged < 12, String(paged));
    await press(page, "PageUp");
    assert.equal(await focused(page), 1);
    await press(page, "End");
    assert.equal(await focused(page), 25);
    await page.evaluate("release()");
    await becomes(page, "fixture.source.list({}).items.length", 50);
    await press(page, "End");
    assert.equal(await focused(page), 50);
    await becomes(page, "fixture.source.list({}).hasMore", false);
    await press(page, "End");
    assert.equal(await focused(page), 60);
    await press(page, "Home");
    assert.equal(await focused(page), 1);
  }));

test("Enter opens an entry, R reads it and back, E archives it and the next one has the focus", () =>
  site.on(async (page) => {
    await page.evaluate(() => void fixture.start(fixture.inbox(7, 2)));
    await page.locator("button.bell").focus();
    await press(page, "Enter", "r");
    await becomes(page, "fixture.source.list({}).items[0].read", true);
    await press(page, "r", "ArrowDown", "ArrowDown", "Enter", "ArrowUp", "e");
    assert.deepEqual(await calls(page), ["read n7", "unread n7", "read n5", "archive n6"]);
    await becomes(page, "fixture.source.list({}).items.length", 6);
    await page.locator('article[aria-posinset="2"]', { hasText: "Certificate" }).waitFor();
    assert.equal(await focused(page), 2);
    await press(page, "End", "Delete");
    await page.locator('article[aria-setsize="5"]').first().waitFor();
    assert.equal(await focused(page), 5);
    await press(page, "Shift+R");
    await becomes(page, "fixture.source.getSnapshot().unread", 0);
  }));

test("filters move by arrows, in the direction of the text", () =>
  site.on(async (page) => {
    await page.evaluate(() => void fixture.start(fixture.inbox(7)));
    await page.locator("button.bell").focus();
    const chosen = () => page.locator('[role="tab"][aria-selected="true"] > :first-child').textContent();
    await press(page, "Enter", "Shift+Tab");
    assert.equal(await chosen(), "All");
    await press(page, "ArrowRight");
    assert.equal(await chosen(), "Unread");
    await press(page, "End");
    assert.equal(await chosen(), "Archived");
    await press(page, "ArrowRight");
    assert.equal(await chosen(), "All");
    await page.evaluate("document.documentElement.dir = 'rtl'");
    await press(page, "ArrowLeft");
    assert.equal(await chosen(), "Unread");
    await press(page, "Home");
    assert.equal(await chosen(), "All");
    await press(page, "ArrowDown");
    assert.equal(await focused(page), 1);
  }));

test("Tab goes through header, filters, one entry and its buttons, and then leaves and closes", () =>
  site.on(async (page) => {
    await page.evaluate(() => void fixture.start(fixture.inbox(7)));
    await page.locator("button.bell").focus();
    await press(page, "Enter", "Tab");
    const name = () =>
      page.evaluate(() => fixture.bell.shadowRoot?.activeElement?.getAttribute("aria-label"));
    assert.equal(await name(), "Mark as read");
    await press(page, "Tab");
    assert.equal(await name(), "Archive");
    await press(page, "Tab");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    assert.equal(await page.evaluate("document.activeElement.id"), "after");

    await press(page, "Shift+Tab", "Enter", "Shift+Tab", "Shift+Tab", "Shift+Tab");
    assert.equal(await name(), "Mark all as read");
    await press(page, "Enter");
    assert.deepEqual(await calls(page), ["read all"]);
    assert.equal(await focused(page), 1);
  }));

test("the focus stays on its entry while others arrive above it", () =>
  site.on(async (page) => {
    await opened(page, 40);
    await press(page, "ArrowDown", "ArrowDown", "ArrowDown");
    const text = await page.evaluate(() => fixture.bell.shadowRoot?.activeElement?.textContent);
    await page.evaluate(() => {
      for (let index = 0; index < 30; index++)
        fixture.source.arrive({ id: `a${index}`, title: `Arrived ${index}`, read: false });
    });
    await page.locator('article[aria-posinset="34"]').waitFor();
    assert.equal(await focused(page), 34);
    assert.equal(await page.evaluate(() => fixture.bell.shadowRoot?.activeElement?.textContent), text);
  }));

test("F8 goes to the newest toast; Escape dismisses it, Enter opens it", () =>
  site.on(async (page) => {
    await page.evaluate(() => {
      fixture.start();
      for (const id of ["one", "two"]) fixture.source.arrive({ id, title: id, level: "alert", read: false });
    });
    const toasts = page.locator(".toast:not(.leaving) .title > :last-child");
    await press(page, "F8", "Escape");
    assert.deepEqual(await toasts.allTextContents(), ["one"]);
    await press(page, "Enter");
    assert.deepEqual(await toasts.allTextContents(), []);
    assert.deepEqual(await calls(page), ["read one"]);
  }));

test("the focus stays in the panel when its last entry goes, and Escape closes it from anywhere", () =>
  site.on(async (page) => {
    await page.evaluate(() => void fixture.start(fixture.inbox(1)));
    await page.locator("button.bell").focus();
    await press(page, "Enter", "e");
    await page.getByText("Nothing here yet").waitFor();
    assert.equal(await focused(page), "panel open");
    await page.evaluate(() => fixture.bell.blur());
    await press(page, "Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
  }));
