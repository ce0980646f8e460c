// Headless Chromium, as Debian packages it, and pages in it.

import assert from "node:assert/strict";
import { setTimeout as pass } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { chromium } from "playwright-core";

/** @typedef {import("playwright-core").Page} Page */

const LIMIT_MS = 20_000;

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // Root and containers have no sandbox; only our own pages are opened.
    chromiumSandbox: false,
    args: ["--disable-gpu", "--disable-quic", "--disable-sync"],
  });
}

/**
 * Opens a page in a context of its own, runs a test with it, and then expects that nothing failed there, but for what
 * `foreseen` matches.
 *
 * @param {import("playwright-core").Browser} browser
 * @param {string} address
 * @param {(page: Page) => Promise<unknown>} run
 * @param {import("playwright-core").BrowserContextOptions & {foreseen?: RegExp}} options
 */
export async function onPage(browser, address, run, { foreseen, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 760 }, ...options });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(LIMIT_MS);
    /** @type {string[]} */
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (message) => {
      const text = message.text();
      if (/error|warning/.test(message.type()) && !foreseen?.test(text)) errors.push(text);
    });
    await page.goto(address);
    try {
      await run(page);
    } catch (error) {
      if (errors.length) throw new Error(`the page failed: ${errors.join("; ")}`, { cause: error });
      throw error;
    }
    assert.deepEqual(errors, []);
  } finally {
    await context.close();
  }
}

/**
 * Waits until a value of the page is as expected. Asked from here: the pages' own policy lets nobody evaluate there.
 *
 * @param {Page} page
 * @param {string} expression
 * @param {unknown} expected
 */
export async function becomes(page, expression, expected) {
  const end = Date.now() + LIMIT_MS;
  for (;;) {
    const found = await page.evaluate(expression);
    if (isDeepStrictEqual(found, expected)) return;
    if (Date.now() > end) assert.deepEqual(found, expected, expression);
    await pass(20);
  }
}
