// When to come back.

const BASE = 500;
const MINUTE = 60_000;

/**
 * Milliseconds to wait after `failures` in a row, this one included: half a second, and up to twice as much with each failure, by
 * chance. At most 20 s; after 10 failures 5 minutes, after 20 10 minutes. `random` is 0 up to 1.
 */
export function delay(failures: number, random: number): number {
  const cap = failures < 10 ? 20_000 : failures < 20 ? 5 * MINUTE : 10 * MINUTE;
  return Math.min(cap, BASE + random * Math.min(cap, BASE * 2 ** (failures - 1)));
}
