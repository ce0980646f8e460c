// The page as a browser has it: what it tells of itself, and when.

import assert from "node:assert/strict";
import { test } from "node:test";
import { platform } from "../dist/esm/globals.js";

test("a page tells what it is, and whatever changes", () => {
  const window = new EventTarget();
  const document = { hidden: false };
  const addEventListener = window.addEventListener.bind(window);
  for (const [name, value] of Object.entries({ document, addEventListener, navigator: { onLine: true } }))
    Object.defineProperty(globalThis, name, { value, configurable: true });
  /** @type {string[]} */
  const told = [];
  const happens = (/** @type {string} */ type) => {
    window.dispatchEvent(new Event(type));
    return told.splice(0);
  };
  const stop = platform().page?.((event) => told.push(event));

  assert.deepEqual(told.splice(0), ["online", "visible"]);
  assert.deepEqual(happens("offline"), ["offline"]);
  assert.deepEqual(happens("online"), ["online"]);
  // It goes, perhaps for good, while it is still seen; it may be brought back as it was.
  assert.deepEqual(happens("pagehide"), ["hidden"]);
  assert.deepEqual(happens("pageshow"), ["visible"]);
  document.hidden = true;
  assert.deepEqual(happens("visibilitychange"), ["hidden"]);
  // Loaded, or brought back, where nobody sees it.
  assert.deepEqual(happens("pageshow"), ["hidden"]);
  document.hidden = false;
  assert.deepEqual(happens("visibilitychange"), ["visible"]);
  stop?.();
  assert.deepEqual(happens("offline"), []);
});
