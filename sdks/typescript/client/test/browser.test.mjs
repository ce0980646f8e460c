// The client in Chromium: what only a browser has. IndexedDB, tabs, the network going and coming.

import assert from "node:assert/strict";
import { following, leading, live, shows, story } from "./chromium.mjs";
import { page as inboxPage, item, notification } from "./rig.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("./rig.mjs").Rig} Rig */

/** All that is kept, as texts: `key value`. */
const KEPT = `new Promise((resolve) => {
  const request = indexedDB.open("campanile", 1);
  request.onsuccess = () => {
    const store = request.result.transaction("kept").objectStore("kept");
    const all = [];
    store.openCursor().onsuccess = ({ target: { result: at } }) => {
      if (!at) {
        request.result.close();
        return resolve(all);
      }
      all.push(at.key + " " + JSON.stringify(at.value));
      at.continue();
    };
  };
})`;

/** Waits until something that is kept has these words in it. @param {Page} page @param {string} words */
const keeps = (page, words) =>
  page.evaluate(`(async () => {
    while (!(await ${KEPT}).some((one) => one.includes(${JSON.stringify(words)})))
      await new Promise((then) => setTimeout(then, 50));
  })()`);

story("two tabs share one socket, and a third one shows what was kept", async (rig, open) => {
  const { page: first, socket } = await leading(rig, open);
  assert.match(socket.query.ticket, /^ticket-/);
  const second = await following(open);
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
  await keeps(second, '"title":"Order 9"');
  await second.reload();
  await second.waitForFunction("window.ready");
  await second.evaluate("start('alice')");
  await live(rig, { resumed: true, seq: 9, head: 9, unread: 2 });
  await shows(second, "live 1 n9,n7");
  // The list was there before the connection.
  assert.equal(await second.evaluate("window.first"), "connecting n9,n7");
});

story("who signs out leaves nothing, in no tab and no database", async (rig, open) => {
  const { page: first, socket } = await leading(rig, open);
  const second = await following(open);
  await second.evaluate("client.close()");
  for (const tab of [first, second]) await shows(tab, "closed 0 ");
  await socket.closed;
  for (const tab of [first, second]) assert.deepEqual(await tab.evaluate(KEPT), []);
  await second.evaluate("start('bob')");
  const bobs = await live(rig, { user: "bob", unread: 0 });
  assert(!("since" in bobs.query));
  await rig.paged([], { unread: 0 });
  await shows(second, "live 0 ");
  assert.equal(await second.evaluate("window.first"), undefined);
});

story("who signs out on a page of its own leaves nothing in any workspace", async (rig, open) => {
  const { page: first, socket } = await leading(rig, open);
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
  // Another user's sign-out is nothing to these.
  await last.evaluate("new Campanile({ url: location.origin, user: 'bob' }).close()");
  for (const place of ["demo", "other", "third"]) await keeps(last, `${place} list`);
  await shows(first, "live 1 n7");
  await last.evaluate("new Campanile({ url: location.origin, user: 'alice' }).close()");
  for (const tab of [first, second]) await shows(tab, "closed 0 ");
  await socket.closed;
  assert.deepEqual(await last.evaluate(KEPT), []);
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
  const { page: tab, socket } = await leading(rig, open);
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
