// Headless Chromium, as Debian packages it, and a page in it.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const LIMIT_MS = 20_000;

/**
 * @param {string[]} [more] further arguments of its command line
 * @param {string} [home] the home directory of its user, in place of one's own
 * @returns {Promise<import("playwright-core").Browser>}
 */
export function launch(more = [], home = undefined) {
  return chromium.launch({
    ...(home === undefined ? {} : { env: { ...process.env, HOME: home } }),
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // Root and containers have no sandbox; only our own pages are opened.
    chromiumSandbox: false,
    args: ["--disable-gpu", "--disable-quic", "--disable-sync", ...more],
  });
}

/** A tab. */
export class Tab {
  /** @type {unknown[]} Errors of the page's scripts. */
  #errors = [];

  /** @param {import("playwright-core").Page} page */
  constructor(page) {
    this.page = page;
    page.setDefaultTimeout(LIMIT_MS);
    page.on("pageerror", (error) => this.#errors.push(error));
  }

  /**
   * @param {import("playwright-core").Browser} browser
   * @param {string} address
   */
  static async open(browser, address) {
    const tab = new Tab(await browser.newPage());
    await tab.page.goto(address);
    return tab;
  }

  /** @param {string} address */
  async connect(address) {
    await this.page.fill("#connect input", address);
    await this.page.click("#connect button");
  }

  /** @param {string} message */
  async send(message) {
    await this.page.fill("#send input", message);
    await this.page.click("#send button");
  }

  /**
   * Waits for the item at `index` of a list, and returns its text.
   *
   * @param {"notifications" | "frames" | "log"} list
   * @param {number} index
   * @param {number} [timeout] in milliseconds
   */
  async item(list, index, timeout) {
    const options = timeout === undefined ? {} : { timeout };
    return (await this.page.locator(`#${list} > li`).nth(index).textContent(options)) ?? "";
  }

  /**
   * The items of a list as they are now.
   *
   * @param {"notifications" | "frames" | "log"} list
   */
  items(list) {
    return this.page.locator(`#${list} > li`).allTextContents();
  }

  /**
   * Waits until the page says that it is so.
   *
   * @param {string} status
   * @param {number} [timeout] in milliseconds
   */
  async is(status, timeout = LIMIT_MS) {
    await this.page.locator("#status", { hasText: new RegExp(`^${status}$`) }).waitFor({ timeout });
  }

  async close() {
    await this.page.close();
    assert.deepEqual(this.#errors, []);
  }
}
