// The language of a bell: its own `lang`, or what is around it.

import { type CustomStrings, english, isShipped, type Strings, translation } from "./strings.js";
import { Wording } from "./wording.js";

const RIGHT_TO_LEFT = new Set(["ar", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"]);

/** Finds the language of an element, loads its texts, and tells when there are others. */
export class Language {
  readonly #element: HTMLElement;
  readonly #changed: () => void;
  #shipped: Strings = english;
  #custom: CustomStrings = {};
  #tag = "en";
  #wording = new Wording(english, "en");

  constructor(element: HTMLElement, changed: () => void) {
    this.#element = element;
    this.#changed = changed;
  }

  /** The language that is written: English where a page's language has no texts, shipped or custom. */
  get tag(): string {
    return this.#tag;
  }

  /** The direction, if the element's own `lang` decides it; else what is around it does, by `dir`. */
  get direction(): "ltr" | "rtl" | undefined {
    const own = this.#element.getAttribute("lang");
    if (!own || this.#element.hasAttribute("dir")) return undefined;
    return RIGHT_TO_LEFT.has(own.toLowerCase().split("-")[0] ?? "") ? "rtl" : "ltr";
  }

  get wording(): Wording {
    return this.#wording;
  }

  get custom(): CustomStrings {
    return this.#custom;
  }

  set custom(strings: CustomStrings) {
    this.#custom = strings ?? {};
    this.refresh();
  }

  /** Looks again. Until a language is loaded, the former one stays. */
  refresh(): void {
    const around = this.#element.closest("[lang]")?.getAttribute("lang") || navigator.language || "en";
    const known = isShipped(around) || Object.keys(this.#custom).length > 0;
    this.#tag = known ? around : "en";
    this.#write();
    const wanted = this.#tag;
    void translation(wanted).then(
      (strings) => {
        if (wanted !== this.#tag || strings === this.#shipped) return;
        this.#shipped = strings;
        this.#write();
      },
      // The texts stay as they are: a bell in another language is better than none.
      (cause: unknown) => console.warn(`campanile-bell: no texts for ${wanted}`, cause),
    );
  }

  #write(): void {
    this.#wording = new Wording({ ...this.#shipped, ...this.#custom }, this.#tag);
    this.#changed();
  }
}
