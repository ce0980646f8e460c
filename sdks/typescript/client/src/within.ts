// Waiting, but not for ever.

import { alarm } from "./alarm.js";
import type { Environment } from "./environment.js";

/** What `promise` resolves to; undefined if that takes longer than `ms`. */
export async function within<T>(
  environment: Environment,
  ms: number,
  promise: Promise<T>,
): Promise<T | undefined> {
  const patience = alarm(environment);
  const late = new Promise<undefined>((then) => patience(ms, () => then(undefined)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    patience();
  }
}
