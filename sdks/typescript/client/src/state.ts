// The states of the client. Pure: time and chance are arguments, and what has to be done follows from two states in a row.

import { delay } from "./backoff.js";
import type { ComeBack } from "./connection.js";
import type { Reason, State, TokenReason } from "./types.js";

/** How long a connection must have lived for its failures to be forgotten. */
const STABLE = 30_000;
/** How long a page is hidden before it no longer retries, and before it hangs up. */
const HIDDEN_RETRY = 30_000;
const HIDDEN: Partial<Record<State, number>> = {
  live: 300_000,
  connecting: HIDDEN_RETRY,
  waiting: HIDDEN_RETRY,
};
/** Being offline may be a mistake of the machine's: then it comes back so late. */
const OFFLINE = 300_000;
/** The latest that a sign of life (online, visible, pageshow) takes effect. */
const SOON = 1_000;

/** Times are in milliseconds since 1970; Infinity is never. */
export interface Machine {
  readonly state: State;
  readonly reason: Reason | null;
  /** When it comes back by itself, from `waiting` or `suspended`. */
  readonly retryAt: number;
  /** The server said not to come back before: only `retry` does. */
  readonly notBefore: number;
  /** What the next token is asked for. */
  readonly why: TokenReason;
  /** Counts the times that it began to connect: each is one attempt. */
  readonly attempt: number;
  /** `connect` was called. */
  readonly started: boolean;
  readonly failures: number;
  /** When it became live; never, if it was not since it last failed. */
  readonly liveSince: number;
  readonly hiddenSince: number;
  readonly online: boolean;
}

export type Happening =
  | { type: "stop" | "close" | "live" | "retry" | "time" }
  | { type: "online" | "offline" | "visible" | "hidden" | "pageshow" | "pagehide" }
  /** `anew`: token or workspace changed. `ready`: both are there. */
  | { type: "start" | "anew"; ready: boolean }
  | Lost;

export interface Lost {
  readonly type: "lost";
  readonly reason: Reason;
  readonly comeBack: ComeBack;
  /** What the server said. */
  readonly retryAt?: number | undefined;
}

export const IDLE: Machine = {
  state: "idle",
  reason: null,
  retryAt: Infinity,
  notBefore: 0,
  why: "initial",
  attempt: 0,
  started: false,
  failures: 0,
  liveSince: Infinity,
  hiddenSince: Infinity,
  online: true,
};

/** The state after something happened at `now`. `random` is drawn where chance decides. */
export function step(was: Machine, happening: Happening, now: number, random: () => number): Machine {
  return was.state === "closed" ? was : { ...was, ...changes(was, happening, now, random) };
}

function changes(
  was: Machine,
  happening: Happening,
  now: number,
  random: () => number,
): Partial<Machine> | undefined {
  const { state } = was;
  const away = state === "waiting" || state === "suspended";
  const minded = now - was.hiddenSince < HIDDEN_RETRY;
  const anew = { failures: 0, why: "initial" } as const;
  const connecting = (more?: Partial<Machine>): Partial<Machine> => ({
    state: "connecting",
    retryAt: Infinity,
    notBefore: 0,
    attempt: was.attempt + 1,
    ...more,
  });
  const resting = (state: State, reason: Reason | null, more?: Partial<Machine>): Partial<Machine> => ({
    state,
    reason,
    retryAt: Infinity,
    liveSince: Infinity,
    ...more,
  });
  const soon = (): Partial<Machine> | false =>
    away && {
      state: "waiting",
      retryAt: Math.max(was.notBefore, Math.min(was.retryAt, now + random() * SOON)),
    };
  const lost = (reason: string): Reason => ({ kind: "lost", code: 0, reason });
  const doubted = (notBefore = 0) => (minded ? Math.max(now + OFFLINE, notBefore) : Infinity);

  switch (happening.type) {
    case "start":
      if (state === "idle") return happening.ready ? connecting({ started: true }) : { started: true };
      return;
    case "stop":
      return resting("idle", null, { ...anew, started: false });
    case "close":
      return resting("closed", null);
    case "anew":
      return {
        ...resting("idle", null, anew),
        ...(was.started && happening.ready && connecting()),
      };
    case "live":
      // Whatever was said of the network: it is there.
      return { state: "live", reason: null, liveSince: now, why: "reconnect", online: true };
    case "lost": {
      if (state !== "live" && state !== "connecting") return;
      const { reason, comeBack, retryAt } = happening;
      const failures = (now - was.liveSince < STABLE ? was.failures : 0) + 1;
      const next = { failures, why: comeBack === "with_new_token" ? "expired" : "reconnect" } as const;
      if (comeBack === "no") return resting("refused", reason, next);
      const at = retryAt ?? now + delay(failures, random());
      return {
        ...(was.online && minded
          ? resting("waiting", reason, { ...next, retryAt: at })
          : resting("suspended", reason, { ...next, retryAt: doubted(retryAt) })),
        notBefore: retryAt ?? 0,
      };
    }
    case "online":
      return { ...(minded && soon()), online: true };
    case "offline":
      return {
        ...(state in HIDDEN && resting("suspended", lost("offline"), { retryAt: doubted(was.notBefore) })),
        online: false,
      };
    case "visible":
    case "pageshow":
      return { ...soon(), hiddenSince: Infinity };
    case "hidden":
      return { hiddenSince: Math.min(was.hiddenSince, now) };
    case "retry":
      return away || state === "refused" ? connecting({ failures: 0 }) : undefined;
    case "time":
      if (now < wakeAt(was)) return;
      return minded ? connecting() : resting("suspended", was.reason ?? lost("hidden"));
  }
}

/** When `time` makes a difference next. */
export function wakeAt(machine: Machine): number {
  return Math.min(tiredAt(machine), machine.retryAt);
}

/** When a page that nobody sees gives up. */
function tiredAt({ state, hiddenSince }: Machine): number {
  return hiddenSince + (HIDDEN[state] ?? Infinity);
}
