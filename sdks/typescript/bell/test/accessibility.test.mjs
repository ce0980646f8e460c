// axe-core finds nothing to object to, in whatever state and dress a bell is.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { opened, pages } from "./pages.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const site = pages();

/** @param {import("playwright-core").Page} page */
async function violations(page) {
  await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)));
  /** @type {{violations: {id: string, nodes: {html: string, failureSummary: string}[]}[], passes: unknown[]}} */
  const found = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })");
  assert(found.passes.length > 10, "axe looked at the page");
  return found.violations.map(({ id, nodes }) => ({
    id,
    nodes: nodes.map((node) => `${node.html} ${node.failureSummary}`),
  }));
}

/** @type {[string, {scheme?: "light" | "dark", language?: string, direction?: string, theme?: string}][]} */
const DRESSES = [
  ["light", {}],
  ["dark", { scheme: "dark" }],
  ["dark by its attribute", { theme: "dark" }],
  ["right to left", { language: "ar", direction: "rtl" }],
  ["right to left, dark", { language: "he", direction: "rtl", scheme: "dark" }],
];

for (const [name, { scheme = "light", language = "en", direction = "ltr", theme }] of DRESSES) {
  test(`${name}: closed, open, empty, failed, refused, with toasts`, () =>
    site.on(
      async (page) => {
        await page.addInitScript({ path: AXE });
        await page.reload();
        await page.evaluate(
          ({ scheme, language, direction, theme }) => {
            Object.assign(document.documentElement, { lang: language, dir: direction });
            document.documentElement.style.colorScheme = scheme;
            if (theme) fixture.bell.setAttribute("theme", theme);
            fixture.bell.lang = language;
            fixture.start(fixture.inbox(40, 2));
          },
          { scheme, language, direction, theme },
        );
        assert.deepEqual(await violations(page), [], "closed");
        await page.evaluate(() => void fixture.start(fixture.inbox(150, 1), 40));
        assert.deepEqual(await violations(page), [], "many");
        await page.evaluate(() => void fixture.start(fixture.inbox(40, 2)));
        await page.locator("button.bell").click();
        await page.locator("article").first().waitFor();
        assert.deepEqual(await violations(page), [], "open");
        await page.locator("article").nth(2).hover();
        assert.deepEqual(await violations(page), [], "hovered");
        for (const filter of ["unread", "archived"]) {
          await page.locator(`#filter-${filter}`).click();
          assert.deepEqual(await violations(page), [], filter);
        }
        await page.evaluate(() => {
          const source = fixture.start(fixture.inbox(40, 2), 0);
          source.failures = 1;
          source.is("refused");
        });
        await page.locator("#filter-all").click();
        await page.locator('.empty[role="alert"]').waitFor();
        assert.deepEqual(await violations(page), [], "failed, refused");
        await page.keyboard.press("Escape");
        await page.evaluate(() => {
          for (const [index, level] of ["info", "success", "warning", "error", "alert"].entries())
            fixture.source.arrive({
              id: `t${index}`,
              title: `A title ${index}`,
              message: "A message",
              level,
              read: false,
            });
        });
        await page.locator(".toast").nth(2).waitFor();
        assert.deepEqual(await violations(page), [], "toasts");
      },
      { colorScheme: scheme, reducedMotion: "reduce" },
    ));
}

test("what a screen reader is given of the panel", () =>
  site.on(async (page) => {
    await opened(page, 3);
    const snapshot = await page.locator("campanile-bell").ariaSnapshot();
    for (const line of [
      `- 'button "Notifications: 1 unread" [expanded]'`,
      '- dialog "Notifications":',
      '- heading "Notifications" [level=2]',
      "- status: Live",
      '- button "Mark all as read"',
      '- tablist "Show":',
      '- tab "All" [selected]',
      '- tab "Unread 1"',
      '- tabpanel "All":',
      '- feed "Notifications":',
      '- article "Unread. Success. Deployment finished":',
      '- article "Info. Maya Okafor mentioned you":',
    ])
      assert(snapshot.includes(line), `${line}\n\nin\n${snapshot}`);
  }));
