// One connection, from dialling to its close: what the surfaces have in common.

import type { Action } from "./actions.js";
import { type Alarm, alarm } from "./alarm.js";
import type { Environment } from "./environment.js";
import type { CampanileError } from "./error.js";
import type { Frame } from "./frame.js";
import type { Store } from "./store.js";
import { claims } from "./token.js";
import type { Options, Reason } from "./types.js";

/** Dialling is given up after so long; so late may a heartbeat or an answer be. */
export const PATIENCE = 10_000;

/** Where the client is to go after a close. */
export type ComeBack = "yes" | "no" | "with_new_token";

/** How a connection was lost. */
export interface Loss {
  readonly reason: Reason;
  readonly comeBack: ComeBack;
  /** What the server said. */
  readonly retryAt?: number | undefined;
}

/** What a connection needs, and whom it tells. */
export interface Line {
  readonly environment: Environment;
  /** `https://host/base`, without a slash at its end. */
  readonly base: string;
  readonly options: Options;
  /** From where to resume. Without an epoch, from now on; with null for one, all of a log that had no name. */
  readonly store: Store;
  /** The token in use. */
  token(): string;
  /** Gives another token before the one in use expires; rejects if there is none now. */
  ask(why: "refresh"): Promise<string | null | undefined>;
  /** Whether there may be another token. */
  renews(): boolean;
  /** Whether the connection may go on with a token; else it is hung up. */
  accepts(token: string | null | undefined): token is string;
  /** Does something as if the user did. */
  act(action: Action["action"], id?: string): void;
  readonly tell: (event: "error", error: CampanileError) => void;
  readonly onFrame: (frame: Frame) => void;
  /** Said once, and nothing after it. */
  readonly onLost: (how: Loss) => void;
}

export interface Connection {
  /** Shows the server another token of the same user. */
  refresh(token: string): void;
  /** Tells the server what was done. False: nobody will answer. */
  act(action: Action): boolean;
  /** Looks whether the server is late, such as after the machine has slept. */
  check(): void;
  /** Hangs up. Nothing is told any more. */
  close(): void;
}

/** What a surface does in its own way. */
export interface Talk extends Connection {
  /** Opens the connection. Never rejects. */
  dial(token: string): Promise<void>;
}

/** A socket that is open, or opens. */
export interface Ear {
  send(message: string | object): void;
  /** Nothing is heard of it any more. */
  close(): void;
}

/** What surfaces are made with: one that is loaded by itself brings nothing that is here already. */
export interface Wire extends Line {
  readonly claims: typeof claims;
  /** Opens a socket, unless this was hung up. */
  open(
    path: string,
    query: Readonly<Record<string, string | number>>,
    told: {
      open?(): void;
      frame(frame: Record<string, unknown>): void;
      close(how: { code: number; reason: string }): void;
    },
    protocols?: string[],
  ): Ear | undefined;
  dead(reason: string): void;
  /** The server closed, and may have said when to come back. */
  closed(how: { code: number; reason: string }, retryAt?: number): void;
  /** Does something later, in place of what had the same name; without `then`, nothing. */
  after(name: string, ms?: number, then?: () => unknown): void;
  /** Plans the exchange of a token that ends at `at`. */
  expires(at: number | undefined): void;
  /** Exchanges the token after so long; by default, in 5 to 10 s. */
  exchange(ms?: number): void;
}

/** Dials on a surface. */
export function connect(line: Line, surface: (wire: Wire) => Talk): Connection {
  const { environment } = line;
  const alarms: Record<string, Alarm> = {};
  /** Nothing is said any more. */
  let over = false;

  const close = () => {
    over = true;
    for (const name in alarms) after(name);
    talk.close();
  };
  const onLost: Line["onLost"] = (how) => {
    if (over) return;
    close();
    line.onLost(how);
  };
  const dead = (reason: string) => onLost({ reason: { kind: "lost", code: 0, reason }, comeBack: "yes" });
  const after: Wire["after"] = (name, ms, then) => {
    alarms[name] ??= alarm(environment);
    alarms[name](ms, over ? undefined : then);
  };
  const exchange = (ms = 5_000 + environment.random() * 5_000) => {
    // What is given by `update` only is not asked for.
    if (!line.renews()) return;
    after("exchange", ms, async () => {
      try {
        const token = await line.ask("refresh");
        if (!over && line.accepts(token)) talk.refresh(token);
      } catch (error) {
        line.tell("error", error as CampanileError);
        exchange();
      }
    });
  };

  const talk = surface({
    ...line,
    onLost,
    claims,
    open(path, query, told, protocols) {
      if (over) return;
      // A plus is a plus to the server, so no space may be one.
      const asked = `${new URLSearchParams(query as Record<string, string>)}`.replaceAll("+", "%20");
      const url = `${line.base.replace(/^http/, "ws")}${path}?${asked}`;
      const socket = new (environment.WebSocket as NonNullable<Environment["WebSocket"]>)(url, protocols);
      socket.onopen = told.open ?? null;
      socket.onmessage = ({ data }: { data: string }) => told.frame(parsed(data));
      socket.onclose = told.close;
      // A close follows.
      socket.onerror = () => {};
      return {
        send(message) {
          try {
            socket.send(typeof message === "string" ? message : JSON.stringify(message));
          } catch {
            // Its close says more.
          }
        },
        close() {
          socket.onopen = socket.onmessage = socket.onclose = null;
          socket.close(1000);
        },
      };
    },
    dead,
    // 1006 is no code of a server: no close came.
    closed: ({ code, reason }, retryAt) =>
      onLost({
        reason: { kind: code === 1006 ? "lost" : "close", code, reason },
        comeBack: comeBackAfter(code, reason),
        retryAt,
      }),
    after,
    expires(at) {
      if (!at) return;
      const life = at - environment.now();
      const lead = Math.min(Math.max(30_000, life / 10), life / 2) * (0.9 + environment.random() * 0.2);
      exchange(Math.max(5_000, life - lead));
    },
    exchange,
  });
  after("dial", PATIENCE, () => dead("no answer in time"));
  void talk.dial(line.token());
  return { ...talk, close };
}

/** The JSON of a text; an empty object for any other text. */
function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/**
 * What a close means. Of 1008 the words decide; an unknown code is taken for a passing one. The registry in `close_codes` says the
 * same at length, which a test compares.
 */
export function comeBackAfter(code: number, reason: string): ComeBack {
  const said = `${code} ${reason}`;
  if (/^(100[2379]|400[129]|1008.*(required|invalid|Too many))/.test(said)) return "no";
  return /^(4003|1008(?!.*in time))/.test(said) ? "with_new_token" : "yes";
}

/** What a request before the socket that was refused means. What has no code of ours (`http`) was refused by somebody in between. */
export function comeBackFrom(code: string, status: number): ComeBack {
  if (code === "token_expired") return "with_new_token";
  return code !== "http" && (status === 401 || status === 403) ? "no" : "yes";
}
