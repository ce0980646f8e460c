// Components of the tests, and `app`, which mounts them.

import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Bell } from "../../src/bell.js";
import { useConnection } from "../../src/connection.js";
import { useUnreadCount } from "../../src/inbox.js";
import { useNotifications } from "../../src/notifications.js";
import { CampanileProvider } from "../../src/provider.js";
import { FakeClient } from "./fake_client.mjs";

/** @type {Record<string, number>} */
const renders = {};
/** @param {string} name */
const rendered = (name) => {
  renders[name] = (renders[name] ?? 0) + 1;
};

function Items({ filter = {} }) {
  rendered("items");
  const { items, unread, connected, read, markUnread, archive, readAll, seen, loadMore } =
    useNotifications(filter);
  Object.assign(window, { actions: { read, markUnread, archive, readAll, seen, loadMore } });
  return createElement("p", { id: "items" }, `${items.length} of ${unread} ${connected}`);
}

function Count() {
  rendered("count");
  return createElement("p", { id: "count" }, useUnreadCount());
}

function State() {
  rendered("state");
  const { state, connected, retry } = useConnection();
  return createElement("button", { id: "state", type: "button", onClick: retry }, `${state} ${connected}`);
}

/** The panel of the workspace documents: status, then a heading and a paragraph for each. */
function Panel({ token = "", workspace = "", url = "" }) {
  rendered("panel");
  const { notifications, connected } = useNotifications(token, workspace, { url });
  return createElement(
    "div",
    { id: "panel" },
    createElement("div", { id: "status" }, `Status: ${connected ? "Connected" : "Disconnected"}`),
    notifications.map(({ id, title, message }) =>
      createElement(
        "div",
        { key: id, className: "shown" },
        createElement("h3", {}, title),
        createElement("p", {}, message),
      ),
    ),
  );
}

/** @type {Record<string, (props: any) => import("react").ReactElement>} */
const PAGES = {
  hooks: (props) =>
    createElement(CampanileProvider, props, createElement(Items), createElement(Count), createElement(State)),
  filtered: (props) =>
    createElement(CampanileProvider, props, createElement(Items, { filter: { unread: true } })),
  panel: (props) => createElement(Panel, props),
  bell: ({ bell, ...props }) =>
    createElement(CampanileProvider, props, createElement(Bell, bell), createElement(Items)),
};

/** @type {import("react-dom/client").Root | undefined} */
let root;

Object.assign(window, {
  app: {
    FakeClient,
    renders,
    client: new FakeClient(),
    /** @param {string} page @param {object} props @param {boolean} [strict] */
    show(page, props, strict = false) {
      root ??= createRoot(/** @type {Element} */ (document.querySelector("#root")));
      const content = PAGES[page]?.(props);
      root.render(strict ? createElement(StrictMode, {}, content) : content);
    },
    end() {
      root?.unmount();
      root = undefined;
    },
  },
});
