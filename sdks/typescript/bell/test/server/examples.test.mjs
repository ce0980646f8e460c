// The examples for the web, as they are run.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { BINARY } from "../../../../../tests/clients/node/server.mjs";
import { within } from "../../../../../tests/clients/node/waiting.mjs";
import { becomes, launch, onPage } from "../browser.mjs";

const EXAMPLE = fileURLToPath(new URL("../../../../../examples/web/web.mjs", import.meta.url));
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

for (const kind of ["page", "react"]) {
  test(`examples/web: ${kind}`, async () => {
    const example = spawn(process.execPath, [EXAMPLE, kind], {
      env: { ...process.env, CAMPANILE_BIN: BINARY },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const gone = once(example, "exit");
    try {
      const lines = createInterface({ input: example.stdout });
      const [line] = await within(once(lines, "line"), "the example to say where it is");
      const address = /http:\S+/.exec(line)?.[0] ?? assert.fail(line);
      await onPage(
        browser,
        address,
        async (page) => {
          // What came before the bell was live is in its list, but is no toast.
          await becomes(
            page,
            'document.querySelector("campanile-bell")?.client?.getSnapshot().state',
            "live",
          );
          await page.getByRole("button", { name: "Something happens" }).click();
          await page.locator(".toast", { hasText: "Your order is on its way" }).waitFor();
          await page.locator(".badge").getByText("1").waitFor();
          if (kind === "react") await page.getByRole("button", { name: "Read", exact: true }).click();
          else {
            await page.locator("button.bell").click();
            await page.locator("article").click();
          }
          await page.locator(".badge").waitFor({ state: "hidden" });
        },
        { foreseen: /favicon|404/ },
      );
    } finally {
      example.kill();
      await within(gone, "the example to end");
    }
  });
}
