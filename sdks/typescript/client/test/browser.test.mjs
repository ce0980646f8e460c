// The client in Chromium: what only a browser has. IndexedDB, tabs, the network going and coming.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { page as inboxPage, item, notification, Rig } from "./rig.mjs";
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

// What a worker runs: no page, and so nothing hidden; told what to do by its page, and tells what it shows.
const WORKER = `import { Campanile } from "/campanile.min.js";
const token = (user) => ["", btoa(JSON.stringify({ userId: user })), ""].join(".");
let client;
const run = (port) => {
  port.onmessage = ({ data: [name, value] }) => {
    if (name === "start") {
      client ??= new Campanile({ url: location.origin, workspace: "demo", token: () => token(value) });
      const tell = () => {
        const { state, unread, items } = client.getSnapshot();
        port.postMessage(state + " " + unread + " " + items.map(({ id }) => id));
      };
      client.subscribe(tell);
      client.on("error", (error) => port.postMessage("error " + error.code));
      client.connect();
      tell();
    } else client[name](value);
  };
};
if ("onconnect" in self) self.onconnect = ({ ports: [port] }) => run(port);
else run(self);
`;

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
 * @param {string} name
 * @param {(rig: Rig, open: () => Promise<Page>) => Promise<void>} story
 */
function story(name, story) {
  test(name, { timeout: 60_000 }, async () => {
    const server = await ScriptedServer.start();
    const folder = new URL("../dist/browser/", import.meta.url);
    for (const file of readdirSync(folder))
      server.files.set(`/${file}`, ["text/javascript", readFileSync(new URL(file, folder))]);
    server.files.set("/", ["text/html", PAGE]);
    server.files.set("/worker.js", ["text/javascript", WORKER]);
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
 * @param {Page} page
 * @param {string} shown
 */
const shows = (page, shown) =>
  page
    .waitForFunction((wanted) => /** @type {any} */ (window).shown() === wanted, shown, { timeout: 20_000 })
    .catch(async () => {
      assert.equal(await page.evaluate("window.shown()"), shown);
    });

/** @param {Rig} rig */
const live = async (rig, more = {}) => {
  const socket = await rig.dialled({ expiresAt: new Date(Date.now() + 3_600_000).toISOString(), ...more });
  return socket;
};

story("two tabs share one socket, and a third one shows what was kept", async (rig, open) => {
  const first = await open();
  await first.evaluate("start('alice')");
  const socket = await live(rig);
  assert.match(socket.query.ticket, /^ticket-/);
  await rig.paged([item(7)]);
  await shows(first, "live 1 n7");
  const second = await open();
  await second.evaluate("start('alice')");
  await shows(second, "live 1 n7");
  socket.send(notification(9));
  for (const tab of [first, second]) await shows(tab, "live 2 n9,n7");
  await second.evaluate("client.read('n9')");
  assert.equal(JSON.parse(await socket.texts.next("read")).id, "n9");
  for (const tab of [first, second]) await shows(tab, "live 1 n9,n7");
  assert.deepEqual(rig.server.dials.left, []);
  // The tab that leads is closed, and the other one goes on where it was.
  await first.close();
  const next = await live(rig, { resumed: true, seq: 9, head: 9, unread: 2 });
  assert.deepEqual([next.query.since, next.query.epoch], ["9", "9f3c"]);
  assert.equal(JSON.parse(await next.texts.next("read")).id, "n9");
  await shows(second, "live 1 n9,n7");
  await second.waitForTimeout(1_100);
  await second.reload();
  await second.waitForFunction("window.ready");
  await second.evaluate("start('alice')");
  await live(rig, { resumed: true, seq: 9, head: 9, unread: 2 });
  await shows(second, "live 1 n9,n7");
  // The list was there before the connection.
  assert.equal(await second.evaluate("window.first"), "connecting n9,n7");
});

story("who signs out leaves nothing, in no tab and no database", async (rig, open) => {
  const first = await open();
  await first.evaluate("start('alice')");
  const socket = await live(rig);
  await rig.paged([item(7)]);
  await shows(first, "live 1 n7");
  const second = await open();
  await second.evaluate("start('alice')");
  await shows(second, "live 1 n7");
  await second.evaluate("client.close()");
  for (const tab of [first, second]) await shows(tab, "closed 0 ");
  await socket.closed;
  const kept = `new Promise((resolve) => {
    const request = indexedDB.open("campanile", 1);
    request.onsuccess = () => {
      const all = request.result.transaction("kept").objectStore("kept").getAllKeys();
      all.onsuccess = () => resolve(all.result.length);
    };
  })`;
  for (const tab of [first, second]) assert.equal(await tab.evaluate(kept), 0);
  await second.evaluate("start('bob')");
  const bobs = await live(rig, { user: "bob", unread: 0 });
  assert(!("since" in bobs.query));
  await rig.paged([], { unread: 0 });
  await shows(second, "live 0 ");
  assert.equal(await second.evaluate("window.first"), undefined);
});

story("who signs out on a page of its own leaves nothing in any workspace", async (rig, open) => {
  const first = await open();
  await first.evaluate("start('alice')");
  const socket = await live(rig);
  await rig.paged([item(7)]);
  await shows(first, "live 1 n7");
  const second = await open();
  await second.evaluate("start('alice', { workspace: 'other' })");
  const other = await live(rig, { workspace: "other" });
  await rig.paged([item(7)]);
  await shows(second, "live 1 n7");
  await second.evaluate("client.update({ workspace: 'third' })");
  await other.closed;
  const third = await live(rig, { workspace: "third", unread: 0 });
  await rig.paged([], { unread: 0 });
  await shows(second, "live 0 ");
  await second.evaluate("client.disconnect()");
  await third.closed;
  // It knows the user, and never connects.
  const last = await open();
  const kept = `new Promise((resolve) => {
    const request = indexedDB.open("campanile", 1);
    request.onsuccess = () => {
      const all = request.result.transaction("kept").objectStore("kept").getAllKeys();
      all.onsuccess = () => resolve(all.result.map((key) => key.split(" ").at(-2)));
    };
  })`;
  // Another user's sign-out is nothing to these.
  await last.evaluate("new Campanile({ url: location.origin, user: 'bob' }).close()");
  await first.waitForTimeout(1_100);
  await shows(first, "live 1 n7");
  const before = /** @type {string[]} */ (await last.evaluate(kept));
  assert.deepEqual(new Set(before), new Set(["demo", "other", "third"]));
  await last.evaluate("new Campanile({ url: location.origin, user: 'alice' }).close()");
  for (const tab of [first, second]) await shows(tab, "closed 0 ");
  await socket.closed;
  assert.deepEqual(await last.evaluate(kept), []);
});

story("when the tab that leads hangs, another one takes over", async (rig, open) => {
  const first = await open();
  await first.evaluate("start('alice')");
  const socket = await live(rig);
  await rig.paged([item(7)]);
  await shows(first, "live 1 n7");
  const second = await open();
  // It loses its patience with other tabs 20 times as soon.
  await second.evaluate(
    "start('alice', { environment: { setTimeout: (then, ms) => setTimeout(then, ms > 10_000 ? ms / 20 : ms) } })",
  );
  await shows(second, "live 1 n7");
  const asked = first.waitForEvent("dialog");
  await first.evaluate("void setTimeout(() => alert('It waits for an answer.'))");
  const dialog = await asked;
  const next = await live(rig, { resumed: true, seq: 7, head: 8, unread: 2 });
  next.send(notification(8));
  await shows(second, "live 2 n8,n7");
  await dialog.accept();
  await socket.closed;
  await shows(first, "live 2 n8,n7");
  next.send(notification(9));
  for (const tab of [first, second]) await shows(tab, "live 3 n9,n8,n7");
  assert.deepEqual(rig.server.dials.left, []);
});

story("a browser that lets tabs share nothing connects each", async (rig, open) => {
  for (let sockets = 0; sockets < 2; sockets++) {
    const tab = await open();
    await tab.evaluate(() => {
      // What Firefox does where cookies are blocked.
      const forbidden = () => new DOMException("The operation is insecure.", "SecurityError");
      // @ts-expect-error a global of the platform
      window.BroadcastChannel = function BroadcastChannel() {
        throw forbidden();
      };
      navigator.locks.request = async () => {
        throw forbidden();
      };
    });
    await tab.evaluate("start('alice')");
    const socket = await live(rig);
    await rig.paged([item(7)]);
    await shows(tab, "live 1 n7");
    await tab.evaluate("client.close()");
    await shows(tab, "closed 0 ");
    await socket.closed;
  }
});

story("a network that goes and comes", async (rig, open) => {
  const tab = await open();
  await tab.evaluate("start('alice')");
  const socket = await live(rig);
  await rig.paged([item(7)]);
  await shows(tab, "live 1 n7");
  await tab.context().setOffline(true);
  await shows(tab, "suspended 1 n7");
  await tab.evaluate("client.archive('n7')");
  await shows(tab, "suspended 0 ");
  await tab.context().setOffline(false);
  await socket.closed;
  const next = await live(rig, { resumed: true });
  assert.equal(JSON.parse(await next.texts.next("archive")).action, "archive");
  await shows(tab, "live 0 ");
});

/**
 * Hides a page, or shows it. No page of a headless browser is ever hidden, so it is told to say so.
 *
 * @param {Page} tab
 * @param {"hidden" | "visible"} state
 */
const becomes = (tab, state) =>
  tab.evaluate((state) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, value: state });
    Object.defineProperty(document, "hidden", { configurable: true, value: state === "hidden" });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  }, state);

