// Whoever wants to be told. What they do is theirs: it stops nothing here.

import { CampanileError } from "./error.js";
import type { Told } from "./store.js";
import type { Events } from "./types.js";

type Handler = (...told: never[]) => unknown;

export interface Listeners {
  /** `change` is told after each change of the snapshot. */
  on(event: keyof Events | "change", handler: Handler): () => void;
  tell(...told: Told | ["change"]): void;
}

export function createListeners(): Listeners {
  const handlers = new Map<string, Set<Handler>>();
  const tell: Listeners["tell"] = (event, ...told) => {
    // Whatever it throws at once is a rejection as well.
    for (const handler of handlers.get(event) ?? [])
      (async () => (handler as (...told: unknown[]) => unknown)(...told))().catch((cause) => {
        if (event !== "error")
          tell("error", new CampanileError("handler_failed", `a handler of ${event} failed`, { cause }));
      });
  };
  return {
    on(event, handler) {
      const set = handlers.get(event) ?? new Set();
      handlers.set(event, set.add(handler));
      return () => set.delete(handler);
    },
    tell,
  };
}
