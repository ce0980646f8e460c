// The part of a panel below its filters: entries, or why there are none, and what is loaded as the end comes near.

import type { EntryAction } from "./entry.js";
import { Feed } from "./feed.js";
import { type Filter, PAGES } from "./filters.js";
import { draw, type Icon, make, mark, write } from "./markup.js";
import type { BellItem, NotificationSource, SourceList, SourceSnapshot } from "./source.js";
import type { Strings } from "./strings.js";
import type { Wording } from "./wording.js";

/** What the region says in place of entries. */
type Blank = Filter | "unavailable";

const BLANKS: Readonly<Record<Blank, readonly [Icon, keyof Strings, (keyof Strings)?]>> = {
  all: ["inbox", "emptyAll", "emptyAllHint"],
  unread: ["check", "emptyUnread", "emptyUnreadHint"],
  archived: ["archive", "emptyArchived", "emptyArchivedHint"],
  unavailable: ["inbox", "unavailable"],
};

/** The list of no source. */
const NOTHING: SourceList = { items: [], hasMore: false, loading: false };

/** Whom it tells, and asks for its source. */
export interface PagesListener {
  readonly source: NotificationSource | undefined;
  handleAction(action: EntryAction, item: BellItem, event: Event): void;
}

/** Shows one filter of a source, and loads older pages of it. */
export class Pages {
  readonly element = make("div", { class: "list", part: "list", id: "list", role: "tabpanel" });
  readonly feed: Feed;
  readonly #listener: PagesListener;
  readonly #more = make("div", { class: "more", part: "more", hidden: true });
  readonly #blank = make("div", { class: "empty", part: "empty", hidden: true });
  readonly #retry = make("button", { type: "button", class: "retry", part: "retry" });
  #list = NOTHING;
  #filter: Filter = "all";
  #asked: NotificationSource | undefined;
  #failed = false;
  #saidMore = "";
  #saidBlank = "";
  #wording: Wording;

  constructor(wording: Wording, listener: PagesListener) {
    this.#wording = wording;
    this.#listener = listener;
    this.feed = new Feed(this.element, wording, {
      handleAction: (...action) => listener.handleAction(...action),
      handleNearEnd: () => void this.#load(),
    });
    this.element.append(this.feed.element, this.#more, this.#blank);
    this.#retry.addEventListener("click", () => {
      this.#failed = false;
      void this.#load();
    });
  }

  get isEmpty(): boolean {
    return this.#list.items.length === 0;
  }

  /** Shows `filter` from its newest entry on. */
  choose(filter: Filter): void {
    this.#filter = filter;
    this.#failed = false;
    this.element.scrollTop = 0;
  }

  /** Forgets a former source: its failures, and what was asked of it. */
  reset(): void {
    this.#failed = false;
    this.#asked = undefined;
  }

  show(snapshot: SourceSnapshot, wording: Wording): void {
    const { source } = this.#listener;
    this.#wording = wording;
    this.#list = source?.list(PAGES[this.#filter]) ?? NOTHING;
    const { items, loading } = this.#list;
    if (loading) this.#failed = false;
    const busy = loading || (source !== undefined && this.#asked === source);
    const hasMore = this.#list.hasMore && !this.#failed;
    mark(this.element, "aria-labelledby", `filter-${this.#filter}`);
    mark(this.feed.element, "aria-label", wording.strings.notifications);
    this.feed.element.hidden = items.length === 0;
    const starting = items.length === 0 && (snapshot.state === "connecting" || busy || hasMore);
    const failed = this.#failed && items.length > 0;
    this.#showMore(failed ? "failed" : starting || busy || hasMore ? "loading" : "");
    if (items.length > 0 || starting) this.#showBlank(undefined);
    else if (this.#failed) this.#showBlank("unavailable", this.#retry);
    else this.#showBlank(snapshot.state === "live" ? this.#filter : "unavailable");
    this.feed.show({ items, hasMore, busy }, wording);
    // There is nothing that could come near its end: the first page is asked for here.
    if (items.length === 0 && hasMore && !busy) void this.#load();
  }

  #showMore(is: "" | "failed" | "loading"): void {
    const { strings } = this.#wording;
    this.#more.hidden = is === "";
    const text = is === "failed" ? strings.loadFailed : strings.loading;
    if (this.#saidMore === is + text) return;
    this.#saidMore = is + text;
    mark(this.#more, "role", is === "failed" ? "alert" : undefined);
    write(this.#retry, strings.retry);
    if (is === "failed") this.#more.replaceChildren(make("span", {}, text), this.#retry);
    else
      this.#more.replaceChildren(
        make("span", { class: "spinner", part: "spinner" }),
        make("span", { class: "spoken" }, text),
      );
  }

  #showBlank(is: Blank | undefined, ...more: HTMLElement[]): void {
    this.#blank.hidden = is === undefined;
    if (is === undefined) return;
    const { strings } = this.#wording;
    const [icon, title, hint] = BLANKS[is];
    const said = [strings[title] as string, ...more.map(({ className }) => className)].join(" ");
    if (this.#saidBlank === said) return;
    this.#saidBlank = said;
    const words = [make("strong", {}, strings[title] as string)];
    if (hint) words.push(make("span", {}, strings[hint] as string));
    write(this.#retry, strings.retry);
    mark(this.#blank, "role", more.length ? "alert" : undefined);
    this.#blank.replaceChildren(make("span", { class: "picture" }, draw(icon)), ...words, ...more);
  }

  async #load(): Promise<void> {
    const { source } = this.#listener;
    const filter = this.#filter;
    if (!source || this.#asked === source) return;
    this.#asked = source;
    const before = source.list(PAGES[filter]).items.length;
    try {
      await source.loadMore(PAGES[filter]);
    } catch {
      // As if nothing had come: told below.
    }
    if (this.#asked !== source || source !== this.#listener.source) return;
    this.#asked = undefined;
    const { items, hasMore } = source.list(PAGES[filter]);
    if (filter === this.#filter) this.#failed = hasMore && items.length <= before;
    this.show(source.getSnapshot(), this.#wording);
  }
}
