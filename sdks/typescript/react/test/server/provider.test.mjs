// A provider that makes its client, in strict mode, against the real server.

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

/** @param {string} id */
const text = (id) => `document.querySelector("#${id}")?.textContent`;

/** @param {Page} page @param {string} name @param {string} user @param {object} more */
const show = (page, name, user, more = {}) =>
  page.evaluate(({ name, options, more }) => app.show(name, { options, ...more }, true), {
    name,
    options: { url: server.http(""), workspace: "acme", token: workspaceToken(user) },
    more,
  });

test("mounted twice by strict mode: one socket, the inbox, the count, what is read; and the bell agrees", () =>
  site.on(async (page) => {
    let sockets = 0;
    page.on("websocket", () => sockets++);
    const { id } = await server.publish("acme", "alice", { title: "One" });
    await server.publish("acme", "alice", { title: "Two" });
    await show(page, "bell", "alice", { bell: { toasts: "off" } });
    await becomes(page, text("items"), "2 of 2 true");
    await server.publish("acme", "alice", { title: "Three" });
    await becomes(page, text("items"), "3 of 3 true");
    await page.evaluate((id) => actions.read(id), id);
    await becomes(page, text("items"), "3 of 2 true");
    await page.getByRole("button", { name: "Notifications: 2 unread" }).waitFor();
    assert.equal(sockets, 1);
    assert.equal((await server.inbox("alice")).unread, 2);
  }));

test("another user's token: nothing of the former is painted", () =>
  site.on(async (page) => {
    await server.publish("acme", "bob", { title: "Of bob" });
    await show(page, "hooks", "bob");
    await becomes(page, text("items"), "1 of 1 true");
    const seen = await page.evaluate(
      async (options) => {
        const seen = new Set();
        app.show("hooks", { options }, true);
        for (let frame = 0; frame < 30; frame++) {
          await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
          seen.add(document.querySelector("#items")?.textContent);
        }
        return [...seen];
      },
      { url: server.http(""), workspace: "acme", token: workspaceToken("carol") },
    );
    assert(!seen.some((items) => items?.startsWith("1 ")), seen.join());
    await becomes(page, text("items"), "0 of 0 true");
  }));

test("a user who is named no more, with a token function: nothing of the former is painted", () =>
  site.on(async (page) => {
    await server.publish("acme", "erin", { title: "Of erin" });
    /** @param {string | undefined} user @param {string} signedIn */
    const named = (user, signedIn) =>
      page.evaluate(
        async ({ url, user, tokenText }) => {
          // A function with each rendering, as applications write it.
          app.show("hooks", { options: { url, workspace: "acme", user, token: () => tokenText } }, true);
          const seen = new Set();
          for (let frame = 0; frame < 30; frame++) {
            await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
            seen.add(document.querySelector("#items")?.textContent);
          }
          return [...seen];
        },
        { url: server.http(""), user, tokenText: workspaceToken(signedIn) },
      );
    await named("erin", "erin");
    await becomes(page, text("items"), "1 of 1 true");
    const seen = await named(undefined, "frank");
    assert(!seen.some((items) => items?.startsWith("1 ")), seen.join());
    await becomes(page, text("items"), "0 of 0 true");
  }));

test("unmounting disconnects and forgets nothing; without a network the cached list is there at once", () =>
  site.on(async (page) => {
    await server.publish("acme", "dave", { title: "Kept" });
    await show(page, "hooks", "dave");
    await becomes(page, text("items"), "1 of 1 true");
    await page.evaluate(() => app.end());
    await page.context().setOffline(true);
    await show(page, "hooks", "dave");
    await becomes(page, text("items"), "1 of 1 false");
    await page.context().setOffline(false);
    await becomes(page, text("items"), "1 of 1 true");
  }, /ERR_INTERNET_DISCONNECTED/));
