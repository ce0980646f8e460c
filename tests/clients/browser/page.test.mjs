// A page in Chromium on both surfaces.

import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server } from "../node/server.mjs";
import { productToken, seconds, workspaceToken } from "../node/token.mjs";
import { until } from "../node/waiting.mjs";
import { launch, Tab } from "./browser.mjs";
import { Site } from "./site.mjs";

/** @type {Server} */
let server;
/** @type {Site} */
let site;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  server = await Server.start();
  site = await Site.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  site?.end();
  await server?.end();
});

/** @param {string} address */
async function connected(address) {
  const tab = await Tab.open(browser, site.at("index.html"));
  await tab.connect(address);
  await tab.is("connected");
  return tab;
}

test("workspace surface: notifications are shown, PING is answered, mark_read is done", async (t) => {
  const tab = await connected(server.workspaceOf("alice"));
  const { id } = await server.publish("acme", "alice", { title: "New Order", message: "Order #12345" });
  assert.equal(await tab.item("notifications", 0), "New OrderOrder #12345info");
  const markup = { title: "<b>bold</b>", message: "<img src=x onerror=alert(1)> 🔔", type: "alert" };
  await server.publish("acme", "alice", markup);
  assert.equal(await tab.item("notifications", 1), "<b>bold</b><img src=x onerror=alert(1)> 🔔alert");
  assert.equal(await tab.page.locator("#notifications b, #notifications img").count(), 0);

  await tab.send("PING");
  assert.equal(await tab.item("frames", 0), '{"type":"pong"}');
  await tab.send(JSON.stringify({ action: "mark_read", id }));
  await until(async () => (await server.inbox("alice")).unread === 1, "one is read");
  assert.deepEqual(await tab.items("log"), ["open"]);
  const screenshot = join(tmpdir(), "campanile-page.png");
  await tab.page.screenshot({ path: screenshot });
  t.diagnostic(`screenshot: ${screenshot}`);
  await tab.close();
});

test("product surface: greeting, notification, pong, mark_read, and replay after being away", async () => {
  const tab = await connected(server.productOf("bob"));
  const message = "Notification WebSocket connected";
  assert.equal(
    await tab.item("frames", 0),
    JSON.stringify({ type: "CONNECTION_ESTABLISHED", message, userId: "bob" }),
  );
  const fields = { title: "Expiry", message: "Milk expires", type: "warning", productName: "Milk" };
  const { id } = await server.publish("default", "bob", fields);
  assert.equal(await tab.item("notifications", 0), "ExpiryMilk expireswarning");
  await tab.send("PING");
  assert.equal(await tab.item("frames", 1), '{"type":"pong"}');
  await tab.send(JSON.stringify({ action: "mark_read", id }));
  assert.equal(await tab.item("frames", 2), JSON.stringify({ type: "marked_read", id }));
  await tab.close();

  await server.publish("default", "bob", { title: "Expiry", message: "Eggs expire", type: "error" });
  const back = await connected(server.productOf("bob"));
  assert.equal(await back.item("notifications", 0), "ExpiryEggs expireerror");
  await back.send("PING");
  await back.item("frames", 1);
  assert.deepEqual(await back.items("notifications"), ["ExpiryEggs expireerror"]);
  await back.close();
});

test("the page sees why it is refused, on a connection that was opened", async () => {
  const path = "/api/ws/notification";
  const cases = new Map([
    [server.ws("/?workspaceSlug=acme"), '4001 "unauthorized"'],
    [server.workspace("garbage"), '4001 "unauthorized"'],
    [server.ws(`/?token=${workspaceToken("carol")}`), '4002 "workspaceSlug required"'],
    [server.workspace(workspaceToken("carol", { exp: seconds() - 1 })), '4003 "token expired"'],
    [server.ws(path), '1008 "Access token required"'],
    [server.ws(`${path}?access_token=`), '1008 "Access token required"'],
    [server.product("garbage"), '1008 "Access token invalid"'],
    [server.product(productToken("carol", { exp: seconds() - 1 })), '1008 "Access token expired"'],
  ]);
  const tab = await Tab.open(browser, site.at("index.html"));
  for (const [address, close] of cases) {
    const seen = (await tab.items("log")).length;
    await tab.connect(address);
    assert.equal(await tab.item("log", seen + 1), `close ${close} clean`, address);
    assert.equal(await tab.item("log", seen), "open", address);
  }
  assert.deepEqual(await tab.items("notifications"), []);
  assert.deepEqual(await tab.items("frames"), []);
  await tab.close();
});

test("the page sees its token's end, its replacement, and a message that is too big", async () => {
  const exp = seconds() + 3;
  const ending = await connected(server.workspace(workspaceToken("dave", { exp })));
  const first = await connected(server.workspaceOf("erin"));
  const second = await connected(server.workspaceOf("erin"));
  assert.equal(await first.item("log", 1), 'close 4009 "replaced by a newer connection" clean');
  await second.send("x".repeat(65_536));
  await second.send("PING");
  assert.equal(await second.item("frames", 0), '{"type":"pong"}');
  await second.send("x".repeat(65_537));
  assert.match(await second.item("log", 1), /^close 1009 ".*" clean$/);
  assert.equal(await ending.item("log", 1), 'close 4003 "token expired" clean');
  await Promise.all([ending, first, second].map((tab) => tab.close()));
});
