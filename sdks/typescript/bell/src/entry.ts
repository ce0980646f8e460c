// One entry of the list, as an article of a feed. It is made once and shows one item after another.

import { draw, iconButton, make, mark, name, write } from "./markup.js";
import { levelOf, linkOf, timeOf } from "./reading.js";
import type { BellItem, Level } from "./source.js";
import type { Wording } from "./wording.js";

/** What the user asks of an entry. */
export type EntryAction = "open" | "read" | "archive";

let made = 0;

/** Shows an item. Its owner places it, and decides which of all entries can be reached by Tab. */
export class Entry {
  readonly element: HTMLElement;
  #item: BellItem | undefined;
  #wording: Wording | undefined;
  #level: Level | undefined;
  #href: string | undefined;
  #happened: number | undefined;
  readonly #icon = make("span", { class: "level", part: "item-level" });
  readonly #spoken = make("span", { class: "spoken" });
  readonly #text = make("span", { dir: "auto" });
  readonly #title = make("span", { class: "title", part: "item-title" });
  readonly #message = make("p", { class: "message", part: "item-message", dir: "auto" });
  readonly #time = make("time", { class: "time", part: "item-time" });
  readonly #read = iconButton("check", { class: "icon", part: "item-action", "aria-keyshortcuts": "R" });
  readonly #archive = iconButton("archive", { class: "icon", part: "item-action", "aria-keyshortcuts": "E" });
  readonly #actions: HTMLElement;

  constructor(handle: (action: EntryAction, item: BellItem, event: Event) => void) {
    const id = `entry-${made++}`;
    this.#title.id = `${id}-title`;
    this.#message.id = `${id}-message`;
    this.#time.id = `${id}-time`;
    this.#title.append(this.#spoken, this.#text);
    this.#actions = make("span", { class: "actions", part: "item-actions" }, this.#read, this.#archive);
    const top = make("div", { class: "top" }, this.#title, this.#time);
    this.element = make(
      "article",
      {
        class: "entry",
        tabindex: -1,
        "aria-labelledby": this.#title.id,
        "aria-describedby": `${this.#message.id} ${this.#time.id}`,
      },
      make("span", { class: "mark", part: "item-mark" }),
      this.#icon,
      make("div", { class: "words" }, top, this.#message),
      this.#actions,
    );
    const act = (action: EntryAction) => (event: Event) => {
      event.stopPropagation();
      if (this.#item) handle(action, this.#item, event);
    };
    this.#read.addEventListener("click", act("read"));
    this.#archive.addEventListener("click", act("archive"));
    this.element.addEventListener("click", act("open"));
  }

  get item(): BellItem | undefined {
    return this.#item;
  }

  /** Shows `item`; does little if it is the one that is shown. */
  show(item: BellItem, wording: Wording, now: number): void {
    if (item !== this.#item || wording !== this.#wording) {
      this.#item = item;
      this.#wording = wording;
      this.#fill(item, wording);
    }
    write(this.#time, this.#happened === undefined ? "" : wording.ago(this.#happened, now));
  }

  /** Whether Tab stops here: at one entry of a list, and then at its buttons. */
  reachable(is: boolean): void {
    const index = is ? 0 : -1;
    for (const element of [this.element, this.#read, this.#archive]) mark(element, "tabindex", index);
  }

  #fill(item: BellItem, wording: Wording): void {
    const { strings } = wording;
    const level = levelOf(item);
    if (level !== this.#level) this.#icon.replaceChildren(draw(level));
    this.#level = level;
    mark(this.element, "data-level", level);
    mark(this.element, "part", `item ${item.read ? "item-read" : "item-unread"} item-${level}`);
    this.element.classList.toggle("unread", !item.read);
    write(this.#spoken, `${item.read ? "" : `${strings.unreadMark}. `}${strings[level]}. `);
    this.#link(item);
    write(this.#text, item.title);
    this.#happened = timeOf(item);
    mark(this.#time, "datetime", item.timestamp);
    mark(this.#time, "title", this.#happened === undefined ? undefined : wording.date(this.#happened));
    write(this.#message, item.message ?? "");
    this.#message.hidden = !item.message;
    name(this.#read, item.read ? strings.markUnread : strings.markRead);
    this.#read.replaceChildren(draw(item.read ? "unread" : "check"));
    name(this.#archive, strings.archive);
    this.#archive.hidden = item.archived === true;
  }

  #link(item: BellItem): void {
    const href = linkOf(item);
    if (href === this.#href) return;
    this.#href = href;
    // The entry itself is what Tab reaches and Enter opens; the link is there for the pointer, and its menu.
    const within = href ? make("a", { href, tabindex: -1, part: "item-link" }, this.#text) : this.#text;
    this.#title.replaceChildren(this.#spoken, within);
  }
}
