// One connection, from dialling to its close: what the surfaces have in common.

import type { Action } from "./actions.js";
import type { Environment, Socket } from "./environment.js";
import type { CampanileError } from "./error.js";
import type { Frame } from "./frame.js";
import type { Reason } from "./types.js";

/** Dialling is given up after so long; so late may a heartbeat or an answer be. */
export const PATIENCE = 10_000;
/** The longest that a timer may be set for. */
const LONGEST = 2 ** 31 - 1;

/** Where the client is to go after a close. */
export type ComeBack = "yes" | "no" | "with_new_token";

/** What a connection needs, and whom it tells. */
export interface Line {
  readonly environment: Environment;
  /** `https://host/base`, without a slash at its end. */
  readonly base: string;
  readonly workspace: string;
  /** From where to resume; undefined: from now on. */
  readonly since: { readonly epoch: string | null; readonly seq: number; readonly rev: number } | undefined;
  /** Gives another token before the one in use expires; rejects if there is none now. Undefined: there never is another. */
  readonly refreshed: (() => Promise<string>) | undefined;
  readonly onFrame: (frame: Frame) => void;
  /** Said once, and nothing after it. */
  readonly onLost: (reason: Reason, comeBack: ComeBack, retryAt?: number) => void;
}

export abstract class Connection {
  /** Nothing is said any more. */
  protected over = false;
  protected socket: Socket | undefined;
  readonly #timers = new Map<string, unknown>();

  constructor(
    protected readonly line: Line,
    token: string,
  ) {
    this.after("dial", PATIENCE, () => this.dead("no answer in time"));
    void this.dial(token);
  }

  protected abstract dial(token: string): Promise<void>;

  /** Shows the server another token of the same user. */
  abstract refresh(token: string): void;

  /** Tells the server what was done. True: an answer will come; false: it was not sent; undefined: nobody will answer. */
  abstract act(action: Action): boolean | undefined;

  /** Looks whether the server is late, such as after the machine has slept. */
  check(): void {}

  /** Hangs up. Nothing is told any more. */
  close(): void {
    this.over = true;
    for (const name of [...this.#timers.keys()]) this.after(name, 0);
    abandon(this.socket);
  }

  protected lost(reason: Reason, comeBack: ComeBack, retryAt?: number): void {
    if (this.over) return;
    this.close();
    this.line.onLost(reason, comeBack, retryAt);
  }

  protected dead(reason: string): void {
    this.lost({ kind: "lost", code: 0, reason }, "yes");
  }

  /** Opens a socket. Nothing is heard of it once it was abandoned. */
  protected open(
    path: string,
    query: Record<string, string>,
    protocols: string[] | undefined,
    ears: { open?: () => void; text: (text: string) => void; close: (code: number, reason: string) => void },
  ): Socket {
    const { environment, base } = this.line;
    // A plus is a plus to the server, so no space may be one.
    const asked = `${new URLSearchParams(query)}`.replaceAll("+", "%20");
    const socket = new (environment.WebSocket as NonNullable<Environment["WebSocket"]>)(
      `${base.replace(/^http/, "ws")}${path}?${asked}`,
      protocols,
    );
    socket.onopen = () => ears.open?.();
    socket.onmessage = ({ data }: { data: unknown }) => ears.text(data as string);
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => ears.close(code, reason);
    // A close follows.
    socket.onerror = () => {};
    return socket;
  }

  protected send(text: string): boolean {
    try {
      this.socket?.send(text);
      return !!this.socket;
    } catch {
      return false;
    }
  }

  /** Plans the exchange of a token that ends at `at`. */
  protected expires(at: number | undefined): void {
    if (!at || !this.line.refreshed) return;
    const { now, random } = this.line.environment;
    const life = at - now();
    const lead = Math.min(Math.max(30_000, life / 10), life / 2) * (0.9 + random() * 0.2);
    this.refreshIn(Math.max(5_000, life - lead));
  }

  /** A refresh failed: again in 5 to 10 s. */
  protected again(): void {
    this.refreshIn(5_000 + this.line.environment.random() * 5_000);
  }

  protected refreshIn(ms: number): void {
    this.after("refresh", ms, async () => {
      try {
        const token = await this.line.refreshed?.();
        if (token && !this.over) this.refresh(token);
      } catch {
        this.again();
      }
    });
  }

  /** Does something later, in place of what had the same name; without `then`, nothing. */
  protected after(name: string, ms: number, then?: () => unknown): void {
    const { setTimeout, clearTimeout } = this.line.environment;
    clearTimeout(this.#timers.get(name));
    if (then && !this.over) this.#timers.set(name, setTimeout(then, Math.min(ms, LONGEST)));
  }
}

/** Closes a socket that nobody listens to any more. */
export function abandon(socket: Socket | undefined): void {
  if (!socket) return;
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close(1000);
}

/** The JSON of a text; undefined for any other text. */
export function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
}

/**
 * What a close means. Of 1008 the words decide; an unknown code is taken for a passing one. The registry in `close_codes` says the
 * same at length, which a test compares.
 */
export function comeBackAfter(code: number, reason: string): ComeBack {
  if (code === 4003 || (code === 1008 && !/required|invalid|Too many|in time/.test(reason)))
    return "with_new_token";
  return (code === 1008 && !/in time/.test(reason)) || /^(100[2379]|400[129])$/.test(`${code}`)
    ? "no"
    : "yes";
}

/** What a request before the socket that was refused means. */
export function comeBackFrom({ code, detail: { status } }: CampanileError): ComeBack {
  return code === "token_expired" ? "with_new_token" : status === 401 || status === 403 ? "no" : "yes";
}
