// A client of the product surface, as its documents have it: a WebSocket, and nothing of Campanile's. It runs in browsers and
// in Node.js as it is.
//
// It comes back after every break, says PING every 25 seconds, and marks what it has dealt with as read: whatever it has not
// comes again with the next connection. Run by itself, it prints what comes:
// ACCESS_TOKEN=… node client.mjs ws://127.0.0.1:8700

/** All in milliseconds. */
const PING_EVERY = 25_000;
const PONG_WITHIN = 10_000;
const STABLE = 30_000;

/** The connection of one user. */
export class Notifications {
  #options;
  #socket;
  #failures = 0;
  #timers = new Set();
  /** Who the server says this is, once it has. */
  user = "";

  /**
   * `token` gives a token for each connection, since the old one may have expired. `onnotification` gets each notification
   * until it is marked as read; `onrefused` the reason for which the server does not accept the token: coming back with it
   * would end in the same way. `WebSocket` is the platform's if left out.
   */
  constructor({ url, token, onnotification, onrefused = () => {}, WebSocket = globalThis.WebSocket }) {
    this.#options = { url, token, onnotification, onrefused, WebSocket };
  }

  /** Connects, and stays connected until `close`. */
  async connect() {
    const { url, token, WebSocket } = this.#options;
    const mine = {};
    this.#socket = mine;
    let access;
    try {
      access = await token();
    } catch (error) {
      console.error("no token:", error);
    }
    // Closed, or connected anew, while the token was on its way.
    if (this.#socket !== mine) return;
    if (access === undefined) return this.#comeBack();
    const socket = new WebSocket(`${url}/api/ws/notification?access_token=${encodeURIComponent(access)}`);
    this.#socket = socket;
    let opened = Number.POSITIVE_INFINITY;
    socket.onopen = () => {
      opened = Date.now();
      this.#ping(socket);
    };
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket) this.#handle(JSON.parse(data));
    };
    // What went wrong is not told to pages; `onclose` follows.
    socket.onerror = () => {};
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      this.#stopTimers();
      // Only what held is forgiven: a server that accepts and drops is not to be hammered.
      if (Date.now() - opened > STABLE) this.#failures = 0;
      if (code === 1008 && !reason.includes("expired")) this.#options.onrefused(reason);
      else this.#comeBack();
    };
  }

  /** If there is no connection, it comes again, and can be marked then. */
  markRead(id) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify({ action: "mark_read", id }));
  }

  /** Ends it for good. */
  close() {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#stopTimers();
    socket?.close?.();
  }

  #handle(message) {
    if (message.type === "CONNECTION_ESTABLISHED") this.user = message.userId;
    else if (message.type === "pong") this.#ping(this.#socket);
    else if ("id" in message && "message" in message) {
      // What the page does wrong with one must not keep the next from it.
      try {
        this.#options.onnotification(message);
      } catch (error) {
        console.error(error);
      }
    }
  }

  /** Says PING in a while, and gives the connection up if nothing comes back. */
  #ping(socket) {
    this.#stopTimers();
    this.#after(PING_EVERY, () => {
      socket.send("PING");
      this.#after(PONG_WITHIN, () => {
        // Whoever is gone answers no close either: it is taken for closed at once.
        const { onclose } = socket;
        socket.close();
        onclose({ code: 1006, reason: "no pong" });
      });
    });
  }

  /** Full jitter, so that not everybody comes back at once. */
  #comeBack() {
    this.#failures = Math.min(this.#failures + 1, 10);
    const most = Math.min(20_000, 500 * 2 ** this.#failures);
    this.#socket = undefined;
    this.#after(500 + Math.random() * most, () => this.connect());
  }

  #after(ms, act) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }

  #stopTimers() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

if (globalThis.process?.argv[1]?.endsWith("client.mjs")) {
  const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;
  const notifications = new Notifications({
    url: process.argv[2],
    token: () => process.env.ACCESS_TOKEN,
    WebSocket,
    onnotification(notification) {
      console.log(`${notification.type}: ${notification.message}`);
      notifications.markRead(notification.id);
    },
    onrefused(reason) {
      console.error(`refused: ${reason}`);
      process.exitCode = 1;
    },
  });
  notifications.connect();
}
