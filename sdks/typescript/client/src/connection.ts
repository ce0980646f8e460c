// One connection of one surface, from dialling to its close: sockets, signs of life, and tokens that are exchanged in time.

import type { Action } from "./actions.js";
import { CLOSE_CODES, type ComeBack } from "./close_codes.js";
import type { Environment, Socket } from "./environment.js";
import type { Frame } from "./frame.js";
import { RequestError, request } from "./request.js";
import { type Dial, greeting, type Surface } from "./surface/surface.js";
import type { Reason } from "./types.js";

/** Dialling is given up after so long; so late may a heartbeat or an answer be. */
const PATIENCE = 10_000;
/** The longest that a timer may be set for. */
const LONGEST = 2 ** 31 - 1;

export interface Line {
  readonly environment: Environment;
  readonly surface: Surface;
  /** `https://host/base`, without a slash at its end. */
  readonly base: string;
  readonly dial: Omit<Dial, "secret">;
  /** Gives another token before the one in use expires; rejects if there is none now. Undefined: there never is another. */
  readonly refreshed: (() => Promise<string>) | undefined;
  /** When a token ends, in milliseconds since 1970, as far as it says so itself. */
  readonly expiry: (token: string) => number | undefined;
  readonly onFrame: (frame: Frame) => void;
  /** Said once, and nothing after it. */
  readonly onLost: (reason: Reason, comeBack: ComeBack, retryAt?: number) => void;
}

export class Connection {
  readonly #line: Line;
  #socket: Socket | undefined;
  /** Opens beside the other with a refreshed token, on surfaces that can't take one. */
  #next: Socket | undefined;
  #over = false;
  #live = false;
  #lastFrame = 0;
  #heartbeatMs = 0;
  #drainAt: number | undefined;
  /** Pings without an answer since. */
  #asked = false;
  #timers = new Map<string, unknown>();
  readonly #abort = new AbortController();

