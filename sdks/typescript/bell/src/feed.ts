// The list of entries, of which only those near the view are in the document: ten thousand cost no more than twenty.

import { Entry, type EntryAction } from "./entry.js";
import { nextFrame } from "./frames.js";
import { Heights } from "./heights.js";
import { make, mark } from "./markup.js";
import type { BellItem } from "./source.js";
import type { Wording } from "./wording.js";

/** Pixels beyond the view, on either side, that are in the document too. */
const MARGIN = 400;
/** Rows of the end that ask for older entries once one of them is shown. */
const NEAR_END = 12;
/** Height of an entry with one line of message; the first measurement replaces it. */
const USUAL_HEIGHT = 67;
/** Entries kept for others to come, once they have left the view. */
const SPARE = 30;

/** What a feed shows: entries, newest first, and whether older ones could follow. */
export interface FeedContent {
  readonly items: readonly BellItem[];
  readonly hasMore: boolean;
  readonly busy: boolean;
}

/** Whom a feed tells. */
export interface FeedListener {
  handleAction(action: EntryAction, item: BellItem, event: Event): void;
  /** One of the last entries is near: called again with each scroll until `hasMore` is false or `busy` true. */
  handleNearEnd(): void;
}

/**
 * A virtualised feed in a scroll container. While entries are added above, what is seen stays where it is, unless the
 * top itself is seen. One entry is current: Tab reaches it, the arrows move on from it.
 */
export class Feed {
  readonly element = make("div", { class: "feed", role: "feed" });
  readonly #scroller: HTMLElement;
  readonly #listener: FeedListener;
  readonly #heights = new Heights(USUAL_HEIGHT);
  readonly #shown = new Map<string, Entry>();
  readonly #keys = new WeakMap<Element, string>();
  readonly #spare: Entry[] = [];
  readonly #sizes = new ResizeObserver((changes) => this.#handleSizes(changes));
  #content: FeedContent = { items: [], hasMore: false, busy: false };
  #indices = new Map<string, number>();
  #wording: Wording;
  #current: string | undefined;
  #width = 0;
  #cancel: (() => void) | undefined;

