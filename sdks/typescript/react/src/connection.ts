"use client";
// useConnection(): whether what is shown is live.

import type { Reason, State } from "@campanile/client";
import { useCallback, useMemo } from "react";
import { useSnapshot } from "./framed_client.js";
import { useFramedClient } from "./provider.js";

/** The state of a connection. The same object until something in it changes. */
export interface Connection {
  readonly state: State;
  /** Whether `state` is `live`. */
  readonly connected: boolean;
  /** Why it is not. */
  readonly reason: Reason | null;
  /** When it comes back by itself, in milliseconds since 1970, if it waits. */
  readonly retryAt: number | null;
  /** Comes back now. */
  readonly retry: () => void;
}

/** The connection of the provider's client. Notifications don't render it again. */
export function useConnection(): Connection {
  const from = useFramedClient();
  const state = useSnapshot(from, (snapshot) => snapshot.state);
  const reason = useSnapshot(from, (snapshot) => snapshot.reason);
  const retryAt = useSnapshot(from, (snapshot) => snapshot.retryAt);
  const retry = useCallback(() => from?.client.retry(), [from]);
  return useMemo(
    () => ({ state, connected: state === "live", reason, retryAt, retry }),
    [state, reason, retryAt, retry],
  );
}
