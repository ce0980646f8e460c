// An application that a server rendered first: the same components there and here.

import { Bell, CampanileProvider, useConnection, useNotifications } from "@campanile/react";
import { createElement, StrictMode } from "react";

function Count() {
  const { items } = useNotifications();
  const { state } = useConnection();
  return createElement("p", { id: "count" }, `${items.length} ${state}`);
}

/** @param {{url: string, token: string}} props */
export function Application({ url, token }) {
  const provider = { options: { url, workspace: "acme", token } };
  const bell = createElement(Bell, { className: "mine", lang: "en", toasts: "off" });
  return createElement(
    StrictMode,
    {},
    createElement(CampanileProvider, provider, bell, createElement(Count)),
  );
}
