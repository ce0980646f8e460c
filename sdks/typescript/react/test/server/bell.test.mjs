// <Bell> without a provider: a client of its own, against the real server.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server } from "../../../../../tests/clients/node/server.mjs";
import { workspaceToken } from "../../../../../tests/clients/node/token.mjs";
import { becomes } from "../../../bell/test/browser.mjs";
import { application } from "../app_site.mjs";

/** @typedef {import("playwright-core").Page} Page */

const site = application();
/** @type {Server} */
let server;
before(async () => {
  server = await Server.start();
});
after(() => server?.end());

/** @param {Page} page @param {object} bell */
const show = (page, bell) =>
  page.evaluate((bell) => app.show("bell", { bell: { toasts: "off", ...bell } }, true), {
    url: server.http(""),
    workspace: "acme",
    ...bell,
  });

/** @param {Page} page @param {string} name */
const named = (page, name) => page.getByRole("button", { name, exact: true }).waitFor();

const SHOWN = `(({ state, user, items }) => [state, user, items.length])(
  document.querySelector("campanile-bell").client.getSnapshot())`;

for (const none of [undefined, null, ""])
  test(`a token that is taken away (${JSON.stringify(none)}) takes its user along`, () =>
    site.on(async (page) => {
      const [alice, bob] = [`alice-${none}`, `bob-${none}`];
      await server.publish("acme", alice, { title: "Of alice" });
      await show(page, { token: workspaceToken(alice) });
      await named(page, "Notifications: 1 unread");
      await show(page, none === undefined ? {} : { token: none });
      assert.deepEqual(await page.evaluate(SHOWN), ["idle", null, 0]);
      await named(page, "Notifications");
      await show(page, { token: workspaceToken(bob) });
      await becomes(page, SHOWN, ["live", bob, 0]);
      await named(page, "Notifications");
    }));

test("a workspace that is taken away, and another surface", () =>
  site.on(async (page) => {
    const token = workspaceToken("carol");
    await server.publish("acme", "carol", { title: "Before" });
    await show(page, { token });
    await named(page, "Notifications: 1 unread");
    await show(page, { token, workspace: undefined });
    await becomes(page, SHOWN, ["idle", null, 0]);
    await show(page, { token, surface: "workspace" });
    await becomes(page, SHOWN, ["live", "carol", 0]);
    // There are no counts on this surface before something arrives.
    await server.publish("acme", "carol", { title: "After" });
    await named(page, "Notifications: 1 unread");
    await show(page, { token });
    await named(page, "Notifications: 2 unread");
  }));