  constructor(line: Line, token: string) {
    this.#line = line;
    this.#after("dial", PATIENCE, () =>
      this.#lost({ kind: "lost", code: 0, reason: "no answer in time" }, "yes"),
    );
    void this.#dial(token);
  }

  /** Sends an action. False where it could not be sent, or the surface has no word for it. */
  act(action: Action): boolean {
    const text = this.#line.surface.command(action);
    return text !== undefined && this.#send(text);
  }

  /** Shows the server another token of the same user; on the documented surfaces by another socket. */
  refresh(token: string): void {
    if (!this.#live) return;
    if (this.#line.surface.native) {
      this.#send(JSON.stringify({ action: "refresh", token, ref: "refresh" }));
      this.#refreshIn(PATIENCE);
    } else {
      this.#abandon(this.#next);
      this.#next = this.#open(token);
      this.#after("next", PATIENCE, () => this.#failed());
    }
  }

  /** Looks whether the server is late, such as after the machine has slept. */
  check(): void {
    if (!this.#live) return;
    const { now } = this.#line.environment;
    if (this.#heartbeatMs) {
      const left = this.#lastFrame + this.#heartbeatMs + PATIENCE - now();
      if (left <= 0) this.#lost({ kind: "lost", code: 0, reason: "no heartbeat" }, "yes");
      else this.#after("heartbeat", left, () => this.check());
    }
  }

  /** Hangs up. Nothing is told any more. */
  close(): void {
    this.#over = true;
    this.#abort.abort();
    for (const name of [...this.#timers.keys()]) this.#cancel(name);
    this.#abandon(this.#socket);
    this.#abandon(this.#next);
  }

  async #dial(token: string): Promise<void> {
    const { surface, environment, base } = this.#line;
    let secret = token;
    try {
      if (surface.native) {
        const ask = { method: "POST", url: `${base}/v1/tickets`, token, signal: this.#abort.signal };
        secret = ((await request(environment.fetch, ask)) as { ticket: string }).ticket;
      }
      if (this.#over) return;
      this.#socket = this.#open(secret);
    } catch (error) {
      this.#refused(error);
    }
    this.#expires(this.#line.expiry(token));
  }

  #refused(error: unknown): void {
    if (!(error instanceof RequestError)) {
      this.#lost({ kind: "lost", code: 0, reason: "the socket can't be opened" }, "yes");
      return;
    }
    const { code, retryAfterMs, detail } = error;
    const { status = 0 } = detail;
    const no = status === 401 || status === 403;
    const at = retryAfterMs === undefined ? undefined : this.#line.environment.now() + retryAfterMs;
    const reason: Reason = { kind: status ? "http" : "lost", code: status, reason: code };
    this.#lost(reason, code === "token_expired" ? "with_new_token" : no ? "no" : "yes", at);
  }

  #open(secret: string): Socket {
    const { surface, environment, base, dial } = this.#line;
    const [path, query] = surface.address({ ...dial, secret });
    const url = `${base.replace(/^http/, "ws")}${path}?${new URLSearchParams(query)}`.replaceAll("+", "%20");
    const socket = new (environment.WebSocket as NonNullable<Environment["WebSocket"]>)(
      url,
      surface.protocols,
    );
    let dead = false;
    const mine = () => !dead && !this.#over && (socket === this.#socket || socket === this.#next);
    socket.onopen = () => {
      if (mine() && surface.silent) this.#take(socket, greeting(null), secret);
    };
    socket.onmessage = ({ data }: { data: unknown }) => {
      if (!mine()) return;
      const frame = surface.frame(data as string);
      if (frame) this.#take(socket, frame, secret);
      else this.#lastFrame = environment.now();
    };
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
      if (!mine()) return;
      dead = true;
      if (socket === this.#next) this.#failed();
      // It made room for the next one.
      else if (this.#next) this.#socket = undefined;
      else this.#closed(code, reason);
    };
    socket.onerror = () => {};
    return socket;
  }

  #take(socket: Socket, frame: Frame, secret: string): void {
    const { environment, surface, onFrame } = this.#line;
    this.#lastFrame = environment.now();
    switch (frame.type) {
      case "hello":
        if (socket === this.#next) {
          this.#abandon(this.#socket);
          this.#socket = socket;
          this.#next = undefined;
          this.#cancel("next");
          this.#expires(this.#line.expiry(secret));
          return;
        }
        this.#cancel("dial");
        this.#live = true;
        this.#heartbeatMs = frame.heartbeatMs ?? 0;
        this.check();
        if (frame.expiresAt) this.#expires(Date.parse(frame.expiresAt));
        if (surface.pingMs) this.#after("ping", surface.pingMs, () => this.#ping());
        break;
      case "pong":
        this.#asked = false;
        this.#cancel("pong");
        return;
      case "drain":
        this.#drainAt = environment.now() + frame.retryAfterMs;
        return;
      case "ok":
      case "error":
        if (frame.ref !== "refresh") break;
        if (frame.type === "ok") this.#expires(Date.parse(frame.expiresAt ?? ""));
        else this.#again();
        return;
    }
    if (this.#live) onFrame(frame);
  }

  #ping(): void {
    const { pingMs = 0, pongMs } = this.#line.surface;
    this.#send("PING");
    if (pongMs && !this.#asked) {
      this.#asked = true;
      this.#after("pong", pongMs, () => this.#lost({ kind: "lost", code: 0, reason: "no pong" }, "yes"));
    }
    this.#after("ping", pingMs, () => this.#ping());
  }

  #closed(code: number, reason: string): void {
    // 1005 and 1006 are no codes of a server: none was said, or none came.
    const kind = code === 1006 ? "lost" : "close";
    this.#lost({ kind, code, reason }, comeBackAfter(code, reason), this.#drainAt);
  }

  #lost(reason: Reason, comeBack: ComeBack, retryAt?: number): void {
    if (this.#over) return;
    this.close();
    this.#line.onLost(reason, comeBack, retryAt);
  }

  /** Plans the exchange of a token that ends at `at`. */
  #expires(at: number | undefined): void {
    if (this.#over || !at || !this.#line.refreshed) return;
    const { now, random } = this.#line.environment;
    const life = at - now();
    const lead = Math.min(Math.max(30_000, life / 10), life / 2) * (0.9 + random() * 0.2);
    this.#refreshIn(Math.max(5_000, life - lead));
  }

  #refreshIn(ms: number): void {
    this.#after("refresh", ms, async () => {
      try {
        const token = await this.#line.refreshed?.();
        if (token && !this.#over) this.refresh(token);
      } catch {
        this.#again();
      }
    });
  }

  /** The refreshed socket did not come to life. */
  #failed(): void {
    this.#abandon(this.#next);
    this.#next = undefined;
    this.#cancel("next");
    if (this.#socket) this.#again();
    else this.#lost({ kind: "lost", code: 0, reason: "the next connection failed" }, "with_new_token");
  }

  /** A refresh failed: again in 5 to 10 s. */
  #again(): void {
    if (!this.#over) this.#refreshIn(5_000 + this.#line.environment.random() * 5_000);
  }

  #send(text: string): boolean {
    try {
      if (!this.#live || !this.#socket) return false;
      this.#socket.send(text);
      return true;
    } catch {
      return false;
    }
  }

  #abandon(socket: Socket | undefined): void {
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    try {
      socket.close(1000);
    } catch {
      // It was never open.
    }
  }

  #after(name: string, ms: number, then: () => unknown): void {
    this.#cancel(name);
    const { setTimeout } = this.#line.environment;
    this.#timers.set(
      name,
      setTimeout(
        () => {
          this.#timers.delete(name);
          then();
        },
        Math.min(ms, LONGEST),
      ),
    );
  }

  #cancel(name: string): void {
    this.#line.environment.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

/** What a close means. Of 1008 the words decide; an unknown code is taken for a passing one. */
export function comeBackAfter(code: number, reason: string): ComeBack {
  const known = CLOSE_CODES.filter((one) => one.code === code);
  const exact = known.find((one) => one.reason === reason) ?? (code === 1008 ? undefined : known[0]);
  return exact?.comeBack ?? (code === 1008 ? "with_new_token" : "yes");
}
