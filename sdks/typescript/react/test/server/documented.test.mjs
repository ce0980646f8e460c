// The hook of the workspace documents, against the real server: ours, and an application's own around a bare socket.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server } from "../../../../../tests/clients/node/server.mjs";
import { seconds, sign, workspaceToken } from "../../../../../tests/clients/node/token.mjs";
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

const STATUS = 'document.querySelector("#status")?.textContent';
const SHOWN = '[...document.querySelectorAll(".shown h3")].map((heading) => heading.textContent)';

/** @param {Page} page @param {string} name @param {object} props @param {boolean} [strict] */
const show = (page, name, props, strict = false) =>
  page.evaluate(({ name, props, strict }) => app.show(name, props, strict), { name, props, strict });

/** A user's token for some workspaces. @param {string} user @param {string[]} workspaces */
const tokenFor = (user, workspaces) => sign({ userId: user, workspaces, exp: seconds() + 3600 });

for (const strict of [false, true]) {
  const mode = strict ? "mounted twice by strict mode" : "mounted once";
  test(`ours, ${mode}: connects, receives each once, newest first, and ends with the component`, () =>
    site.on(async (page) => {
      const user = `ours-${strict}`;
      /** @type {import("playwright-core").WebSocket[]} */
      const sockets = [];
      page.on("websocket", (socket) => sockets.push(socket));
      await show(
        page,
        "panel",
        { token: workspaceToken(user), workspace: "acme", url: server.http("") },
        strict,
      );
      await becomes(page, STATUS, "Status: Connected");
      await server.publish("acme", user, { title: "One" });
      await server.publish("acme", user, { title: "Two" });
      await becomes(page, SHOWN, ["Two", "One"]);
      assert.equal(sockets.length, 1);
      const closed = sockets[0]?.waitForEvent("close");
      await page.evaluate(() => app.end());
      await closed;
    }));
}

test("ours: another workspace starts anew; another user's token too, and not a frame shows both", () =>
  site.on(async (page) => {
    const url = server.http("");
    const workspaces = ["acme", "other"];
    const alice = tokenFor("alice", workspaces);
    await show(page, "panel", { token: alice, workspace: "acme", url }, true);
    await becomes(page, STATUS, "Status: Connected");
    await server.publish("acme", "alice", { title: "In acme" });
    await becomes(page, SHOWN, ["In acme"]);
    await show(page, "panel", { token: alice, workspace: "other", url }, true);
    await becomes(page, SHOWN, []);
    await becomes(page, STATUS, "Status: Connected");
    await server.publish("acme", "alice", { title: "In acme again" });
    await server.publish("other", "alice", { title: "In other" });
    await becomes(page, SHOWN, ["In other"]);

    // From the first frame on, nothing of the former user is painted.
    const seen = await page.evaluate(
      async (props) => {
        const seen = [];
        app.show("panel", props, true);
        for (let frame = 0; frame < 20; frame++) {
          await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
          seen.push(document.querySelectorAll(".shown").length);
        }
        return Math.max(...seen);
      },
      { token: tokenFor("bob", workspaces), workspace: "other", url },
    );
    assert.equal(seen, 0);
    await becomes(page, STATUS, "Status: Connected");
    await server.publish("other", "alice", { title: "Not for bob" });
    await server.publish("other", "bob", { title: "For bob" });
    await becomes(page, SHOWN, ["For bob"]);
    await show(page, "panel", { token: "", workspace: "other", url }, true);
    await becomes(page, STATUS, "Status: Disconnected");
    await becomes(page, SHOWN, []);
  }));

test("ours: comes back after a restart of the server, with what it had", () =>
  site.on(async (page) => {
    const props = { token: workspaceToken("carol"), workspace: "acme", url: server.http("") };
    await show(page, "panel", props, true);
    await becomes(page, STATUS, "Status: Connected");
    await server.publish("acme", "carol", { title: "Before" });
    await becomes(page, SHOWN, ["Before"]);
    await server.stop();
    await becomes(page, STATUS, "Status: Disconnected");
    await server.boot();
    await becomes(page, STATUS, "Status: Connected");
    await server.publish("acme", "carol", { title: "After" });
    await becomes(page, SHOWN, ["After", "Before"]);
  }, /ERR_CONNECTION_REFUSED/));

for (const strict of [false, true]) {
  const mode = strict ? "mounted twice by strict mode" : "mounted once";
  test(`an application's own, ${mode}: is connected, and shows each once`, () =>
    site.on(async (page) => {
      const user = `own-${strict}`;
      const props = { token: workspaceToken(user), workspace: "acme", url: server.ws("") };
      await show(page, "documented", props, strict);
      await becomes(page, STATUS, "Status: Connected");
      await server.publish("acme", user, { title: "One", message: "<b>1</b>" });
      await server.publish("acme", user, { title: "Two" });
      await becomes(page, SHOWN, ["Two", "One"]);
      assert.deepEqual(await page.locator(".shown p").allTextContents(), ["A message", "<b>1</b>"]);
      await becomes(page, STATUS, "Status: Connected");
      // Strict mode ends the first socket before it is open, which the browser remarks upon.
    }, /closed before the connection is established/));
}
