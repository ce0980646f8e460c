// Rendered by a server, taken over by a browser without a word of complaint, and then live.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { Server } from "../../../../../tests/clients/node/server.mjs";
import { workspaceToken } from "../../../../../tests/clients/node/token.mjs";
import { becomes, launch, onPage } from "../../../bell/test/browser.mjs";
import { Site } from "../../../bell/test/site.mjs";
import { Application } from "../page/hydrated.mjs";

/** @type {Server} */
let server;
/** @type {Site} */
let site;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  server = await Server.start();
  site = await Site.start("page/hydrating.mjs", "", new URL("../app_site.mjs", import.meta.url).href);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  site?.end();
  await server?.end();
});

test("hydration", async () => {
  await server.publish("acme", "alice", { title: "One" });
  const props = { url: server.http(""), token: workspaceToken("alice") };
  const html = renderToString(createElement(Application, props));
  assert.match(html, /<p id="count">0 idle<\/p>/);
  site.body = `<body><div id="root" data-url="${props.url}" data-token="${props.token}">${html}</div>
    <script type="module" src="/page.js"></script></body>`;
  await onPage(browser, site.origin, async (page) => {
    await becomes(page, 'document.querySelector("#count").textContent', "1 live");
    await page.getByRole("button", { name: "Notifications: 1 unread" }).waitFor();
  });
});
