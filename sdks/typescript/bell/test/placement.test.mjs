// Where the panel goes, and how it takes a page's colours.

import assert from "node:assert/strict";
import { test } from "node:test";
import { opened, pages } from "./pages.mjs";

/** @typedef {import("playwright-core").Page} Page */

const site = pages();

/** The panel's edges against the button's: which are on one line, and which side of it the panel is. @param {Page} page */
async function placed(page) {
  const panel = await page.locator(".panel").boundingBox();
  const button = await page.locator("button.bell").boundingBox();
  assert(panel && button);
  const near = (/** @type {number} */ a, /** @type {number} */ b) => Math.abs(a - b) < 1;
  const { width, height } = page.viewportSize() ?? { width: 0, height: 0 };
  assert(panel.x >= 0 && panel.y >= 0, "within the window");
  assert(panel.x + panel.width <= width && panel.y + panel.height <= height, "within the window");
  const side =
    panel.y >= button.y + button.height ? "below" : panel.y + panel.height <= button.y ? "above" : "over";
  const edge = near(panel.x, button.x)
    ? "left"
    : near(panel.x + panel.width, button.x + button.width)
      ? "right"
      : "none";
  return `${side} ${edge}`;
}

/** @type {[string, string, string, "ltr" | "rtl", string][]} */
const CASES = [
  ["top: 20px; left: 480px", "bottom-end", "below right", "ltr", "as asked"],
  ["top: 20px; left: 20px", "bottom-start", "below left", "ltr", "as asked"],
  ["bottom: 20px; left: 20px", "top-start", "above left", "ltr", "as asked"],
  ["bottom: 20px; left: 480px", "top-end", "above right", "ltr", "as asked"],
  ["bottom: 20px; left: 480px", "bottom-end", "above right", "ltr", "where there is room"],
  ["top: 20px; left: 480px", "top-end", "below right", "ltr", "where there is room"],
  ["top: 20px; left: 20px", "bottom-end", "below none", "ltr", "as far as the window goes"],
  ["top: 20px; left: 480px", "bottom-start", "below left", "ltr", "as asked"],
  ["top: 20px; left: 480px", "bottom-end", "below left", "rtl", "mirrored"],
];

for (const [at, placement, expected, direction, how] of CASES) {
  test(`${placement} at ${at}, ${direction}: ${expected}, ${how}`, () =>
    site.on(async (page) => {
      await page.evaluate(
        ({ at, placement, direction }) => {
          document.documentElement.dir = direction;
          fixture.bell.style.cssText = `position: fixed; ${at}`;
          fixture.bell.setAttribute("placement", placement);
        },
        { at, placement, direction },
      );
      await opened(page, 40);
      assert.equal(await placed(page), expected);
    }));
}

test("stays with its button when the window or the page moves", () =>
  site.on(async (page) => {
    await opened(page, 40);
    assert.equal(await placed(page), "below right");
    await page.setViewportSize({ width: 800, height: 500 });
    await page.locator(".panel").evaluate(() => new Promise(requestAnimationFrame));
    assert.equal(await placed(page), "below right");
    await page.evaluate(() => {
      document.body.style.height = "3000px";
      document.querySelector("header")?.setAttribute("style", "position: sticky; top: 0");
      window.scrollTo(0, 300);
      return new Promise(requestAnimationFrame);
    });
    assert.equal(await placed(page), "below right");
  }));

test("custom properties and parts dress it", () =>
  site.on(async (page) => {
    await page.evaluate(() => {
      const style = document.createElement("style");
      style.textContent = `
        campanile-bell { --campanile-surface: rgb(1, 2, 3); --campanile-badge: rgb(4, 5, 6); --campanile-width: 300px; }
        campanile-bell::part(item-unread) { border-inline-start: 3px solid rgb(7, 8, 9); }
        campanile-bell::part(item-warning) { opacity: 0.5; }`;
      document.head.append(style);
    });
    await opened(page, 8);
    /** @param {string} selector @param {string} property */
    const styled = (selector, property) =>
      page
        .locator(selector)
        .first()
        .evaluate((element, property) => getComputedStyle(element).getPropertyValue(property), property);
    assert.equal(await styled(".panel", "background-color"), "rgb(1, 2, 3)");
    assert.equal(await styled(".panel", "width"), "300px");
    assert.equal(await styled(".badge", "background-color"), "rgb(4, 5, 6)");
    assert.equal(await styled(".entry.unread", "border-inline-start-color"), "rgb(7, 8, 9)");
    assert.equal(await styled(".entry[data-level=warning]", "opacity"), "0.5");
  }));
