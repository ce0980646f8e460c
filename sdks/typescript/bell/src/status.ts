// Whether what is shown is live: a dot, a word, and a way to try again.

import { iconButton, make, mark, name, write } from "./markup.js";
import type { SourceSnapshot, SourceState } from "./source.js";
import type { Strings } from "./strings.js";
import type { Wording } from "./wording.js";

/** Changes shorter than this, in milliseconds, are not shown: a reconnect at once is no news. */
const BRIEF = 600;

const WORDS: Readonly<Record<SourceState, (keyof Strings & SourceState) | "idle">> = {
  idle: "idle",
  connecting: "connecting",
  live: "live",
  waiting: "waiting",
  suspended: "suspended",
  refused: "refused",
  closed: "idle",
};

/** The connection's state, said politely to screen readers when it changes. */
export class Status {
  readonly element = make("div", { class: "status", part: "status" });
  readonly #text = make("span", {
    class: "text",
    part: "status-text",
    role: "status",
    "aria-live": "polite",
  });
  readonly #retry: HTMLButtonElement;
  #shown: SourceState | undefined;
  #wanted: SourceState = "idle";
  #wording: Wording | undefined;
  #retries = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(retry: () => void) {
    this.#retry = iconButton("retry", { class: "icon", part: "retry", hidden: true });
    this.#retry.addEventListener("click", retry);
    this.element.append(make("span", { class: "dot", part: "status-dot" }), this.#text, this.#retry);
  }

  /** @param retries Whether the source can be told to try again. */
  show({ state }: SourceSnapshot, wording: Wording, retries: boolean): void {
    this.#wanted = state;
    this.#wording = wording;
    this.#retries = retries;
    // Good news at once, and the first word; anything else when it has lasted.
    if (this.#shown === undefined || state === "live" || state === this.#shown) this.#write();
    else this.#timer ??= setTimeout(() => this.#write(), BRIEF);
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const state = this.#wanted;
    this.#shown = state;
    if (!this.#wording) return;
    const { strings } = this.#wording;
    mark(this.element, "data-state", state);
    write(this.#text, strings[WORDS[state]] as string);
    name(this.#retry, strings.retry);
    this.#retry.hidden = !(
      this.#retries &&
      (state === "waiting" || state === "suspended" || state === "refused")
    );
  }
}
