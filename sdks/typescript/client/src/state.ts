// The states of the client. Pure: time and chance are arguments, and what has to be done follows from two states in a row.

import { delay } from "./backoff.js";
import type { ComeBack } from "./connection.js";
import type { Reason, State, TokenReason } from "./types.js";

/** How long a connection must have lived for its failures to be forgotten. */
const STABLE = 30_000;
/** How long a page is hidden before it no longer retries, and before it hangs up. */
const HIDDEN_RETRY = 30_000;
const HIDDEN_LIVE = 300_000;
/** The latest that a sign of life (online, visible, pageshow) takes effect. */
const SOON = 1_000;

export interface Machine {
  readonly state: State;
  readonly reason: Reason | null;
  readonly retryAt: number | null;
  /** What the next token is asked for. */
  readonly why: TokenReason;
  /** Counts the times that it began to connect: each is one attempt. */
  readonly attempt: number;
  /** `connect` was called. */
  readonly started: boolean;
  /** Token and workspace are there. */
  readonly ready: boolean;
  readonly failures: number;
  /** When it became live; null if it was not since it last failed. */
  readonly liveSince: number | null;
  readonly hiddenSince: number | null;
  readonly online: boolean;
  /** The server said when to come back: nothing but `retry` makes that earlier. */
  readonly told: boolean;
}

export type Happening =
  | { type: "stop" | "close" | "live" | "retry" | "time" }
  | { type: "online" | "offline" | "visible" | "hidden" | "pageshow" | "pagehide" }
  /** Token or workspace changed: begins anew, if both are there. */
  | { type: "start" | "anew"; ready: boolean }
  | { type: "lost"; reason: Reason; comeBack: ComeBack; retryAt?: number | undefined };

export const IDLE: Machine = {
  state: "idle",
  reason: null,
  retryAt: null,
  why: "initial",
  attempt: 0,
  started: false,
  ready: false,
  failures: 0,
  liveSince: null,
  hiddenSince: null,
  online: true,
  told: false,
};

/** The state after something happened at `now`. `random` is drawn where chance decides. */
export function step(was: Machine, happening: Happening, now: number, random: () => number): Machine {
  if (was.state === "closed") return was;
  const { state } = was;
  const away = state === "waiting" || state === "suspended";
  const connecting = (more: Partial<Machine>): Machine => ({
    ...was,
    state: "connecting",
    retryAt: null,
    told: false,
    attempt: was.attempt + 1,
    ...more,
  });
  const resting = (to: State, reason: Reason | null, more?: Partial<Machine>): Machine => ({
    ...was,
    state: to,
    reason,
    retryAt: null,
    liveSince: null,
    ...more,
  });
  const soon = (): Machine => {
    if (!away) return { ...was, hiddenSince: null };
    const at = now + random() * SOON;
    const retryAt = was.told && was.retryAt !== null ? was.retryAt : Math.min(at, was.retryAt ?? at);
    return { ...was, state: "waiting", hiddenSince: null, retryAt };
  };
  const hidden = was.hiddenSince === null ? 0 : now - was.hiddenSince;

  switch (happening.type) {
    case "start":
      if (was.started && state !== "idle") return was;
      return happening.ready ? connecting({ started: true, ready: true }) : { ...was, started: true };
    case "stop":
      return resting("idle", null, { started: false, failures: 0, told: false, why: "initial" });
    case "close":
      return resting("closed", null);
    case "anew": {
      const { ready } = happening;
      if (was.started && ready)
        return connecting({ ready, failures: 0, liveSince: null, reason: null, why: "initial" });
      return resting("idle", null, { ready, failures: 0, why: "initial" });
    }
    case "live":
      return { ...was, state: "live", reason: null, liveSince: now, why: "reconnect" };
    case "lost": {
      if (state !== "live" && state !== "connecting") return was;
      const { reason, comeBack, retryAt } = happening;
      const stable = was.liveSince !== null && now - was.liveSince >= STABLE;
      const failures = (stable ? 0 : was.failures) + 1;
      const why = comeBack === "with_new_token" ? "expired" : "reconnect";
      if (comeBack === "no") return resting("refused", reason, { failures, why });
      const told = retryAt !== undefined;
      const at = retryAt ?? now + delay(failures, random());
      const stays = was.online && hidden < HIDDEN_RETRY;
      return resting(stays ? "waiting" : "suspended", reason, {
        failures,
        why,
        told,
        retryAt: stays || told ? at : null,
      });
    }
    case "online":
      return { ...(hidden < HIDDEN_RETRY ? soon() : was), hiddenSince: was.hiddenSince, online: true };
    case "offline": {
      const reason: Reason = { kind: "lost", code: 0, reason: "offline" };
      const stops = state === "live" || state === "connecting" || state === "waiting";
      const retryAt = was.told ? was.retryAt : null;
      return { ...(stops ? resting("suspended", reason, { retryAt }) : was), online: false };
    }
    case "visible":
    case "pageshow":
      return soon();
    case "hidden":
      return { ...was, hiddenSince: was.hiddenSince ?? now };
    case "retry":
      return (away || state === "refused") && was.ready ? connecting({ failures: 0 }) : was;
    case "time": {
      const at = wakeAt(was);
      if (at === null || now < at) return was;
      const reason: Reason = was.reason ?? { kind: "lost", code: 0, reason: "hidden" };
      if (hidden >= (state === "live" ? HIDDEN_LIVE : HIDDEN_RETRY))
        return resting("suspended", reason, { retryAt: was.told ? was.retryAt : null });
      return connecting({});
    }
    case "pagehide":
      return was;
  }
}

/** When `time` makes a difference next; null: never. */
export function wakeAt(machine: Machine): number | null {
  const { state, hiddenSince } = machine;
  const tired =
    hiddenSince === null
      ? null
      : state === "live"
        ? hiddenSince + HIDDEN_LIVE
        : state === "waiting" || state === "connecting"
          ? hiddenSince + HIDDEN_RETRY
          : null;
  if (state !== "waiting" || machine.retryAt === null) return tired;
  return tired === null ? machine.retryAt : Math.min(tired, machine.retryAt);
}
