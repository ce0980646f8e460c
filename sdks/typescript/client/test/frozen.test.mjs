// Tabs in Chromium that hang, or that the browser freezes: another one takes over, and they follow it when they are back.

import assert from "node:assert/strict";
import { following, leading, live, shows, story } from "./chromium.mjs";
import { notification } from "./rig.mjs";
import { within } from "./waiting.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** Options of a tab that loses its patience with other tabs 20 times as soon. */
const IMPATIENT =
  "{ environment: { setTimeout: (then, ms) => setTimeout(then, ms > 10_000 ? ms / 20 : ms) } }";

/** What a page is told from now on. Its timer gives it something to do, so that it can be stopped there. */
const LISTEN = `(() => {
  window.told = [];
  client.on("notification", ({ id }) => told.push(id));
  setInterval(() => {}, 10);
})()`;

/**
 * Stops a page where it is: it runs no timer, no frame, no message of another tab until it is let go on. A headless browser takes
 * `Page.setWebLifecycleState` and freezes nothing, so it is the debugger that does it, whose pause stops as much.
 *
 * @param {Page} page
 * @returns {Promise<() => Promise<void>>} how to let it go on
 */
async function freeze(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Debugger.enable");
  const frozen = new Promise((resolve) => devtools.once("Debugger.paused", resolve));
  await devtools.send("Debugger.pause");
  await within(frozen, "pause");
  return async () => {
    await devtools.send("Debugger.resume");
    await devtools.detach();
  };
}

/** Each entry was told once, in order. @param {Page} page */
const hasToldAll = async (page) => assert.deepEqual(await page.evaluate("told"), ["n8", "n9", "n10"]);

story("when the tab that leads hangs, another one takes over", async (rig, open) => {
  const { page: first, socket } = await leading(rig, open);
  const second = await following(open, IMPATIENT);
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

story("when the tab that leads is frozen, another one takes over", async (rig, open) => {
  const { page: first, socket } = await leading(rig, open);
  const second = await following(open, IMPATIENT);
  for (const tab of [first, second]) await tab.evaluate(LISTEN);
  const thaw = await freeze(first);
  // The server knows of nothing: it tells the one that is frozen, too.
  socket.send(notification(8));
  const next = await live(rig, { resumed: true, seq: 7, head: 8, unread: 2 });
  assert.deepEqual([next.query.since, next.query.epoch], ["7", "9f3c"]);
  next.send(notification(8));
  await shows(second, "live 2 n8,n7");
  next.send(notification(9));
  await shows(second, "live 3 n9,n8,n7");
  // The former connection is there as long as its page is frozen, and no longer.
  assert.equal(socket.socket.readyState, 1);
  await thaw();
  await socket.closed;
  for (const tab of [first, second]) await shows(tab, "live 3 n9,n8,n7");
  next.send(notification(10));
  for (const tab of [first, second]) await shows(tab, "live 4 n10,n9,n8,n7");
  for (const tab of [first, second]) await hasToldAll(tab);
  // One socket is left.
  assert.deepEqual([rig.server.dials.left, next.socket.readyState], [[], 1]);
});

story("a tab that was frozen while it followed shows what came meanwhile", async (rig, open) => {
  const { page: first, socket } = await leading(rig, open);
  const second = await following(open);
  for (const tab of [first, second]) await tab.evaluate(LISTEN);
  const thaw = await freeze(second);
  for (const seq of [8, 9]) socket.send(notification(seq));
  await shows(first, "live 3 n9,n8,n7");
  await thaw();
  // What it missed, it asks for as soon as it hears that there was something.
  socket.send(notification(10));
  for (const tab of [first, second]) {
    await shows(tab, "live 4 n10,n9,n8,n7");
    await hasToldAll(tab);
  }
  assert.deepEqual([rig.server.dials.left, socket.socket.readyState], [[], 1]);
});
