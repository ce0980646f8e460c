// What applications have that followed the workspace documents without an SDK: a hook around a bare WebSocket, one
// socket for each effect, and a panel of what it received.

import { createElement, useEffect, useState } from "react";

/**
 * @param {string} token
 * @param {string} workspaceSlug
 * @param {string} url
 */
function useBareSocket(token, workspaceSlug, url) {
  const [notifications, setNotifications] = useState(/** @type {any[]} */ ([]));
  const [connected, setConnected] = useState(false);
  useEffect(() => {
    if (!token || !workspaceSlug) return;
    const socket = new WebSocket(`${url}/?token=${encodeURIComponent(token)}&workspaceSlug=${workspaceSlug}`);
    socket.onopen = () => setConnected(true);
    socket.onmessage = ({ data }) => {
      const notification = JSON.parse(data);
      setNotifications((former) => [notification, ...former]);
    };
    socket.onclose = () => setConnected(false);
    return () => socket.close();
  }, [token, workspaceSlug, url]);
  return { notifications, connected };
}

/** @param {{token: string, workspace: string, url: string}} props */
export function DocumentedPanel({ token, workspace, url }) {
  const { notifications, connected } = useBareSocket(token, workspace, url);
  return createElement(
    "div",
    {},
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
