// The states of the client. Pure: time and chance are arguments, and what has to be done follows from two states in a row.

import { delay } from "./backoff.js";
import { type Loss, lost } from "./connection.js";
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
/** The latest that a sign of life (online, visible) takes effect. */
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
  readonly failures: number;
  /** When it became live; never, if it was not since it last failed. */
  readonly liveSince: number;
  readonly hiddenSince: number;
  /** What the machine says, until it is live. */
  readonly offline?: boolean;
}

export type Happening =
  | { type: "close" | "live" | "retry" | "time" }
  | { type: "online" | "offline" | "visible" | "hidden" }
  /** `ready`: token and workspace are there, and the client is to connect. */
  | { type: "anew"; ready: boolean }
  | ({ type: "lost" } & Loss);

export const IDLE: Machine = {
  state: "idle",
  reason: null,
  retryAt: Infinity,
  notBefore: 0,
  why: "initial",
  attempt: 0,
  failures: 0,
  liveSince: Infinity,
  hiddenSince: Infinity,
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
): Partial<Machine> | false | undefined {
  const { type } = happening;
  const { state, notBefore } = was;
  const away = state === "waiting" || state === "suspended";
  const minded = now - was.hiddenSince < HIDDEN_RETRY;
  const connecting = {
    state: "connecting",
    reason: null,
    retryAt: Infinity,
    notBefore: 0,
    attempt: was.attempt + 1,
  } as const;
  const resting = (state: State, reason: Reason | null = null) => ({
    state,
    reason,
    retryAt: Infinity,
    liveSince: Infinity,
  });
  const soon = away && {
    state: "waiting" as const,
    retryAt: Math.max(notBefore, Math.min(was.retryAt, now + random() * SOON)),
  };
  const doubted = (notBefore: number) => (minded ? Math.max(now + OFFLINE, notBefore) : Infinity);

  switch (type) {
    case "anew":
      return { ...resting("idle"), failures: 0, why: "initial", ...(happening.ready && connecting) };
    case "close":
      return resting("closed");
    case "live":
      // Whatever was said of the network: it is there.
      return { state: "live", reason: null, liveSince: now, why: "reconnect", offline: false };
    case "lost": {
      if (state !== "live" && state !== "connecting") return;
      const { reason, comeBack, retryAt } = happening;
      const failures = (now - was.liveSince < STABLE ? was.failures : 0) + 1;
      const next = { failures, why: comeBack === "with_new_token" ? "expired" : "reconnect" } as const;
      if (comeBack === "no") return { ...resting("refused", reason), ...next };
      const waits = !was.offline && minded;
      const notBefore = retryAt ?? 0;
      return {
        ...resting(waits ? "waiting" : "suspended", reason),
        ...next,
        retryAt: waits ? (retryAt ?? now + delay(failures, random())) : doubted(notBefore),
        notBefore,
      };
    }
    case "online":
      return { ...(minded && soon), offline: false };
    case "offline":
      return {
        ...(state in HIDDEN && {
          ...resting("suspended", lost("offline").reason),
          retryAt: doubted(notBefore),
        }),
        offline: true,
      };
    case "visible":
      return { ...soon, hiddenSince: Infinity };
    case "hidden":
      return { hiddenSince: Math.min(was.hiddenSince, now) };
    case "retry":
      // A hidden page has its patience anew.
      return (
        (away || state === "refused") && {
          ...connecting,
          failures: 0,
          hiddenSince: Math.max(was.hiddenSince, now),
        }
      );
    case "time":
      return (
        now >= wakeAt(was) &&
        (minded ? connecting : resting("suspended", was.reason ?? lost("hidden").reason))
      );
  }
}

/** When `time` makes a difference next: it comes back, or a page that nobody sees gives up. */
export function wakeAt({ state, hiddenSince, retryAt }: Machine): number {
  return Math.min(hiddenSince + (HIDDEN[state] ?? Infinity), retryAt);
}
