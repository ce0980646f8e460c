// Tabs above the list: which part of the inbox is shown.

import { make, mark, write } from "./markup.js";
import type { PageFilter, SourceSnapshot } from "./source.js";
import type { Wording } from "./wording.js";

/** A part of the inbox. */
export type Filter = "all" | "unread" | "archived";

const FILTERS: readonly Filter[] = ["all", "unread", "archived"];

/** What to ask a source for. */
export const PAGES: Readonly<Record<Filter, PageFilter>> = {
  all: {},
  unread: { unread: true },
  archived: { archived: true },
};

/** The tabs. Arrows move between them, and what they reach is chosen. */
export class Filters {
  readonly element = make("div", { class: "filters", part: "filters", role: "tablist" });
  readonly #tabs: ReadonlyMap<Filter, HTMLButtonElement>;
  readonly #count = make("span", { class: "count", part: "filter-count", hidden: true });
  readonly #choose: (filter: Filter) => void;
  #chosen: Filter = "all";

  constructor(choose: (filter: Filter) => void) {
    this.#choose = choose;
    this.#tabs = new Map(
      FILTERS.map((filter) => [
        filter,
        make(
          "button",
          { type: "button", class: "filter", role: "tab", id: `filter-${filter}`, "aria-controls": "list" },
          make("span"),
        ),
      ]),
    );
    for (const [filter, tab] of this.#tabs) tab.addEventListener("click", () => this.choose(filter));
    this.#tabs.get("unread")?.append(" ", this.#count);
    this.element.append(...this.#tabs.values());
    this.element.addEventListener("keydown", (event) => this.#handleKey(event));
    this.#mark();
  }

  get chosen(): Filter {
    return this.#chosen;
  }

  choose(filter: Filter): void {
    if (filter === this.#chosen) return;
    this.#chosen = filter;
    this.#mark();
    this.#choose(filter);
  }

  show({ unread }: SourceSnapshot, wording: Wording): void {
    const { strings } = wording;
    mark(this.element, "aria-label", strings.filters);
    for (const [filter, tab] of this.#tabs) write(tab.firstElementChild as Element, strings[filter]);
    this.#count.hidden = unread <= 0;
    write(this.#count, wording.badge(unread));
  }

  #mark(): void {
    for (const [filter, tab] of this.#tabs) {
      const chosen = filter === this.#chosen;
      mark(tab, "aria-selected", String(chosen));
      mark(tab, "tabindex", chosen ? 0 : -1);
      mark(tab, "part", chosen ? "filter filter-chosen" : "filter");
    }
  }

  #handleKey(event: KeyboardEvent): void {
    const rightToLeft = getComputedStyle(this.element).direction === "rtl";
    const index = FILTERS.indexOf(this.#chosen);
    const forward = event.key === (rightToLeft ? "ArrowLeft" : "ArrowRight");
    const back = event.key === (rightToLeft ? "ArrowRight" : "ArrowLeft");
    const target = forward
      ? (index + 1) % FILTERS.length
      : back
        ? (index + FILTERS.length - 1) % FILTERS.length
        : event.key === "Home"
          ? 0
          : event.key === "End"
            ? FILTERS.length - 1
            : undefined;
    const filter = target === undefined ? undefined : FILTERS[target];
    if (!filter) return;
    event.preventDefault();
    event.stopPropagation();
    this.choose(filter);
    this.#tabs.get(filter)?.focus();
  }
}
