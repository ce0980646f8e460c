// A bell on the documented surfaces: what arrives is listed and toasted, and can be marked read.

import { test } from "node:test";
import { productToken } from "../../../../../tests/clients/node/token.mjs";
import { until } from "../../../../../tests/clients/node/waiting.mjs";
import { badge, connected, open, signIn } from "./tabs.mjs";

const at = connected();

for (const [surface, workspace] of /** @type {const} */ ([
  ["workspace", "acme"],
  ["product", "default"],
])) {
  test(`the ${surface} surface`, () =>
    at.within(async (context) => {
      const user = `on-${surface}`;
      const page = await context.newPage();
      if (surface === "product")
        await page.route("**/token?*", (route) => route.fulfill({ body: productToken(user) }));
      await page.goto(at.site.origin);
      await page.evaluate(
        (surface) => document.querySelector("campanile-bell")?.setAttribute("surface", surface),
        surface,
      );
      await signIn(page, at.server.http(""), user);
      await at.server.publish(workspace, user, { title: "Arrived" });
      await page.locator(".toast", { hasText: "Arrived" }).waitFor();
      await badge(page).getByText("1").waitFor();
      await open(page);
      await page.locator("article", { hasText: "Arrived" }).hover();
      await page.getByRole("button", { name: "Mark as read", exact: true }).click();
      await badge(page).waitFor({ state: "hidden" });
      if (surface === "product")
        await until(async () => (await at.server.list(user))[0]?.isRead === true, "it is read");
      else await until(async () => (await at.server.inbox(user)).unread === 0, "it is read");
    }));
}
