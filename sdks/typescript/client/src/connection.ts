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

/** A loss; by default, one that nobody said, and that is made up for by coming back. */
export function lost(
  reason: string,
  kind: Reason["kind"] = "lost",
  code = 0,
  comeBack: ComeBack = "yes",
  retryAt?: number,
): Loss {
  return { reason: { kind, code, reason }, comeBack, retryAt };
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
  /** Exchanges the token in use, or hangs up if there is no other of the same user. Rejects if there is none now. */
  renew(): Promise<void>;
  /** Whether there may be another token. */
  renews(): boolean;
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
  send(text: string): void;
  /** Nothing is heard of it any more. */
  close(): void;
}

/** What surfaces are made with: one that is loaded by itself brings nothing that is here already. */
export interface Wire extends Line {
  readonly claims: typeof claims;
  /** Opens a socket, unless this was hung up. */
  open(
    path: string,
    told: {
      open?(): void;
      /** What came, or an empty object for what is no JSON. */
      frame(frame: object): void;
      close(how: { code: number; reason: string }): void;
    },
    protocols?: string[],
  ): Ear | undefined;
  /** Hangs up, as it is lost. */
  dead(...how: Parameters<typeof lost>): void;
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
  const dead: Wire["dead"] = (...how) => {
    if (over) return;
    close();
    line.onLost(lost(...how));
  };
  const after: Wire["after"] = (name, ms, then) => {
    alarms[name] ??= alarm(environment);
    alarms[name](ms, over ? undefined : then);
  };
  const exchange = (ms = 5_000 + environment.random() * 5_000) => {
    // What is given by `update` only is not asked for.
    if (!line.renews()) return;
    after("exchange", ms, async () => {
      try {
        await line.renew();
      } catch (error) {
        line.tell("error", error as CampanileError);
        exchange();
      }
    });
  };

  const talk = surface({
    ...line,
    claims,
    open(path, told, protocols) {
      if (over) return;
      const url = line.base.replace(/^http/, "ws") + path;
      const socket = new (environment.WebSocket as NonNullable<Environment["WebSocket"]>)(url, protocols);
      socket.onopen = told.open ?? null;
      socket.onmessage = ({ data }: { data: string }) => told.frame(parsed(data));
      socket.onclose = told.close;
      // A close follows.
      socket.onerror = () => {};
      return {
        send(text) {
          try {
            socket.send(text);
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
      dead(reason, code === 1006 ? "lost" : "close", code, comeBackAfter(code, reason), retryAt),
    after,
    expires(at = 0) {
      if (!at) return;
      const life = at - environment.now();
      // It was accepted, so it is the clock that is wrong; the server says when it is over.
      if (life <= 0) return after("exchange");
      const lead = Math.min(Math.max(30_000, life / 10), life / 2) * (0.9 + environment.random() * 0.2);
      exchange(Math.max(5_000, life - lead));
    },
    exchange,
  });
  after("dial", PATIENCE, () => dead("no answer in time"));
  void talk.dial(line.token());
  return { ...talk, close };
}

/** The JSON of a text, as an object; an empty one for any other text. */
function parsed(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
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
