// The picture of the documents: the same bell, light and dark, at a fixed time and in a fixed font. With UPDATE_DOCS=1 it
// is taken anew.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { pages } from "./pages.mjs";

const PICTURE = fileURLToPath(new URL("../../../../docs/images/bell.png", import.meta.url));
const NOW = Date.parse("2026-06-01T09:41:00Z");
const SIZE = { width: 1040, height: 660 };

const site = pages(`<style>
  body { overflow: hidden; }
  .app { display: flex; align-items: center; gap: 12px; padding: 14px 24px; font-weight: 650; letter-spacing: -.01em; }
  .app::before { content: ""; width: 22px; height: 22px; border-radius: 7px; background: linear-gradient(135deg, #6366f1, #a855f7); }
  .app campanile-bell { margin-inline-start: auto; }
  iframe { position: fixed; inset-block: 0; width: 50%; height: 100%; border: 0; }
  iframe + iframe { inset-inline-start: 50%; }
</style><div class="app">Orders<campanile-bell style="--campanile-font: Inter; --campanile-height: 560px"></campanile-bell></div>`);

test("the bell in light and dark, for the documents", () =>
  site.on(
    async (page) => {
      await page.evaluate(() => {
        const frames = ["light", "dark"].map((name) =>
          Object.assign(document.createElement("iframe"), { src: "/", name }),
        );
        document.querySelector(".app")?.replaceWith(...frames);
      });
      for (const scheme of ["light", "dark"]) {
        await page
          .locator(`iframe[name=${scheme}]`)
          .contentFrame()
          .locator("campanile-bell button.bell")
          .waitFor();
        const frame = page.frame({ name: scheme });
        assert(frame);
        await frame.evaluate(
          ({ scheme, now }) => {
            Date.now = () => now;
            document.documentElement.style.cssText = `color-scheme: ${scheme}; background: ${scheme === "dark" ? "#0f1014" : "#f6f6f9"}`;
            fixture.bell.style.setProperty(
              "--campanile-badge-ring",
              scheme === "dark" ? "#0f1014" : "#f6f6f9",
            );
            fixture.start(fixture.inbox(40, 3, now));
            fixture.bell.setAttribute("theme", scheme);
            fixture.bell.show();
            // No ring: nobody uses the keyboard here.
            fixture.bell.blur();
            return document.fonts.ready;
          },
          { scheme, now: NOW },
        );
        await page.locator(`iframe[name=${scheme}]`).contentFrame().locator("article").nth(6).waitFor();
      }
      const picture = await page.screenshot({ animations: "disabled" });
      if (process.env.UPDATE_DOCS) {
        await writeFile(PICTURE, picture);
      }
      const kept = await readFile(PICTURE);
      // Fonts are drawn differently by each machine: the picture is compared by its size only.
      assert.deepEqual([kept.readUInt32BE(16), kept.readUInt32BE(20)], [SIZE.width * 2, SIZE.height * 2]);
    },
    { viewport: SIZE, deviceScaleFactor: 2, reducedMotion: "reduce" },
  ));
