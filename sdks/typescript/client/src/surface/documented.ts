// The two documented surfaces. Only what their documents say is relied on: neither has places, and neither has to answer.

import type { Action } from "../actions.js";
import { abandon, Connection, comeBackAfter, PATIENCE, parsed } from "../connection.js";
import type { Socket } from "../environment.js";
import type { Item } from "../frame.js";
import { expiry } from "../token.js";

const LEVELS = ["info", "success", "warning", "error", "alert"];

abstract class Documented extends Connection {
  /** The one that opens beside the other, with a refreshed token. */
  #next: Socket | undefined;
  #live = false;
  protected abstract readonly pingMs: number;

  protected abstract start(token: string, ears: Parameters<Connection["open"]>[3]): Socket;
  protected abstract take(frame: Record<string, unknown>, greeted: (user: string | null) => void): void;

  protected async dial(token: string): Promise<void> {
    try {
      // Not before the constructor is done.
      await undefined;
      if (!this.over) this.socket = this.#begin(token);
    } catch {
      this.dead("the socket can't be opened");
    }
  }

  refresh(token: string): void {
    if (!this.#live) return;
    abandon(this.#next);
    this.#next = this.#begin(token);
    this.after("next", PATIENCE, () => this.#failed());
  }

  act({ action, id }: Action): undefined {
    // Whether the server knows the word or not: there is no answer to wait for.
    if (action === "read" || action === "archive") this.send(JSON.stringify({ action: "mark_read", id }));
  }

  override close(): void {
    super.close();
    abandon(this.#next);
  }

  /** Whether a socket that is open is accepted, as far as anybody can tell. */
  protected get silent(): boolean {
    return true;
  }

  protected ping(): void {
    this.send("PING");
    this.after("ping", this.pingMs, () => this.ping());
  }

  protected notification(frame: Record<string, unknown>): void {
    const { id, message, type = "info", title, productName, timestamp, created_at: created, read } = frame;
    if (typeof id !== "string" || typeof message !== "string") return;
    const item = {
      ...frame,
      title: title ?? productName ?? "",
      type,
      level: LEVELS.includes(type as string) ? type : "info",
      timestamp: timestamp ?? created ?? "",
      seen: !!read,
      read: !!read,
      archived: false,
    };
    this.line.onFrame({ type: "arrival", item: item as unknown as Item });
  }

  #begin(token: string): Socket {
    let ended = false;
    const mine = () => socket === this.socket || socket === this.#next;
    const greeted = (user: string | null) => {
      if (!mine()) return;
      if (socket === this.#next) {
        abandon(this.socket);
        this.socket = socket;
        this.#next = undefined;
      } else if (!this.#live) {
        this.#live = true;
        this.after("ping", this.pingMs, () => this.ping());
        this.line.onFrame({ type: "greeting", user });
      }
      this.after("dial", 0);
      this.after("next", 0);
      this.expires(expiry(token));
    };
    const socket: Socket = this.start(token, {
      open: () => this.silent && greeted(null),
      text: (text) => this.take(parsed(text) ?? {}, greeted),
      close: (code, reason) => {
        if (ended || !mine()) return;
        ended = true;
        if (socket === this.#next) this.#failed();
        // It made room for the next one.
        else if (this.#next) this.socket = undefined;
        else this.lost({ kind: code === 1006 ? "lost" : "close", code, reason }, comeBackAfter(code, reason));
      },
    });
    return socket;
  }

  /** The refreshed socket did not come to life. */
  #failed(): void {
    abandon(this.#next);
    this.#next = undefined;
    this.after("next", 0);
    if (this.socket) this.again();
    else this.dead("the next socket failed");
  }
}

/** One socket for a user in a workspace; notifications, and nothing else, come by it. */
export class Workspace extends Documented {
  protected get pingMs(): number {
    return 120_000;
  }

  protected start(token: string, ears: Parameters<Connection["open"]>[3]): Socket {
    return this.open("/", { token, workspaceSlug: this.line.workspace }, undefined, ears);
  }

  protected take(frame: Record<string, unknown>): void {
    this.notification(frame);
  }
}

/** A greeting, then notifications of products; `PING` is answered. */
export class Product extends Documented {
  protected get pingMs(): number {
    return 25_000;
  }

  protected override get silent(): boolean {
    return false;
  }

  protected start(token: string, ears: Parameters<Connection["open"]>[3]): Socket {
    return this.open("/api/ws/notification", { access_token: token }, undefined, ears);
  }

  protected override ping(): void {
    super.ping();
    this.after("pong", PATIENCE, () => this.dead("no pong"));
  }

  protected take(frame: Record<string, unknown>, greeted: (user: string | null) => void): void {
    const { type, userId, code, id } = frame;
    if (type === "CONNECTION_ESTABLISHED") greeted(typeof userId === "string" ? userId : null);
    else if (type === "pong") this.after("pong", 0);
    else if (type === "error" && typeof code === "string")
      this.line.onFrame({ type: "error", code, id: typeof id === "string" ? id : undefined });
    else this.notification(frame);
  }
}
