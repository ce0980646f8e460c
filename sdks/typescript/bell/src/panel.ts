// The panel that a bell opens: a dialog beside the page, not above it. The page stays usable.

import type { EntryAction } from "./entry.js";
import { Filters } from "./filters.js";
import { iconButton, make, mark, name, write } from "./markup.js";
import { Pages } from "./pages.js";
import type { BellItem, NotificationSource, SourceSnapshot } from "./source.js";
import { Status } from "./status.js";
import type { Wording } from "./wording.js";

/** Milliseconds between two writings of "5 min. ago" while the panel is open. */
const TICK = 30_000;

/** Whom a panel tells, and asks for its source. */
export interface PanelListener {
  readonly source: NotificationSource | undefined;
  handleClose(): void;
  /** The user did something: what it changed is to be shown now, not with the next frame. */
  handleChange(): void;
  /** An item was activated. */
  handleOpen(item: BellItem, event: Event): void;
}

/** Header, filters, list. It shows snapshots, and sends what the user does to the source. */
export class Panel {
  readonly element: HTMLElement;
  readonly #listener: PanelListener;
  readonly #heading = make("h2", { class: "heading", part: "heading", id: "heading" });
  readonly #status: Status;
  readonly #readAll = iconButton("readAll", {
    class: "icon",
    part: "read-all",
    "aria-keyshortcuts": "Shift+R",
  });
  readonly #close = iconButton("close", { class: "icon", part: "close", "aria-keyshortcuts": "Escape" });
  readonly #filters: Filters;
  readonly #pages: Pages;
  #snapshot: SourceSnapshot | undefined;
  #wording: Wording;
  #ticking: ReturnType<typeof setInterval> | undefined;

  constructor(wording: Wording, listener: PanelListener) {
    this.#wording = wording;
    this.#listener = listener;
    this.#status = new Status(() => listener.source?.retry?.());
    this.#filters = new Filters((filter) => {
      this.#pages.choose(filter);
      this.#render();
      this.#pages.feed.rewind();
    });
    this.#pages = new Pages(wording, {
      get source() {
        return listener.source;
      },
      handleAction: (...action) => this.#handleAction(...action),
    });
    const header = make("div", { class: "header", part: "header" });
    header.append(this.#heading, this.#status.element, this.#readAll, this.#close);
    this.element = make(
      "div",
      { class: "panel", part: "panel", role: "dialog", tabindex: -1, "aria-labelledby": "heading" },
      header,
      this.#filters.element,
      this.#pages.element,
    );
    this.#readAll.addEventListener("click", () => this.#handleReadAll());
    this.#close.addEventListener("click", () => listener.handleClose());
    this.element.addEventListener("keydown", (event) => this.#handleKey(event));
  }

  get isOpen(): boolean {
    return this.element.classList.contains("open");
  }

  /** Opens with the newest entry on top; where it goes is the caller's to say. */
  open(): void {
    this.element.classList.add("open");
    mark(this.element, "popover", "manual");
    this.element.showPopover();
    this.#render();
    this.#pages.feed.rewind();
    this.#ticking ??= setInterval(() => this.#pages.feed.tick(), TICK);
  }

  close(): void {
    clearInterval(this.#ticking);
    this.#ticking = undefined;
    this.element.classList.remove("open");
    if (this.element.matches(":popover-open")) this.element.hidePopover();
  }

  /** Gives the focus to the current entry; to the panel itself where there is none. */
  focus(): void {
    if (this.#pages.isEmpty) this.element.focus();
    else this.#pages.feed.focus();
  }

  /** Shows a snapshot. A closed panel only takes note of it. */
  show(snapshot: SourceSnapshot, wording: Wording): void {
    this.#snapshot = snapshot;
    this.#wording = wording;
    if (this.isOpen) this.#render();
  }

  /** Forgets a former source. */
  reset(): void {
    this.#pages.reset();
  }

  #render(): void {
    const snapshot = this.#snapshot;
    if (!snapshot) return;
    const { strings } = this.#wording;
    const focused = this.#hasFocus();
    write(this.#heading, strings.notifications);
    name(this.#readAll, strings.readAll);
    name(this.#close, strings.close);
    this.#readAll.disabled = snapshot.unread <= 0;
    this.#status.show(snapshot, this.#wording, this.#listener.source?.retry !== undefined);
    this.#filters.show(snapshot, this.#wording);
    this.#pages.show(snapshot, this.#wording);
    // What had the focus is gone, such as the last entry: the panel must not lose it, or Escape would close nothing.
    if (focused && !this.#hasFocus()) this.focus();
  }

  #hasFocus(): boolean {
    return this.element.contains((this.element.getRootNode() as ShadowRoot).activeElement);
  }

  #handleReadAll(): void {
    // The button is about to be disabled, which would lose the focus.
    if (this.#readAll.matches(":focus")) this.focus();
    this.#listener.source?.readAll();
    this.#listener.handleChange();
  }

  #handleAction(action: EntryAction, item: BellItem, event: Event): void {
    const { source } = this.#listener;
    if (action === "archive") source?.archive(item.id);
    else if (action === "open") this.#listener.handleOpen(item, event);
    else if (item.read) source?.unread(item.id);
    else source?.read(item.id);
    this.#listener.handleChange();
  }

  #handleKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    let taken = true;
    if (event.key === "Escape") this.#listener.handleClose();
    else if (event.key === "R" && event.shiftKey) {
      if (!this.#readAll.disabled) this.#handleReadAll();
    } else taken = this.#inFeed(event);
    if (!taken) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Keys of the list. They work from an entry and its buttons; the down arrow also reaches it from the rest of the panel. */
  #inFeed(event: KeyboardEvent): boolean {
    const { feed } = this.#pages;
    if (!feed.focused) {
      if (event.key !== "ArrowDown" || this.#pages.isEmpty) return false;
      feed.focus();
      return true;
    }
    const item = feed.current;
    if (event.key === "ArrowDown") feed.move(1);
    else if (event.key === "ArrowUp") feed.move(-1);
    else if (event.key === "Home") feed.move(-Infinity);
    else if (event.key === "End") feed.move(Infinity);
    else if (event.key === "PageDown") feed.page(1);
    else if (event.key === "PageUp") feed.page(-1);
    else if (!item) return false;
    else if (event.key === "Enter" && (event.target as Element).matches("article"))
      this.#handleAction("open", item, event);
    else if (event.key === "r") this.#handleAction("read", item, event);
    else if ((event.key === "e" || event.key === "Delete") && !item.archived)
      this.#handleAction("archive", item, event);
    else return false;
    return true;
  }
}
