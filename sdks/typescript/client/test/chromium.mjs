// Pages in Chromium with a scripted server, and what they show.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { item, Rig } from "./rig.mjs";
import { ScriptedServer } from "./scripted.mjs";

/** @typedef {import("playwright-core").Page} Page */

const PAGE = `<!doctype html><title>A page</title><script type="module">
import { Campanile } from "/campanile.min.js";
const token = (user) => ["", btoa(JSON.stringify({ userId: user })), ""].join(".");
window.start = (user, more) => {
  const client = (window.client = new Campanile({ url: location.origin, workspace: "demo", token: () => token(user), ...more }));
  window.first = undefined;
  client.subscribe(() => {
    const { state, items } = client.getSnapshot();
    if (items.length) window.first ??= state + " " + items.map(({ id }) => id);
  });
  client.on("error", (error) => console.error(error.code, error.detail.cause));
  client.connect();
};
window.shown = () => {
  const { state, unread, items } = client.getSnapshot();
  return state + " " + unread + " " + items.map(({ id }) => id);
};
window.Campanile = Campanile;
window.ready = true;
</script>`;

/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
});

after(() => browser?.close());

/**
 * A test with pages of one browser, none of which complains.
 *
 * @param {string} name
 * @param {(rig: Rig, open: () => Promise<Page>) => Promise<void>} story
 * @param {Record<string, string>} scripts More to load, by path.
 */
export function story(name, story, scripts = {}) {
  test(name, { timeout: 60_000 }, async () => {
    const server = await ScriptedServer.start();
    const folder = new URL("../dist/browser/", import.meta.url);
    for (const file of readdirSync(folder))
      server.files.set(`/${file}`, ["text/javascript", readFileSync(new URL(file, folder))]);
    server.files.set("/", ["text/html", PAGE]);
    for (const [path, script] of Object.entries(scripts)) server.files.set(path, ["text/javascript", script]);
    const context = await browser.newContext();
    /** @type {string[]} */
    const complaints = [];
    const open = async () => {
      const page = await context.newPage();
      page.on("pageerror", (error) => complaints.push(`${error}`));
      page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
      await page.goto(server.url);
      await page.waitForFunction("window.ready");
      return page;
    };
    try {
      await story(new Rig(server), open);
      assert.deepEqual(
        complaints.filter((complaint) => !/WebSocket|ERR_INTERNET_DISCONNECTED/.test(complaint)),
        [],
      );
    } finally {
      await context.close();
      await server.end();
    }
  });
}

/**
 * Waits until a page shows its state, its count and its items.
 *
 * @param {Page} page
 * @param {string} shown
 */
export const shows = (page, shown) =>
  page
    .waitForFunction((wanted) => /** @type {any} */ (window).shown() === wanted, shown, { timeout: 20_000 })
    .catch(async () => {
      assert.equal(await page.evaluate("window.shown()"), shown);
    });

/** The next socket, greeted by the clock of the browser. @param {Rig} rig */
export const live = (rig, more = {}) =>
  rig.dialled({ expiresAt: new Date(Date.now() + 3_600_000).toISOString(), ...more });

/** A page that is live with one unread entry, and its socket. @param {Rig} rig @param {() => Promise<Page>} open */
export async function leading(rig, open) {
  const page = await open();
  await page.evaluate("start('alice')");
  const socket = await live(rig);
  await rig.paged([item(7)]);
  await shows(page, "live 1 n7");
  return { page, socket };
}

/** A page beside it, which shares the socket. @param {() => Promise<Page>} open @param {string} more Options, as a script says them. */
export async function following(open, more = "{}") {
  const page = await open();
  await page.evaluate(`start('alice', ${more})`);
  await shows(page, "live 1 n7");
  return page;
}