/** A live page whose clock stands, and goes on as far as it is told to. @param {Rig} rig @param {Page} tab */
async function stopped(rig, tab) {
  await tab.clock.install();
  await tab.clock.pauseAt(Date.now() + 10_000);
  await tab.evaluate("start('alice')");
  const hours = 5 * 3_600_000;
  const socket = await live(rig, {
    heartbeatMs: hours,
    expiresAt: new Date(Date.now() + 10 * hours).toISOString(),
  });
  await rig.paged([item(7)]);
  await shows(tab, "live 1 n7");
  return socket;
}

/** The page has asked for nothing, is looked at again, and is back within a second. @param {Rig} rig @param {Page} tab */
async function isBack(rig, tab) {
  const asked = rig.server.requests.left.map(({ path }) => path).filter((path) => path.startsWith("/v1"));
  assert.deepEqual([rig.server.dials.left, asked], [[], []]);
  await becomes(tab, "visible");
  await shows(tab, "waiting 1 n7");
  assert.equal(rig.server.tokens.length, 1);
  await tab.clock.runFor(1_000);
  const next = await live(rig, { resumed: true });
  assert.deepEqual([next.query.since, next.query.epoch], ["7", "9f3c"]);
  await shows(tab, "live 1 n7");
}

story("a hidden page hangs up after five minutes, and comes back when it is looked at", async (rig, open) => {
  const tab = await open();
  const socket = await stopped(rig, tab);
  await becomes(tab, "hidden");
  await tab.clock.runFor(299_999);
  assert.equal(await tab.evaluate("window.shown()"), "live 1 n7");
  await tab.clock.runFor(1);
  assert.equal(await tab.evaluate("window.shown()"), "suspended 1 n7");
  await socket.closed;
  await tab.clock.runFor(3_600_000);
  await isBack(rig, tab);
});

