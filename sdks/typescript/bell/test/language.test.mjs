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
        else assert.match(text.other, /\{count\}/, `${language}.${name}`);
        if (typeof text === "string") continue;
        // `many` of Spanish and French is for millions, which `other` serves.
        for (const form of forms.filter((form) => form !== "many" || language === "ar"))
          assert(text[form], `${language}.${name}.${form}`);
      }
    }
  }));

for (const language of ["ar", "he", "ja"])
  test(`${language}: not a word of it is in another script, whatever is shown`, () =>
    site.on(async (page) => {
      const latin = await page.evaluate(async (language) => {
        const { bell } = fixture;
        bell.lang = language;
        const tell = async () => {
          await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
          const root = bell.shadowRoot;
          const all = [...(root?.querySelectorAll(":not(style)") ?? [])];
          return all.flatMap((element) => [
            ...["aria-label", "title", "placeholder", "alt", "aria-description", "aria-roledescription"].map(
              (name) => element.getAttribute(name) ?? "",
            ),
            ...[...element.childNodes].map((node) =>
              node.nodeType === Node.TEXT_NODE ? node.textContent : "",
            ),
          ]);
        };
        while (bell.shadowRoot?.querySelector(".root")?.getAttribute("lang") !== language) await tell();
        await fixture.texts();
        const said = [];
        /** @type {import("../src/source.js").Level[]} */
        const levels = ["info", "success", "warning", "error", "alert"];
        const items = levels.map((level, at) => ({
          id: `${at}`,
          title: `${at}`,
          level,
          read: at > 2,
          timestamp: new Date(Date.now() - at * 3_600_000).toISOString(),
        }));
        for (const inbox of [[], items]) {
          bell.hide();
          const source = fixture.start(inbox);
          if (inbox.length) {
            for (const level of levels)
              source.arrive({
                id: level,
                title: "0",
                level,
                read: false,
                timestamp: new Date().toISOString(),
              });
            said.push(...(await tell()));
          }
          bell.show();
          for (const state of /** @type {const} */ ([
            "live",
            "connecting",
            "waiting",
            "suspended",
            "refused",
            "idle",
          ])) {
            source.is(state);
            said.push(...(await tell()));
          }
          source.is("live");
          for (const tab of bell.shadowRoot?.querySelectorAll("[role=tab]") ?? []) {
            /** @type {HTMLElement} */ (tab).click();
            said.push(...(await tell()));
          }
        }
        const words = said.filter((text) => text?.trim());
        if (words.length < 100) throw new Error(`only ${words.length} texts were looked at`);
        return [...new Set(words.filter((text) => /[a-z]/i.test(text ?? "")))];
      }, language);
      assert.deepEqual(latin, []);
    }));
