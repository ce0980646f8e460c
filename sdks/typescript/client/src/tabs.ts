// The tabs of a browser that show the same user: one of them leads, and the others are told what it was told.

import { alarm } from "./alarm.js";
import type { Channel, Environment, Locks } from "./environment.js";

/** The one that leads says something at least so often. */
const BEAT = 25_000;
/** So late that may be, and so late an answer: after both it is robbed of the lead, as it hangs or is frozen. */
const PATIENCE = 10_000;

/** What a tab wishes that missed something. */
const JOIN = "join";

/** A message of the leader, with its number, and nothing told if it only says that it is there; or a wish of another tab. */
interface Envelope<Told, Wish> {
  readonly n: number;
  readonly told?: Told;
  readonly wish?: Wish | typeof JOIN;
  /** The leader robbed the former one. */
  readonly stole?: boolean | undefined;
}

export interface Ears<Told, Wish> {
  /** What the leader did. Not said before `all` of a leader, nor after a gap. */
  onTold(told: Told): void;
  /** Another tab wants something of this one, which leads. */
  onWish(wish: Wish): void;
  /** Nobody is known to lead any more. `robbed`: another tab took the lead away, from this one or from one that hung. */
  onLost(robbed: boolean): void;
  /** Everything, so that another tab can follow: it is of the type `All`. */
  all(): Told;
}

export interface Tabs<Told, Wish> {
  /** Resolves to true once this tab leads, or may not ask; to false if it resigned before. */
  lead(): Promise<boolean>;
  /** Leaves the lead, or the wish for it, to another tab. */
  resign(): void;
  /** Says what the leader did, if that is this tab. */
  tell(told: Told): void;
  /** Asks the leader, if there is one. */
  wish(wish: Wish): void;
  /** Resigns first. */
  leave(): void;
}

/** Meets the tabs of the same `name`, which is that of the `line` between them. */
export function joinTabs<Told extends { type: string }, Wish>(
  environment: Environment,
  locks: Locks,
  line: Channel,
  name: string,
  ears: Ears<Told, Wish>,
): Tabs<Told, Wish> {
  /** Until whoever leads has to say something, be it this tab or another. */
  const beat = alarm(environment);
  let leads = false;
  /** The number of the next message; none, while `all` is waited for. Each leader begins somewhere else. */
  let next = NaN;
  let led: Promise<boolean> | undefined;
  let answer: (leads: boolean) => void;
  let abort: AbortController | undefined;

  const wish = (wish: Wish | typeof JOIN) => line.postMessage({ wish });
  const tell = (told?: Told, stole?: boolean) => {
    if (!leads) return;
    line.postMessage({ n: next++, told, stole });
    beat(BEAT, tell);
  };
  const resign = () => {
    abort?.abort();
    if (led) answer(false);
    led = abort = undefined;
    if (!leads) return;
    leads = false;
    next = NaN;
    beat();
  };

  const robbed = () => {
    resign();
    ears.onLost(true);
  };

  /** Asks for everything: whoever leads answers. */
  const ask = () => {
    wish(JOIN);
    expect();
  };
  /** Not all tabs lose their patience in the same moment. */
  const expect = () => beat(PATIENCE + environment.random() * 2_000, rob);
  const rob = () => {
    if (led) return request(true);
    // If it says something after all, that is a gap.
    next = -1;
    ears.onLost(false);
  };
  const request = (steal?: boolean) => {
    abort?.abort();
    abort = new AbortController();
    const { signal } = abort;
    const held = () =>
      new Promise<unknown>((release) => {
        if (signal.aborted) return release(0);
        signal.onabort = release;
        leads = true;
        next = environment.random();
        tell(ears.all(), steal);
        answer(true);
      });
    locks
      .request(name, steal ? { steal } : { signal }, held)
      .catch(() => {})
      .then(() => {
        if (signal.aborted) return;
        if (!leads) return answer(true);
        robbed();
        ask();
      });
  };

  line.onmessage = ({ data }) => {
    const { wish: wished, told, n, stole } = data as Envelope<Told, Wish>;
    if (wished) {
      if (leads) wished === JOIN ? tell(ears.all()) : ears.onWish(wished);
      return;
    }
    // It may be known here before the lock says so; and after the connection was replaced, for which this tab resigned.
    if (stole && (leads || !led)) robbed();
    if (leads) return;
    beat(BEAT + PATIENCE, ask);
    // It comes first of a leader, and whenever somebody joins.
    if (n === next || told?.type === "All") {
      next = n + 1;
      if (told) ears.onTold(told);
    } else if (next) {
      next = NaN;
      wish(JOIN);
    }
  };
  wish(JOIN);

  return {
    lead() {
      led ??= new Promise((resolve) => {
        answer = resolve;
        // If there is one that leads, it did not answer so far.
        if (!(next > 0)) expect();
        request();
      });
      return led;
    },
    resign,
    tell,
    wish,
    leave() {
      resign();
      beat();
      line.onmessage = null;
      line.close();
    },
  };
}
