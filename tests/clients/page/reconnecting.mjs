// A page with the documented reconnecting client. Where to connect is in its own address (?to=); its token
// provider is the site that serves it.

import { ReconnectingClient } from "./reconnecting_client.mjs";
import { log, logClose, showNotification, showStatus } from "./shown.mjs";

const to = new URLSearchParams(location.search).get("to");

const client = new ReconnectingClient({
  Socket: WebSocket,
  token: async () => (await fetch("token")).text(),
  address: (token) => `${to}/?token=${encodeURIComponent(token)}&workspaceSlug=acme`,
  onevent: (event) => {
    if (event.what === "notification") return showNotification(event.notification);
    showStatus(event.what);
    if (event.what === "closed") return logClose(event);
    log(event.what);
  },
});
client.connect();
