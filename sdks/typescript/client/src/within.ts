// Waiting, but not for ever.

import type { Environment } from "./environment.js";

/** What `promise` resolves to; undefined if that takes longer than `ms`. */
export async function within<T>(
  { setTimeout, clearTimeout }: Environment,
  ms: number,
  promise: Promise<T>,
): Promise<T | undefined> {
  let timer: unknown;
  const late = new Promise<undefined>((then) => {
    timer = setTimeout(() => then(undefined), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
