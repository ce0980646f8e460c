// On a server: everything renders, from ESM and from CommonJS, and connects to nothing.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { createElement } from "react";
import { renderToString } from "react-dom/server";

/** @typedef {typeof import("../src/index.js")} Package */

/** @type {[string, () => Promise<Package>][]} */
const FORMS = [
  ["ESM", () => import("@campanile/react")],
  ["CommonJS", async () => createRequire(import.meta.url)("@campanile/react")],
];

for (const [form, load] of FORMS) {
  test(`${form}: provider, hooks and bell`, async () => {
    const { Bell, CampanileProvider, useConnection, useNotifications, useUnreadCount } = await load();
    const shown = () => {
      const { items, connected } = useNotifications();
      const { state } = useConnection();
      return createElement("p", {}, `${items.length} ${useUnreadCount()} ${connected} ${state}`);
    };
    const documented = () => {
      const { notifications, connected } = useNotifications("a token", "acme");
      return createElement("p", {}, `${notifications.length} ${connected}`);
    };
    const options = {
      url: "https://notifications.example.com",
      workspace: "acme",
      token: () => {
        throw new Error("a server is not to ask for a token");
      },
    };
    const html = renderToString(
      createElement(
        CampanileProvider,
        { options },
        createElement(shown),
        createElement(documented),
        createElement(Bell, { className: "mine", theme: "dark" }),
      ),
    );
    assert.equal(
      html,
      '<p>0 0 false idle</p><p>0 false</p><campanile-bell theme="dark" class="mine"></campanile-bell>',
    );
  });
}
