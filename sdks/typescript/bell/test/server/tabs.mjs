// The real server, and tabs with a bell that is connected to it.

import { after, before } from "node:test";
import { Server } from "../../../../../tests/clients/node/server.mjs";
import { workspaceToken } from "../../../../../tests/clients/node/token.mjs";
import { becomes, launch } from "../browser.mjs";
import { Site } from "../site.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").BrowserContext} BrowserContext */

const LIMIT_MS = 20_000;

/** For the tests of a file. */
export function connected() {
  /** @type {Server} */
  let server;
  /** @type {Site} */
  let site;
  /** @type {import("playwright-core").Browser} */
  let browser;
  before(async () => {
    server = await Server.start();
    const body = `<body><header><campanile-bell workspace="acme"></campanile-bell></header>
      <script type="module" src="/page.js"></script></body>`;
    site = await Site.start("page/own.mjs", body);
    // What a back end does: it knows its user, and answers with a token of that user.
    site.routes.set("/token", (request, response) => {
      const user = new URL(request.url ?? "", site.origin).searchParams.get("user") ?? "somebody";
      response.end(workspaceToken(user));
    });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    site?.end();
    await server?.end();
  });
  return {
    get server() {
      return server;
    },
    get site() {
      return site;
    },
    /**
     * Runs a test with a context, whose tabs share what tabs of a browser share.
     *
     * @param {(context: BrowserContext) => Promise<unknown>} run
     */
    async within(run) {
      const context = await browser.newContext({ viewport: { width: 1000, height: 760 } });
      context.setDefaultTimeout(LIMIT_MS);
      try {
        await run(context);
      } finally {
        await context.close();
      }
    },
    /**
     * A tab whose bell is of `user`, and live.
     *
     * @param {BrowserContext} context
     * @param {string} user
     */
    async tab(context, user) {
      const page = await context.newPage();
      await page.goto(site.origin);
      await signIn(page, server.http(""), user);
      return page;
    },
  };
}

/**
 * Gives a page's bell the token of a user, and waits until it is live.
 *
 * @param {Page} page
 * @param {string} url
 * @param {string} user
 */
export async function signIn(page, url, user) {
  await page.evaluate(
    ({ url, user }) => {
      const bell = document.querySelector("campanile-bell");
      if (!bell) throw new Error("there is no bell");
      Object.assign(window, { asked: [] });
      bell.url = url;
      bell.token = async (reason) => {
        // @ts-expect-error a global of this page
        window.asked.push(reason);
        return (await fetch(`/token?user=${user}`)).text();
      };
    },
    { url, user },
  );
  await becomes(page, 'document.querySelector("campanile-bell").client?.getSnapshot().state', "live");
}

/** What its badge says; nothing if it is not there. @param {Page} page */
export const badge = (page) => page.locator(".badge");

/** @param {Page} page */
export async function open(page) {
  await page.locator("button.bell").click();
  await page.getByRole("dialog").waitFor();
}
