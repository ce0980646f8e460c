// The tabs of a browser that show the same user: one of them leads, and the others are told what it was told.

import type { Channel, Environment } from "./environment.js";

/** A message of the leader, numbered within its term; or a wish of another tab. */
type Envelope<Told, Wish> = { term: string; n: number; told: Told } | { wish: Wish };

export interface Ears<Told, Wish> {
  /** What the leader did. Not said before `all` of a term, nor after a gap. */
  onTold(told: Told): void;
  /** Said to the leader only. */
  onWish(wish: Wish): void;
  /** Everything, so that another tab can follow. */
  all(): Told;
}

export class Tabs<Told, Wish> {
  leads = false;
  readonly #channel: Channel;
  #term: string;
  #n = 0;
  #release: (() => void) | undefined;
  /** Asked to be told everything. */
  #joining = true;
  #asking: { led: Promise<boolean>; give: () => void } | undefined;

  constructor(
    readonly environment: Environment,
    readonly name: string,
    readonly ears: Ears<Told, Wish>,
    /** What a tab asks for that missed something. */
    readonly join: Wish,
  ) {
    this.#term = "";
    this.#channel = (environment.channel as (name: string) => Channel)(name);
    this.#channel.onmessage = ({ data }) => this.#hear(data as Envelope<Told, Wish>);
    this.wish(join);
  }

  /** Resolves to true once this tab leads, or may not ask; to false if it resigned before. */
  lead(): Promise<boolean> {
    if (this.leads) return Promise.resolve(true);
    if (this.#asking) return this.#asking.led;
    const abort = new AbortController();
    const led = new Promise<boolean>((resolve) => {
      const held = () => {
        if (abort.signal.aborted) return Promise.resolve();
        this.leads = true;
        this.#asking = undefined;
        this.#term = this.environment.uuid();
        this.#n = 0;
        this.tell(this.ears.all());
        resolve(true);
        return new Promise<void>((release) => {
          this.#release = release;
        });
      };
      this.environment.locks
        ?.request(this.name, { signal: abort.signal }, held)
        .catch(() => resolve(!abort.signal.aborted));
    });
    this.#asking = { led, give: () => abort.abort() };
    return led;
  }

  /** Leaves the lead, or the wish for it, to another tab. */
  resign(): void {
    this.#asking?.give();
    this.#asking = undefined;
    this.#release?.();
    this.#release = undefined;
    this.leads = false;
  }

  /** Says what the leader did. */
  tell(told: Told): void {
    if (this.leads) this.#post({ term: this.#term, n: this.#n++, told });
  }

  /** Asks the leader, if there is one. */
  wish(wish: Wish): void {
    this.#post({ wish });
  }

  leave(): void {
    this.resign();
    this.#channel.onmessage = null;
    this.#channel.close();
  }

  #post(envelope: Envelope<Told, Wish>): void {
    this.#channel.postMessage(envelope);
  }

  #hear(envelope: Envelope<Told, Wish>): void {
    if ("wish" in envelope) {
      this.ears.onWish(envelope.wish);
      return;
    }
    const { term, n, told } = envelope;
    if (this.leads) return;
    // `all` comes first in a term, and whenever somebody joins.
    if (!("all" in (told as object))) {
      if (term === this.#term && n < this.#n) return;
      if (term !== this.#term || n > this.#n) {
        this.#term = "";
        if (!this.#joining) this.wish(this.join);
        this.#joining = true;
        return;
      }
    }
    this.#joining = false;
    this.#term = term;
    this.#n = n + 1;
    this.ears.onTold(told);
  }
}
