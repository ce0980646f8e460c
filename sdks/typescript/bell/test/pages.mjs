// Pages with a bell that is fed by a source in memory.

import { after, before } from "node:test";
import { launch, onPage } from "./browser.mjs";
import { Site } from "./site.mjs";

/** @typedef {import("playwright-core").Page} Page */

export const HEADER = `<header><button id="before">Before</button>
<campanile-bell style="--campanile-font: Inter"></campanile-bell>
<button id="after">After</button></header><main><h1>Orders</h1><p>Nothing to see here.</p></main>`;

/**
 * One browser and one site for the tests of a file.
 *
 * @param {string} [header] the page's body, without its script
 */
export function pages(header = HEADER) {
  /** @type {Site} */
  let site;
  /** @type {import("playwright-core").Browser} */
  let browser;
  before(async () => {
    site = await Site.start(
      "page/fixture.mjs",
      `<body>${header}<script type="module" src="/page.js"></script></body>`,
    );
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    site?.end();
  });
  return {
    get site() {
      return site;
    },
    get browser() {
      return browser;
    },
    /**
     * @param {(page: Page) => Promise<unknown>} run
     * @param {import("playwright-core").BrowserContextOptions & {foreseen?: RegExp}} [options]
     */
    on: (run, options) => onPage(browser, site.origin, run, options),
  };
}

/**
 * Gives the bell an inbox of `count` entries, every third of which is unread, and opens it.
 *
 * @param {Page} page
 * @param {number} count
 */
export async function opened(page, count, unreadEach = 3) {
  await page.evaluate(({ count, unreadEach }) => void fixture.start(fixture.inbox(count, unreadEach)), {
    count,
    unreadEach,
  });
  await page.locator("button.bell").click();
  await page.getByRole("dialog").waitFor();
}

/** @param {Page} page */
export const titles = (page) => page.locator("article .title > :last-child").allTextContents();

/** The entry that has the focus: its id, by its place. @param {Page} page */
export const focused = (page) =>
  page.evaluate(() => {
    const active = fixture.bell.shadowRoot?.activeElement;
    return active?.matches("article")
      ? Number(active.getAttribute("aria-posinset"))
      : (active?.className ?? null);
  });

/** What was asked of the source, without pages. @param {Page} page */
export const calls = (page) =>
  page.evaluate(() => fixture.source.calls.filter((call) => !call.startsWith("load")));
