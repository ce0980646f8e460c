// One browser, and a site with the application of the tests.

import { after, before } from "node:test";
import { launch, onPage } from "../../bell/test/browser.mjs";
import { Site } from "../../bell/test/site.mjs";

/** For the tests of a file. */
export function application() {
  /** @type {Site} */
  let site;
  /** @type {import("playwright-core").Browser} */
  let browser;
  before(async () => {
    const body = '<body><div id="root"></div><script type="module" src="/page.js"></script></body>';
    site = await Site.start("page/app.mjs", body, import.meta.url);
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
    /** @param {(page: import("playwright-core").Page) => Promise<unknown>} run @param {RegExp} [foreseen] */
    on: (run, foreseen) => onPage(browser, site.origin, run, foreseen && { foreseen }),
  };
}
