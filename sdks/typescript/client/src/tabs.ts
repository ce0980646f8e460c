// The tabs of a browser that show the same user: one of them leads, and the others are told what it was told.

import type { Environment } from "./environment.js";

/** An environment that has what tabs share. */
export type Shared = Environment &
  Required<{ [Name in "channel" | "locks"]: NonNullable<Environment[Name]> }>;

/** A message of the leader, numbered within its term; or a wish of another tab. */
interface Envelope<Told, Wish> {
  readonly term: string;
  readonly n: number;
  readonly told: Told;
  readonly wish?: Wish;
}

export interface Ears<Told, Wish> {
  /** What the leader did. Not said before `all` of a term, nor after a gap. */
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
  const channel = environment.channel(name);
  let leads = false;
  /** Of the leader, whichever tab that is; empty: something was missed. */
  let term = "";
  /** The number of the next message. */
  let n = 0;
  let joining = true;
  let led: Promise<boolean> | undefined;
  let abort: AbortController | undefined;

  const wish = (wish: Wish) => channel.postMessage({ wish });
  const tell = (told: Told) => {
    if (leads) channel.postMessage({ term, n: n++, told });
  };
  const resign = () => {
    abort?.abort();
    led = abort = undefined;
    leads = false;
  };

  channel.onmessage = ({ data }) => {
    const { wish: wished, told, ...at } = data as Envelope<Told, Wish>;
    if (wished) ears.onWish(wished);
    else if (leads) return;
    // `all` comes first in a term, and whenever somebody joins.
    else if ("all" in told || (at.term === term && at.n === n)) {
      joining = false;
      term = at.term;
      n = at.n + 1;
      ears.onTold(told);
    } else if (at.term !== term || at.n > n) {
      term = "";
      if (!joining) wish(join);
      joining = true;
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
        const held = async () => {
          if (signal.aborted) return;
          const released = new Promise((release) => {
            signal.onabort = release;
          });
          leads = true;
          term = environment.uuid();
          n = 0;
          tell(ears.all());
          resolve(true);
          await released;
        };
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
      channel.onmessage = null;
      channel.close();
    },
  };
}
