// A clock that a test steps.

import { setImmediate as turn } from "node:timers/promises";

export class Clock {
  #now = Date.parse("2026-01-01T00:00:00Z");
  #last = 0;
  /** @type {Map<number, {at: number, then: () => void}>} */
  #timers = new Map();

  now = () => this.#now;

  /**
   * @param {() => void} then
   * @param {number} ms
   */
  setTimeout = (then, ms) => {
    this.#timers.set(++this.#last, { at: this.#now + ms, then });
    return this.#last;
  };

  /** @param {unknown} timer */
  clearTimeout = (timer) => {
    this.#timers.delete(/** @type {number} */ (timer));
  };

  /**
   * Lets so many milliseconds pass; every timer that falls due runs at its time.
   *
   * @param {number} ms
   */
  async pass(ms) {
    const end = this.#now + ms;
    for (;;) {
      const [due] = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at);
      if (!due) break;
      const [id, { at, then }] = due;
      this.#timers.delete(id);
      this.#now = Math.max(this.#now, at);
      then();
      await turn();
    }
    this.#now = end;
  }

  /** Milliseconds until the next timer is due; infinite where none is set. */
  get soonest() {
    return Math.min(...[...this.#timers.values()].map(({ at }) => at)) - this.#now;
  }
}
