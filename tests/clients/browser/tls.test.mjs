// wss from a page in Chromium, with a certificate of a test authority.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Certificates } from "../node/certificates.mjs";
import { Server } from "../node/server.mjs";
import { launch, Tab } from "./browser.mjs";
import { Site } from "./site.mjs";

/** @type {Certificates} */
let certificates;
/** @type {Server} */
let server;
/** @type {Site} */
let site;
before(async () => {
  certificates = await Certificates.make();
  site = await Site.start();
  const origins = JSON.stringify([new URL(site.at("")).origin]);
  server = await Server.start({ ...certificates.environment, CAMPANILE_SERVER__ALLOWED_ORIGINS: origins });
});
after(async () => {
  site?.end();
  await server?.end();
  await certificates?.remove();
});

test("a page of a listed origin receives within TLS", async () => {
  const browser = await launch([`--ignore-certificate-errors-spki-list=${await certificates.pin()}`]);
  try {
    const tab = await Tab.open(browser, site.at("index.html"));
    await tab.connect(server.workspaceOf("alice"));
    await tab.is("connected");
    await certificates.publish(server.http("/v1/workspaces/acme/notifications"), "Within");
    assert.equal(await tab.item("notifications", 0), "WithinA messageinfo");
    await tab.close();
    // The same page by another name is another origin.
    const other = await Tab.open(browser, site.at("index.html").replace("127.0.0.1", "localhost"));
    await other.connect(server.workspaceOf("bob"));
    assert.equal(await other.item("log", 0), "error");
    await other.is("disconnected");
    await other.close();
  } finally {
    await browser.close();
  }
});

test("a browser that does not know the certificate does not connect", async () => {
  const browser = await launch();
  try {
    const tab = await Tab.open(browser, site.at("index.html"));
    await tab.connect(server.workspaceOf("alice"));
    assert.equal(await tab.item("log", 0), "error");
    await tab.is("disconnected");
    await tab.close();
  } finally {
    await browser.close();
  }
});
