// wss from a page in Chromium, which judges the certificate as it does everybody's: by its chain and its name.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Certificates } from "../node/certificates.mjs";
import { Server } from "../node/server.mjs";
import { launch, Tab } from "./browser.mjs";
import { Home } from "./home.mjs";
import { Site } from "./site.mjs";

/** @type {Certificates} */
let certificates;
/** @type {Home} Its browser believes the authority of the server. */
let home;
/** @type {Server} */
let server;
/** @type {Site} */
let site;
before(async () => {
  certificates = await Certificates.make();
  home = await Home.trusting(certificates.authority);
  site = await Site.start();
  server = await start(certificates);
});
after(async () => {
  site?.end();
  await server?.end();
  await home?.remove();
  await certificates?.remove();
});

/** @param {Certificates} shown */
function start(shown) {
  const origins = JSON.stringify([new URL(site.at("")).origin]);
  return Server.start({ ...shown.environment, CAMPANILE_SERVER__ALLOWED_ORIGINS: origins });
}

/**
 * Lets `use` have a browser of that home.
 *
 * @param {Home | undefined} home
 * @param {string[]} more further arguments of its command line
 * @param {(browser: import("playwright-core").Browser) => Promise<void>} use
 */
async function browsing(home, more, use) {
  const browser = await launch(more, home?.path);
  try {
    await use(browser);
  } finally {
    await browser.close();
  }
}

/**
 * Connects, and expects that the browser refuses the certificate for that reason.
 *
 * @param {import("playwright-core").Browser} browser
 * @param {string} address
 * @param {string} reason
 */
async function isRefused(browser, address, reason) {
  const tab = await Tab.open(browser, site.at("index.html"));
  const said = tab.page.waitForEvent("console", (message) => message.text().includes("net::ERR_"));
  await tab.connect(address);
  assert.equal(await tab.item("log", 0), "error");
  await tab.is("disconnected");
  assert.match((await said).text(), new RegExp(`net::${reason}$`));
  await tab.close();
}

test("a page of a listed origin receives within TLS", async () => {
  await browsing(home, [], async (browser) => {
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
  });
});

test("a browser that does not know the certificate does not connect", async () => {
  await browsing(undefined, [], (browser) =>
    isRefused(browser, server.workspaceOf("alice"), "ERR_CERT_AUTHORITY_INVALID"),
  );
});

test("nor does one that knows another authority of the same name", async (t) => {
  const others = await Certificates.make();
  t.after(() => others.remove());
  const elsewhere = await Home.trusting(others.authority);
  t.after(() => elsewhere.remove());
  await browsing(elsewhere, [], (browser) =>
    isRefused(browser, server.workspaceOf("alice"), "ERR_CERT_AUTHORITY_INVALID"),
  );
});

test("a certificate is good for its own name only", async (t) => {
  const others = await Certificates.make("DNS:notify.example");
  t.after(() => others.remove());
  const trusting = await Home.trusting(others.authority);
  t.after(() => trusting.remove());
  const named = await start(others);
  t.after(() => named.end());
  const resolve = ["--host-resolver-rules=MAP notify.example 127.0.0.1, MAP other.example 127.0.0.1"];
  await browsing(trusting, resolve, async (browser) => {
    const address = named.workspaceOf("alice");
    for (const host of ["127.0.0.1", "localhost", "other.example"])
      await isRefused(browser, address.replace("127.0.0.1", host), "ERR_CERT_COMMON_NAME_INVALID");
    const tab = await Tab.open(browser, site.at("index.html"));
    await tab.connect(address.replace("127.0.0.1", "notify.example"));
    await tab.is("connected");
    await tab.close();
  });
});
