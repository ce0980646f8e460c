// The two documented surfaces. Only what their documents say is relied on: neither has places, and neither has to answer.
// They are loaded by themselves, where one is asked for: whatever of the client they need, the wire has.

import type { Ear, Talk, Wire } from "../connection.js";
import type { Item } from "../frame.js";

/** So long a pong, or the next socket, is waited for. */
const PATIENCE = 10_000;
/** So long the former socket is heard, where nothing says that the next one is accepted. */
const LINGER = 1_000;
const LEVELS = ["info", "success", "warning", "error", "alert"];

/** How one of them differs from the other. */
interface Habits {
  readonly pingMs: number;
  readonly path: string;
  query(token: string): Record<string, string>;
  /** Takes in a frame that is no notification. */
  heard?(frame: Record<string, unknown>, greeted: (user: string | null) => void): boolean;
  /** A ping was sent. */
  pinged?(): void;
}

/** One socket for a user in a workspace; notifications, and nothing else, come by it. An open socket is accepted, as far as anybody can tell. */
export const workspace = (wire: Wire): Talk =>
  documented(wire, {
    pingMs: 120_000,
    path: "/",
    query: (token) => ({ token, workspaceSlug: wire.options.workspace ?? "" }),
  });

/** A greeting, then notifications of products; `PING` is answered. */
export const product = (wire: Wire): Talk =>
  documented(wire, {
    pingMs: 25_000,
    path: "/api/ws/notification",
    query: (token) => ({ access_token: token }),
    heard({ type, userId, code, id }, greeted) {
      if (type === "CONNECTION_ESTABLISHED") greeted(text(userId) ?? null);
      else if (type === "pong") wire.after("pong");
      else if (type === "error" && typeof code === "string")
        wire.onFrame({ type: "error", code, id: text(id) });
      else return false;
      return true;
    },
    pinged: () => wire.after("pong", PATIENCE, () => wire.dead("no pong")),
  });

function documented(wire: Wire, { pingMs, path, query, heard, pinged }: Habits): Talk {
  let socket: Ear | undefined;
  /** The one that opens beside it, with a refreshed token. */
  let next: Ear | undefined;
  /** The former one: what the server sent it already still comes, and it goes on if the newer one is refused. */
  let former: Ear | undefined;
  let live = false;
  /** A place for what has none. */
  let { seq } = wire.store.now;

  const ping = () => {
    socket?.send("PING");
    wire.after("ping", pingMs, ping);
    pinged?.();
  };

  const markRead = (id: string | undefined) => socket?.send(JSON.stringify({ action: "mark_read", id }));

  const letGo = () => {
    wire.after("former");
    former?.close();
    former = undefined;
  };

  const begin = (token: string): Ear | undefined => {
    const { exp, userId, sub } = wire.claims(token);
    // A plus is a plus to the server, so no space may be one.
    const asked = `${new URLSearchParams(query(token))}`.replaceAll("+", "%20");
    const greeted = (user: string | null) => {
      if (own === next) {
        letGo();
        former = socket;
        socket = own;
        next = undefined;
        // Its ping was of the former one.
        wire.after("pong");
        if (heard) letGo();
        else wire.after("former", LINGER, letGo);
      } else if (own !== socket) {
        return;
      } else if (!live) {
        live = true;
        wire.after("ping", pingMs, ping);
        const { now } = wire.store;
        const { epoch, rev, readUpTo, seenUpTo } = now;
        const is = user ?? text(userId) ?? text(sub) ?? wire.options.user ?? null;
        // Of another user than was shown, nothing came yet.
        const { unread, unseen } = is && now.user && is !== now.user ? { unread: 0, unseen: 0 } : now;
        wire.onFrame({
          type: "hello",
          epoch,
          seq,
          rev,
          readUpTo,
          seenUpTo,
          unread,
          unseen,
          user: is,
          resumed: false,
          // All that came is counted, and there is nothing else to be had.
          head: seq,
          loaded: { "": 0, u: 0, a: 0 },
        });
      }
      wire.after("dial");
      wire.after("next");
      wire.expires(typeof exp === "number" ? exp * 1_000 : undefined);
    };
    const own = wire.open(`${path}?${asked}`, {
      ...(!heard && { open: () => greeted(null) }),
      frame(frame: Record<string, unknown>) {
        if (heard?.(frame, greeted)) return;
        const item = notification(frame);
        if (text(item.id) === undefined || text(item.message) === undefined) return;
        // What comes later is higher.
        seq = Math.max(seq + 1, Date.parse(item.timestamp) || 0);
        wire.onFrame({ type: "notification", seq, item: { ...item, seq } });
        if (wire.options.autoMarkRead) wire.act("read", item.id);
      },
      close(how) {
        if (own === next) failed();
        else if (own === former) former = undefined;
        else if (own !== socket) return;
        else if (former) {
          socket = former;
          former = undefined;
          wire.after("former");
          wire.exchange();
        }
        // It made room for the next one.
        else if (next) socket = undefined;
        else wire.closed(how);
      },
    });
    return own;
  };

  /** The refreshed socket did not come to life. */
  const failed = () => {
    next?.close();
    next = undefined;
    wire.after("next");
    if (socket) wire.exchange();
    else wire.dead("the next socket failed");
  };

  return {
    async dial(token) {
      try {
        // Not before whoever dialled knows of the connection.
        await undefined;
        socket = begin(token);
      } catch {
        wire.dead("the socket can't be opened");
      }
    },
    refresh(token) {
      if (!live) return;
      next?.close();
      next = begin(token);
      wire.after("next", PATIENCE, failed);
    },
    close() {
      for (const one of [socket, next, former]) one?.close();
    },
    check() {},
    act({ action, id }) {
      // Whether the server knows the word or not: there is no answer to wait for.
      if (action === "read" || action === "archive") markRead(id);
      return false;
    },
  };
}

function notification(frame: Record<string, unknown>): Item {
  const { title, productName, type = "info", timestamp, created_at: created, read } = frame;
  return {
    ...frame,
    title: title ?? productName ?? "",
    type,
    level: LEVELS.includes(type as string) ? type : "info",
    timestamp: timestamp ?? created ?? "",
    seen: !!read,
    read: !!read,
    archived: false,
  } as unknown as Item;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
