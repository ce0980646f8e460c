// What the pages of the tests have at hand, as `fixture`.

import { BellElement } from "../../src/element.js";
import { languages, translation } from "../../src/strings.js";
import { FakeSource } from "./fake_source.mjs";

/** @typedef {import("../../src/source.js").BellItem} BellItem */

/** @type {readonly Omit<BellItem, "id" | "read">[]} */
const STORIES = [
  {
    title: "Deployment finished",
    message: "api-gateway 4.12.0 is live in eu-central and us-east.",
    type: "success",
  },
  {
    title: "Maya Okafor mentioned you",
    message: "“@sam could you look at the retry budget before we ship this?”",
    type: "info",
  },
  {
    title: "Certificate expires in 2 days",
    message:
      "*.example.com on edge-3. Renewal failed once: the DNS challenge timed out, and will be tried again tonight.",
    type: "warning",
  },
  {
    title: "Payment failed",
    message: "Invoice 2026-1184 over 1,240.00 € was declined by the bank.",
    type: "error",
  },
  { title: "Maintenance tonight", message: "Search is read-only from 22:00 to 22:30 UTC.", type: "alert" },
  {
    title: "New order",
    message: "Order 12345 by Lindqvist & Söner: 3 items.",
    type: "info",
    metadata: { url: "/orders/12345" },
  },
  { title: "Import finished", message: "10,000 records in 41 s, none refused.", type: "success" },
  {
    title: "Report ready",
    message: "Your weekly usage report can be downloaded.",
    type: "info",
    metadata: { link: "https://example.com/report" },
  },
];

const MINUTE = 60_000;

/**
 * An inbox of `count`, newest first; every `unreadEach`th is unread.
 *
 * @param {number} count
 * @param {number} unreadEach
 * @param {number} now
 * @returns {BellItem[]}
 */
function inbox(count, unreadEach = 3, now = Date.now()) {
  return Array.from({ length: count }, (_, index) => ({
    id: `n${count - index}`,
    title: "",
    ...STORIES[index % STORIES.length],
    timestamp: new Date(now - MINUTE * (2 + index * 7 + index * index * 0.6)).toISOString(),
    read: index % unreadEach !== 0,
    archived: false,
  }));
}

if (!customElements.get("campanile-bell")) customElements.define("campanile-bell", BellElement);

const fixture = {
  FakeSource,
  inbox,
  /** @param {ConstructorParameters<typeof FakeSource>} given */
  start(...given) {
    const source = new FakeSource(...given);
    fixture.source = source;
    fixture.bell.client = source;
    return source;
  },
  source: new FakeSource(),
  async texts() {
    const texts = await Promise.all(
      languages.map(async (language) => [language, await translation(language)]),
    );
    return Object.fromEntries(texts);
  },
  get bell() {
    return /** @type {BellElement} */ (document.querySelector("campanile-bell"));
  },
};

Object.assign(window, { fixture });
