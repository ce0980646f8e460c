// A test that is a story: with a rig of its own, and a browser whose tabs share what tabs share.

import { test } from "node:test";
import { Browser } from "./fake_browser.mjs";
import { Rig } from "./rig.mjs";

/**
 * @param {string} name
 * @param {(rig: Rig, browser: Browser) => Promise<void>} story
 */
export const story = (name, story) => test(name, () => Rig.with((rig) => story(rig, new Browser())));
