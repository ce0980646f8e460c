// The hook of the workspace documents, against the real server: ours, and the one that the documents print.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { setTimeout as pass } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
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

/**
 * Runs a test with a page that mounts what the documents print; the server's address in place of the documents', and
 * `token` from the application's provider. `logged` is what it says on the console.
 *
 * @param {string} token
 * @param {boolean} strict
 * @param {(page: Page, logged: string[]) => Promise<unknown>} run
 * @param {string} [address]
 */
async function printed(token, strict, run, address = server.ws("")) {
  const directory = fileURLToPath(new URL("../page", import.meta.url));
  const text = await readFile(`${directory}/documented_hook.jsx`, "utf8");
  assert.equal(text.split(DOCUMENTED_ADDRESS).length, 2);
  const { outputFiles } = await build({
    stdin: {
      contents: `import { useAuthToken, signIn } from "./auth_token.mjs";
        ${text.replace(DOCUMENTED_ADDRESS, address)}
        import { StrictMode } from "react";
        import { createRoot } from "react-dom/client";
        const root = createRoot(document.querySelector("#root"));
        export { signIn };
        export function mount(strict) {
          root.render(strict ? <StrictMode><NotificationPanel /></StrictMode> : <NotificationPanel />);
        }
        export function unmount() { root.unmount(); }`,
      loader: "jsx",
      resolveDir: directory,
    },
    bundle: true,
    format: "esm",
    jsx: "automatic",
    jsxDev: true,
    define: { "process.env.NODE_ENV": '"development"' },
    write: false,
  });
  site.site.routes.set("/printed.js", (_, response) => {
    response.setHeader("content-type", "text/javascript").end(outputFiles[0]?.contents);
  });
  // Strict mode ends the first socket before it is open, which the browser and the printed `onerror` remark upon.
  const foreseen =
    /closed before the connection is established|WebSocket error: Event|Unexpected response code/;
  await site.on(async (page) => {
    /** @type {string[]} */
    const logged = [];
    page.on("console", (message) => logged.push(message.text()));
    await page.evaluate(
      async ({ token, strict }) => {
        Object.assign(window, { pasted: await import(/** @type {any} */ ("/printed.js")) });
        pasted.signIn(token);
        pasted.mount(strict);
      },
      { token, strict },
    );
    await run(page, logged);
  }, foreseen);
}

const DOCUMENTED_ADDRESS = "wss://ws.example.com";
const PRINTED_STATUS = 'document.querySelector("#root > div > div")?.textContent';
const PRINTED = '[...document.querySelectorAll("#root h3")].map((heading) => heading.textContent)';
const EXPIRED = "Token expired — refresh and reconnect";

/** A user's token for the workspace of the printed panel. @param {string} user */
const printedToken = (user, more = {}) =>
  sign({ userId: user, workspaces: ["my-workspace"], exp: seconds() + 3600, ...more });

/** Waits until the page has said something on its console. @param {string[]} logged @param {string} text */
async function logs(logged, text) {
  const end = Date.now() + 20_000;
  while (!logged.includes(text)) {
    assert(Date.now() < end, `not said: ${text}; but ${JSON.stringify(logged)}`);
    await pass(20);
  }
}

for (const strict of [false, true]) {
  const mode = strict ? "mounted twice by strict mode" : "mounted once";

  test(`as printed, ${mode}: is connected, shows each once, newest first, and ends with the page`, () => {
    const user = `printed-${strict}`;
    return printed(printedToken(user), strict, async (page, logged) => {
      await becomes(page, PRINTED_STATUS, "Status: Connected");
      await server.publish("my-workspace", user, { title: "One", message: "<b>1</b>" });
      await server.publish("my-workspace", user, { title: "Two" });
      await becomes(page, PRINTED, ["Two", "One"]);
      assert.deepEqual(await page.locator("#root p").allTextContents(), ["A message", "<b>1</b>"]);
      // Of the two sockets of strict mode the second is the one that is there, and it stays.
      await becomes(page, PRINTED_STATUS, "Status: Connected");
      assert.deepEqual(logged.filter((text) => !text.includes("WebSocket")).slice(-1), [
        "Connected to notifications",
      ]);
      await page.evaluate(() => pasted.unmount());
      await becomes(page, PRINTED_STATUS, undefined);
    });
  });

  test(`as printed, ${mode}: an expired token is told by 4003, and a fresh one connects`, () => {
    const user = `expired-${strict}`;
    return printed(printedToken(user, { exp: seconds() - 3600 }), strict, async (page, logged) => {
      await becomes(page, PRINTED_STATUS, "Status: Disconnected");
      await logs(logged, EXPIRED);
      await page.evaluate((token) => pasted.signIn(token), printedToken(user));
      await becomes(page, PRINTED_STATUS, "Status: Connected");
      await server.publish("my-workspace", user, { title: "One" });
      await becomes(page, PRINTED, ["One"]);
    });
  });
}

test("as printed: where no such server is, the printed handlers say so", () =>
  printed(
    printedToken("nobody"),
    true,
    async (page, logged) => {
      await logs(logged, "WebSocket error: Event");
      await becomes(page, PRINTED_STATUS, "Status: Disconnected");
      assert(!logged.includes("Connected to notifications"));
    },
    site.site.origin.replace("http", "ws"),
  ));
