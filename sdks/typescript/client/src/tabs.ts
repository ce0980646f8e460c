// The tabs of a browser that show the same user: one of them leads, and the others are told what it was told.

import type { Environment } from "./environment.js";

/** An environment that has what tabs share. */
export type Shared = Environment &
  Required<{ [Name in "channel" | "locks"]: NonNullable<Environment[Name]> }>;

/** A message of the leader, with its number; or a wish of another tab. */
interface Envelope<Told, Wish> {
  readonly n: number;
  readonly told: Told;
  readonly wish?: Wish;
}

export interface Ears<Told, Wish> {
  /** What the leader did. Not said before `all` of a leader, nor after a gap. */
  onTold(told: Told): void;
  onWish(wish: Wish): void;
  /** Everything, so that another tab can follow. It has a member `all`. */
  all(): Told;
}

export interface Tabs<Told, Wish> {
  readonly leads: boolean;
  /** Resolves to true once this tab leads, or may not ask; to false if it resigned before. */
  lead(): Promise<boolean>;
  /** Leaves the lead, or the wish for it, to another tab. */
  resign(): void;
  /** Says what the leader did, if that is this tab. */
  tell(told: Told): void;
  /** Asks the leader, if there is one. */
  wish(wish: Wish): void;
  leave(): void;
}

/** Meets the tabs of the same `name`. `join` is what a tab asks for that missed something. */
export function joinTabs<Told extends object, Wish>(
  environment: Shared,
  name: string,
  ears: Ears<Told, Wish>,
  join: Wish,
): Tabs<Told, Wish> {
  const line = environment.channel(name);
  let leads = false;
  /** The number of the next message; none, while `all` is waited for. Each leader begins somewhere else. */
  let next = NaN;
  let led: Promise<boolean> | undefined;
  let abort: AbortController | undefined;

  const wish = (wish: Wish) => line.postMessage({ wish });
  const tell = (told: Told) => {
    if (leads) line.postMessage({ n: next++, told });
  };
  const resign = () => {
    abort?.abort();
    led = abort = undefined;
    leads = false;
  };

  line.onmessage = ({ data }) => {
    const { wish: wished, told, n } = data as Envelope<Told, Wish>;
    if (wished) ears.onWish(wished);
    else if (leads) return;
    // It comes first of a leader, and whenever somebody joins.
    else if ("all" in told || n === next) {
      next = n + 1;
      ears.onTold(told);
    } else if (next) {
      next = NaN;
      wish(join);
    }
  };
  wish(join);

  return {
    get leads() {
      return leads;
    },
    lead() {
      led ??= new Promise((resolve) => {
        abort = new AbortController();
        const { signal } = abort;
        const held = () =>
          new Promise<unknown>((release) => {
            if (signal.aborted) return release(0);
            signal.onabort = release;
            leads = true;
            next = Math.floor(environment.random() * 2 ** 50);
            tell(ears.all());
            resolve(true);
          });
        environment.locks
          .request(name, { signal }, held)
          .catch(() => {})
          .then(() => resolve(!signal.aborted));
      });
      return led;
    },
    resign,
    tell,
    wish,
    leave() {
      resign();
      line.onmessage = null;
      line.close();
    },
  };
}
