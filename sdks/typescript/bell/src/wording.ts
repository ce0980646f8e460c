// Texts, numbers and times as a language writes them.

import type { Plural, Strings } from "./strings.js";

/** Writes texts, numbers and times as a language does. A tag that no browser knows counts as English. */
export class Wording {
  readonly #numbers: Intl.NumberFormat;
  readonly #plurals: Intl.PluralRules;
  readonly #relative: Intl.RelativeTimeFormat;
  readonly #dates: Intl.DateTimeFormat;

  constructor(
    readonly strings: Strings,
    language: string,
  ) {
    const tag = isTag(language) ? language : "en";
    this.#numbers = new Intl.NumberFormat(tag);
    this.#plurals = new Intl.PluralRules(tag);
    this.#relative = new Intl.RelativeTimeFormat(tag, { numeric: "auto", style: "short" });
    this.#dates = new Intl.DateTimeFormat(tag, { dateStyle: "full", timeStyle: "short" });
  }

  /** @returns The form for `count`, with the number in it, or what is shown in its place. */
  counted(text: Plural, count: number, shown = this.#numbers.format(count)): string {
    return (text[this.#plurals.select(count)] ?? text.other).replace("{count}", shown);
  }

  /** @returns At most `99+`, and nothing for zero. */
  badge(count: number): string {
    if (count <= 0) return "";
    return count > 99 ? `${this.#numbers.format(99)}+` : this.#numbers.format(count);
  }

  /** @returns Such as "5 min. ago"; "just now" for the last 45 s, and for a clock that is ahead. */
  ago(time: number, now: number): string {
    const seconds = (now - time) / 1000;
    if (seconds < 45) return this.strings.justNow;
    for (const [unit, size, below] of UNITS) {
      const amount = Math.max(1, Math.round(seconds / size));
      if (amount < below) return this.#relative.format(-amount, unit);
    }
    return this.#relative.format(-Math.round(seconds / YEAR), "year");
  }

  /** @returns Date and time in full. */
  date(time: number): string {
    return this.#dates.format(time);
  }
}

const YEAR = 31_556_952;
const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number, number])[] = [
  ["minute", 60, 60],
  ["hour", 3600, 24],
  ["day", 86_400, 7],
  ["week", 604_800, 5],
  ["month", YEAR / 12, 12],
];

function isTag(language: string): boolean {
  try {
    return Intl.getCanonicalLocales(language).length === 1;
  } catch {
    return false;
  }
}
