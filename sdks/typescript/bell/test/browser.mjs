// Headless Chromium, as Debian packages it, and pages in it.

import assert from "node:assert/strict";
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
 * Opens a page in a context of its own, runs a test with it, and then expects that no script of it failed.
 *
 * @param {import("playwright-core").Browser} browser
 * @param {string} address
 * @param {(page: Page) => Promise<unknown>} run
 * @param {import("playwright-core").BrowserContextOptions} options
 */
export async function onPage(browser, address, run, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 760 }, ...options });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(LIMIT_MS);
    /** @type {string[]} */
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    await page.goto(address);
    await run(page);
    assert.deepEqual(errors, []);
  } finally {
    await context.close();
  }
}

/**
 * Waits until a value of the page is as expected.
 *
 * @param {Page} page
 * @param {string} expression
 * @param {unknown} expected
 */
export async function becomes(page, expression, expected) {
  const wanted = JSON.stringify(expected);
  try {
    await page.waitForFunction(`JSON.stringify(${expression}) === ${JSON.stringify(wanted)}`);
  } catch {
    assert.deepEqual(await page.evaluate(expression), expected, expression);
  }
}