  constructor(scroller: HTMLElement, wording: Wording, listener: FeedListener) {
    this.#scroller = scroller;
    this.#wording = wording;
    this.#listener = listener;
    scroller.addEventListener("scroll", () => this.#schedule(), { passive: true });
    this.#sizes.observe(scroller);
    this.element.addEventListener("focusin", (event) => this.#handleFocus(event));
  }

  /** Shows `content` in the words of `wording`. */
  show(content: FeedContent, wording: Wording): void {
    const anchor = this.#anchor();
    const held = this.focused ? this.#indices.get(this.#current ?? "") : undefined;
    if (content.items !== this.#content.items) {
      const keys = content.items.map((item) => item.id);
      this.#indices = new Map(keys.map((key, index) => [key, index]));
      this.#heights.keys = keys;
    }
    this.#content = content;
    this.#wording = wording;
    if (this.#current === undefined || !this.#indices.has(this.#current))
      this.#current = content.items[Math.min(held ?? 0, content.items.length - 1)]?.id;
    this.#hold(anchor);
    this.#render();
    // The entry that had the focus is gone: its successor has it now.
    if (held !== undefined && !this.focused) this.focus();
  }

  /** Whether the focus is on an entry, or within one. */
  get focused(): boolean {
    return this.element.contains((this.element.getRootNode() as ShadowRoot).activeElement);
  }

  get current(): BellItem | undefined {
    return this.#content.items[this.#indices.get(this.#current ?? "") ?? -1];
  }

  /** Gives the focus to the current entry. */
  focus(): void {
    const index = this.#indices.get(this.#current ?? "");
    if (index !== undefined) this.#moveTo(index);
  }

  /** Makes the entry `by` places on the current one, and gives it the focus. Stops at the ends. */
  move(by: number): void {
    this.#moveTo((this.#indices.get(this.#current ?? "") ?? 0) + by);
  }

  /** Makes the entry a view above (-1) or below (1) the current one. */
  page(direction: -1 | 1): void {
    const index = this.#indices.get(this.#current ?? "") ?? 0;
    const target = this.#heights.at(
      Math.max(0, this.#heights.start(index) + direction * this.#scroller.clientHeight),
    );
    this.#moveTo(target === index ? index + direction : target);
  }

  /** Back to the newest entry. */
  rewind(): void {
    this.#scroller.scrollTop = 0;
    this.#current = this.#content.items[0]?.id;
    this.#render();
  }

  /** Writes the times again. */
  tick(): void {
    const now = Date.now();
    for (const entry of this.#shown.values()) if (entry.item) entry.show(entry.item, this.#wording, now);
  }

  #moveTo(index: number): void {
    const item = this.#content.items[Math.max(0, Math.min(index, this.#content.items.length - 1))];
    if (!item) return;
    this.#current = item.id;
    this.#reveal(this.#indices.get(item.id) ?? 0);
    this.#render();
    this.#shown.get(item.id)?.element.focus({ preventScroll: true });
  }

  /** Scrolls no further than it takes for the entry to be seen whole. */
  #reveal(index: number): void {
    const { scrollTop, clientHeight } = this.#scroller;
    const start = this.#heights.start(index);
    const end = this.#heights.start(index + 1);
    if (start < scrollTop) this.#scroller.scrollTop = start;
    else if (end > scrollTop + clientHeight) this.#scroller.scrollTop = end - clientHeight;
  }

  #schedule(): void {
    this.#cancel ??= nextFrame(() => {
      this.#cancel = undefined;
      this.#render();
    });
  }

  #render(): void {
    const { items, hasMore, busy } = this.#content;
    const { scrollTop, clientHeight } = this.#scroller;
    mark(this.element, "aria-busy", String(busy));
    this.element.style.height = `${this.#heights.total}px`;
    const first = this.#heights.at(scrollTop - MARGIN);
    const last = items.length && clientHeight ? this.#heights.at(scrollTop + clientHeight + MARGIN) : -1;
    const wanted = new Set<number>();
    for (let index = first; index <= last; index++) wanted.add(index);
    // The current entry stays in the document wherever the view is, so that its focus and its place are not lost.
    const current = this.#indices.get(this.#current ?? "");
    if (current !== undefined && last >= 0) wanted.add(current);
    this.#release(wanted);
    const now = Date.now();
    let next = this.element.firstElementChild;
    for (const index of [...wanted].sort((a, b) => a - b)) {
      const item = items[index];
      if (!item) continue;
      const entry = this.#entryFor(item.id);
      entry.show(item, this.#wording, now);
      entry.reachable(item.id === this.#current);
      mark(entry.element, "aria-posinset", index + 1);
      mark(entry.element, "aria-setsize", hasMore ? -1 : items.length);
      if (entry.element === next) next = next.nextElementSibling;
      else this.element.insertBefore(entry.element, next);
      this.#place(entry.element, index);
    }
    if (hasMore && !busy && last >= items.length - NEAR_END) this.#listener.handleNearEnd();
  }

  #place(element: HTMLElement, index: number): void {
    const place = `translateY(${this.#heights.start(index)}px)`;
    if (element.style.transform !== place) element.style.transform = place;
  }

  #entryFor(key: string): Entry {
    let entry = this.#shown.get(key);
    if (!entry) {
      entry = this.#spare.pop() ?? new Entry((...action) => this.#listener.handleAction(...action));
      this.#shown.set(key, entry);
      this.#keys.set(entry.element, key);
      this.#sizes.observe(entry.element);
    }
    return entry;
  }

  #release(wanted: ReadonlySet<number>): void {
    for (const [key, entry] of this.#shown) {
      if (wanted.has(this.#indices.get(key) ?? -1)) continue;
      this.#shown.delete(key);
      this.#sizes.unobserve(entry.element);
      entry.element.remove();
      if (this.#spare.length < SPARE) this.#spare.push(entry);
    }
  }

  #handleSizes(changes: readonly ResizeObserverEntry[]): void {
    const anchor = this.#anchor();
    let changed = false;
    for (const { target, borderBoxSize } of changes) {
      const size = borderBoxSize[0];
      if (!size) continue;
      if (target === this.#scroller) {
        if (size.inlineSize !== this.#width && size.inlineSize > 0) this.#heights.forget();
        this.#width = size.inlineSize || this.#width;
        changed = true;
      } else if (size.blockSize > 0) {
        const key = this.#keys.get(target);
        if (key !== undefined) changed = this.#heights.measure(key, size.blockSize) || changed;
      }
    }
    if (!changed) return;
    // Within the frame only what is there is moved: entries made now would be measured too late for it.
    this.element.style.height = `${this.#heights.total}px`;
    for (const [key, { element }] of this.#shown) this.#place(element, this.#indices.get(key) ?? 0);
    this.#hold(anchor);
    this.#schedule();
  }

  /** The first entry in view, and how much of it is above the view; none while the top is seen. */
  #anchor(): { key: string; above: number } | undefined {
    const { scrollTop } = this.#scroller;
    if (scrollTop <= 0) return undefined;
    const index = this.#heights.at(scrollTop);
    const key = this.#content.items[index]?.id;
    return key === undefined ? undefined : { key, above: scrollTop - this.#heights.start(index) };
  }

  #hold(anchor: { key: string; above: number } | undefined): void {
    const index = anchor && this.#indices.get(anchor.key);
    if (index === undefined) return;
    const top = this.#heights.start(index) + (anchor?.above ?? 0);
    if (Math.abs(top - this.#scroller.scrollTop) < 1) return;
    this.element.style.height = `${this.#heights.total}px`;
    this.#scroller.scrollTop = top;
  }

  #handleFocus(event: FocusEvent): void {
    const article = (event.target as Element).closest("article");
    const key = article && this.#keys.get(article);
    if (key === undefined || key === null || key === this.#current) return;
    this.#current = key;
    for (const [shown, entry] of this.#shown) entry.reachable(shown === key);
  }
}
