// Something that is done later, unless it is planned anew.

import type { Environment } from "./environment.js";

/** A timer may not be set for longer than 2³¹ − 1. */
const LONGEST = 2e9;

/** Plans something in place of what was planned before. Without a time, and at Infinity, nothing. */
export type Alarm = (ms?: number, then?: () => unknown) => void;

/** It may ring early where `ms` is above 23 days. */
export function alarm({ setTimeout, clearTimeout }: Environment): Alarm {
  let timer: unknown;
  return (ms = Infinity, then) => {
    clearTimeout(timer);
    if (then && ms < Infinity) timer = setTimeout(then, Math.min(ms, LONGEST));
  };
}
