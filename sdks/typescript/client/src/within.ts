// Waiting, but not for ever.

import { alarm } from "./alarm.js";
import type { Environment } from "./environment.js";

/** What `promise` resolves to. Rejects if that takes longer than `ms`. */
export async function within<T>(environment: Environment, ms: number, promise: T | Promise<T>): Promise<T> {
  const patience = alarm(environment);
  try {
    return await Promise.race([promise, new Promise<never>((_, fail) => patience(ms, fail))]);
  } finally {
    patience();
  }
}
