// Languages: chosen by the element or the page, complete, and with words of one's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes } from "./browser.mjs";
import { opened, pages } from "./pages.mjs";

const site = pages();

/** @type {[string, string, string, "ltr" | "rtl"][]} */
const LANGUAGES = [
  ["en-GB", "Notifications: 3 unread", "Notifications", "ltr"],
  ["de-AT", "Mitteilungen: 3 ungelesen", "Mitteilungen", "ltr"],
  ["fr", "Notifications: 3 non lues", "Notifications", "ltr"],
  ["es", "Notificaciones: 3 sin leer", "Notificaciones", "ltr"],
  ["ar", "الإشعارات: 3 إشعارات غير مقروءة", "الإشعارات", "rtl"],
  ["he", "התראות: 3 התראות שלא נקראו", "התראות", "rtl"],
  ["ja", "通知: 未読 3 件", "通知", "ltr"],
];

for (const [language, label, heading, direction] of LANGUAGES) {
  test(`${language}: by the element's lang, with its direction`, () =>
    site.on(async (page) => {
      await page.evaluate((language) => {
        fixture.start(fixture.inbox(8));
        fixture.bell.lang = language;
      }, language);
      await becomes(
        page,
        "fixture.bell.shadowRoot.querySelector('button').getAttribute('aria-label')",
        label,
      );
      await page.locator("button.bell").click();
      assert.equal(await page.locator(".heading").textContent(), heading);
      assert.equal(
        await page.locator(".panel").evaluate((panel) => getComputedStyle(panel).direction),
        direction,
      );
    }));
}

test("the page's language counts, and English where there is no translation", () =>
  site.on(async (page) => {
    const heading = page.locator(".heading");
    await page.evaluate(() => {
      document.documentElement.lang = "de";
      document.querySelector("header")?.append(fixture.bell);
    });
    await opened(page, 3);
    await heading.getByText("Mitteilungen").waitFor();
    await page.evaluate(() => {
      fixture.bell.lang = "tlh";
    });
    await heading.getByText("Notifications").waitFor();
    assert.equal(await page.locator("article time").first().textContent(), "2 min. ago");
  }));

test("words of one's own, and the rest of a language", () =>
  site.on(async (page) => {
    await opened(page, 3);
    await page.evaluate(() => {
      fixture.bell.lang = "it";
      fixture.bell.strings = {
        notifications: "Avvisi",
        unreadCount: { one: "{count} nuovo", other: "{count} nuovi" },
      };
    });
    assert.equal(await page.locator("button.bell").getAttribute("aria-label"), "Avvisi: 1 nuovo");
    assert.equal(await page.locator("article time").first().textContent(), "2 min fa");
    assert.equal(await page.getByRole("tab").first().textContent(), "All");
  }));

test("every translation has every text, in every plural form of its language", () =>
  site.on(async (page) => {
    const texts = await page.evaluate(() => fixture.texts());
    const english = Object.keys(texts.en ?? {}).sort();
    assert.deepEqual(Object.keys(texts).sort(), ["ar", "de", "en", "es", "fr", "he", "ja"]);
    for (const [language, strings] of Object.entries(texts)) {
      assert.deepEqual(Object.keys(strings).sort(), english, language);
      const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
      for (const [name, text] of Object.entries(strings)) {
        if (typeof text === "string") assert.notEqual(text.trim(), "", `${language}.${name}`);
        // `many` of Spanish and French is for millions, which `other` serves.
        else
          for (const form of forms.filter((form) => form !== "many" || language === "ar"))
            assert(text[form], `${language}.${name}.${form}`);
      }
    }
  }));