story("a hidden page retries for half a minute, and goes on when it is looked at", async (rig, open) => {
  const tab = await open();
  const socket = await stopped(rig, tab);
  await becomes(tab, "hidden");
  await tab.clock.runFor(29_999);
  socket.cut();
  await shows(tab, "waiting 1 n7");
  await tab.clock.runFor(1);
  assert.equal(await tab.evaluate("window.shown()"), "suspended 1 n7");
  await tab.clock.runFor(3_600_000);
  await isBack(rig, tab);
});

story("a burst of a thousand is all there", async (rig, open) => {
  const tab = await open();
  await tab.evaluate("start('alice')");
  const socket = await live(rig, { seq: 0, head: 0, unread: 0 });
  (await rig.server.requests.next("page")).answer(200, inboxPage([], { head: 0, unread: 0, unseen: 0 }));
  await shows(tab, "live 0 ");
  for (let seq = 1; seq <= 1_000; seq++) socket.send(notification(seq));
  await tab.waitForFunction("client.getSnapshot().items.length === 1000", undefined, { timeout: 20_000 });
  const ordered = "client.getSnapshot().items.every(({ seq }, at) => seq === 1000 - at)";
  assert.equal(await tab.evaluate(ordered), true);
});

/** Starts a worker of the page, and gives `tell(name, value)` and `shown()` as the page itself has them. */
const START_WORKER = `(kind) => {
  const worker = new (kind === "shared" ? SharedWorker : Worker)("/worker.js", { type: "module" });
  const port = worker.port ?? worker;
  let told = "";
  port.onmessage = ({ data }) => {
    if (data.startsWith("error")) console.error(data);
    else told = data;
  };
  worker.onerror = ({ message }) => console.error(message ?? "the worker failed");
  window.shown = () => told;
  window.tell = (...what) => port.postMessage(what);
  tell("start", "alice");
}`;

for (const kind of ["dedicated", "shared"])
  story(`a ${kind} worker connects, receives, reads, and shares with a page`, async (rig, open) => {
    const tab = await open();
    await tab.evaluate(`(${START_WORKER})("${kind}")`);
    const socket = await live(rig);
    await rig.paged([item(7)]);
    await shows(tab, "live 1 n7");
    socket.send(notification(9));
    await shows(tab, "live 2 n9,n7");
    await tab.evaluate("tell('read', 'n9')");
    const { id, ref } = JSON.parse(await socket.texts.next("read"));
    assert.equal(id, "n9");
    socket.send({ type: "ok", ref, changed: true, rev: 4, unread: 1 });
    await shows(tab, "live 1 n9,n7");
    // Locks, channels and the database are the browser's: a page of the same user has no socket of its own.
    const page = await open();
    await page.evaluate("start('alice')");
    await shows(page, "live 1 n9,n7");
    assert.deepEqual(rig.server.dials.left, []);
    await page.evaluate("client.close()");
    await shows(tab, "closed 0 ");
    await socket.closed;
  });
