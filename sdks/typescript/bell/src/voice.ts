// What screen readers are told without being asked.

import { make } from "./markup.js";
import type { Wording } from "./wording.js";

/** Announcements within so many milliseconds are one. */
const TOGETHER = 500;

/** Says what arrived: one notification by its words, several at once by their number. */
export class Voice {
  readonly element: HTMLElement;
  wording: Wording | undefined;
  // Both regions are in the document before they speak: readers overlook what comes with its text.
  readonly #polite = make("div", { role: "status", "aria-live": "polite" });
  readonly #urgent = make("div", { role: "alert", "aria-live": "assertive" });
  #waiting: { text: string; urgent: boolean }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.element = make("div", { class: "spoken" }, this.#polite, this.#urgent);
  }

  /** @param urgent interrupts what is being read. */
  announce(text: string, urgent: boolean): void {
    this.#waiting.push({ text, urgent });
    this.#timer ??= setTimeout(() => this.#say(), TOGETHER);
  }

  #say(): void {
    this.#timer = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    const count = waiting.length;
    const { wording } = this;
    const text =
      count > 1 && wording ? wording.counted(wording.strings.newCount, count) : (waiting[0]?.text ?? "");
    const region = waiting.some(({ urgent }) => urgent) ? this.#urgent : this.#polite;
    // A new node is a change even with the same text, and the former one goes: a region holds the latest only.
    region.replaceChildren(make("span", {}, text));
  }
}
