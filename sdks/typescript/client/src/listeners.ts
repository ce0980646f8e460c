// Whoever wants to be told. What they do is theirs: it stops nothing here.

import { CampanileError } from "./error.js";
import type { Told } from "./store.js";
import type { Events } from "./types.js";

type Handler = (...told: never[]) => unknown;

export class Listeners {
  readonly #handlers = new Map<string, Set<Handler>>();

  /** `change` is told after each change of the snapshot. */
  on(event: keyof Events | "change", handler: Handler): () => void {
    const handlers = this.#handlers.get(event) ?? new Set();
    this.#handlers.set(event, handlers);
    handlers.add(handler);
    return () => handlers.delete(handler);
  }

  tell(...[event, ...told]: Told | ["change"]): void {
    for (const handler of this.#handlers.get(event) ?? []) {
      const failed = (cause: unknown) => {
        if (event === "error") return;
        this.tell("error", new CampanileError("handler_failed", `a handler of ${event} failed`, { cause }));
      };
      try {
        const result = (handler as (...told: unknown[]) => unknown)(...told);
        if (result instanceof Promise) result.catch(failed);
      } catch (cause) {
        failed(cause);
      }
    }
  }
}
