// Notifications that appear for a while at the edge of the window, as they arrive.

import { draw, iconButton, make, mark, name, write } from "./markup.js";
import { levelOf } from "./reading.js";
import type { BellItem } from "./source.js";
import type { Wording } from "./wording.js";

/** At most so many are shown; of the others only their number is. */
const SHOWN = 3;
/** A toast that leaves is gone after so many milliseconds. */
const LEAVING = 180;

interface Toast {
  readonly item: BellItem;
  readonly element: HTMLElement;
  readonly dismiss: HTMLButtonElement;
  /** When it leaves, by `performance.now()`. */
  due: number;
}

/**
 * Shows toasts, newest last. Each stays for `duration` milliseconds; none leaves while the pointer or the focus is on
 * one of them, or while the page is hidden. `error` and `alert` stay until they are dismissed. Beyond three, a line says
 * how many more came; the inbox has them.
 */
export class Toasts {
  readonly element = make("div", { class: "toasts", part: "toasts", role: "region", tabindex: -1 });
  /** How long a toast stays, in milliseconds. 0: until it is dismissed. */
  duration = 6000;
  #wording: Wording;
  readonly #open: (item: BellItem, event: Event) => void;
  readonly #toasts: Toast[] = [];
  readonly #further = make("div", { class: "further", part: "toasts-more", hidden: true });
  #missed = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #held = false;

  /** @param open is called for a toast that is clicked, or activated by Enter. */
  constructor(wording: Wording, open: (item: BellItem, event: Event) => void) {
    this.#wording = wording;
    this.#open = open;
    this.element.append(this.#further);
    for (const type of ["pointerenter", "focusin"])
      this.element.addEventListener(type, () => this.#hold(true));
    for (const type of ["pointerleave", "focusout"])
      this.element.addEventListener(type, () => this.#hold(this.#touched()));
    this.element.addEventListener("keydown", (event) => this.#handleKey(event));
  }

  set wording(wording: Wording) {
    this.#wording = wording;
    mark(this.element, "aria-label", wording.strings.notifications);
    for (const { dismiss } of this.#toasts) name(dismiss, wording.strings.dismiss);
    this.#count();
  }

  add(item: BellItem): void {
    if (this.#toasts.some((toast) => toast.item.id === item.id)) return;
    if (this.#toasts.length >= SHOWN) {
      // Those that are looked at stay: the newcomer is only counted.
      const leaving = this.#held ? undefined : this.#toasts.find(({ item }) => !this.#lasting(item));
      this.#missed++;
      if (!leaving) {
        this.#count();
        return;
      }
      this.#drop(leaving);
    }
    const toast = this.#make(item);
    this.#toasts.push(toast);
    this.element.insertBefore(toast.element, this.#further);
    this.#count();
    this.#raise();
    this.#wait();
  }

  /** Takes away the toasts of items that don't pass, such as those that were read elsewhere. */
  keep(passes: (item: BellItem) => boolean): void {
    for (const toast of [...this.#toasts]) if (!passes(toast.item)) this.#drop(toast);
  }

  clear(): void {
    for (const toast of [...this.#toasts]) this.#drop(toast);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Gives the focus to the newest toast. @returns Whether there is one. */
  focus(): boolean {
    const newest = this.#toasts.at(-1);
    newest?.element.focus();
    return newest !== undefined;
  }

  #make(item: BellItem): Toast {
    const dismiss = iconButton("close", { class: "icon", part: "toast-dismiss" });
    name(dismiss, this.#wording.strings.dismiss);
    const level = levelOf(item);
    const { strings } = this.#wording;
    const title = make(
      "span",
      { class: "title", part: "item-title" },
      make("span", { class: "spoken" }, `${strings[level]}. `),
      make("span", { dir: "auto" }, item.title),
    );
    const words = make("div", { class: "words" }, title);
    if (item.message)
      words.append(make("p", { class: "message", part: "item-message", dir: "auto" }, item.message));
    const element = make(
      "div",
      {
        class: "toast unread",
        part: `toast toast-${level}`,
        role: "group",
        tabindex: 0,
        "data-level": level,
        "aria-label": item.title,
      },
      make("span", { class: "level", part: "item-level" }, draw(level)),
      words,
      dismiss,
    );
    const toast = { item, element, dismiss, due: performance.now() + this.duration };
    dismiss.addEventListener("click", (event) => {
      event.stopPropagation();
      this.#drop(toast);
    });
    element.addEventListener("click", (event) => this.#activate(toast, event));
    return toast;
  }

  #activate(toast: Toast, event: Event): void {
    this.#drop(toast);
    this.#open(toast.item, event);
  }

  #drop(toast: Toast): void {
    const index = this.#toasts.indexOf(toast);
    if (index < 0) return;
    const focused = toast.element.contains(this.#active());
    this.#toasts.splice(index, 1);
    toast.element.classList.add("leaving");
    toast.element.inert = true;
    setTimeout(() => this.#remove(toast), LEAVING);
    if (focused) (this.#toasts[index] ?? this.#toasts[index - 1])?.element.focus();
    if (this.#toasts.length === 0) this.#missed = 0;
    this.#count();
    this.#hold(this.#touched());
  }

  #remove({ element }: Toast): void {
    element.remove();
    if (this.#toasts.length > 0) return;
    this.element.classList.remove("any");
    if (this.element.matches(":popover-open")) this.element.hidePopover();
  }

  /** To the top layer, above whatever was opened since. */
  #raise(): void {
    this.element.classList.add("any");
    if (!this.element.isConnected) return;
    mark(this.element, "popover", "manual");
    if (this.element.matches(":popover-open")) return;
    this.element.showPopover();
  }

  #count(): void {
    this.#further.hidden = this.#missed === 0;
    if (this.#missed)
      write(this.#further, this.#wording.counted(this.#wording.strings.moreArrived, this.#missed));
  }

  #lasting(item: BellItem): boolean {
    const level = levelOf(item);
    return this.duration <= 0 || level === "error" || level === "alert";
  }

  /** One timer for all: for the toast that is due first. */
  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#held) return;
    const passing = this.#toasts.filter(({ item }) => !this.#lasting(item));
    if (passing.length === 0) return;
    const first = Math.min(...passing.map(({ due }) => due));
    this.#timer = setTimeout(() => {
      // A hidden page is not looked at: what came there is shown for its whole time later.
      if (document.hidden) this.#renew();
      else for (const toast of passing) if (toast.due <= first) this.#drop(toast);
      this.#wait();
    }, first - performance.now());
  }

  #renew(): void {
    for (const toast of this.#toasts) toast.due = performance.now() + this.duration;
  }

  #hold(held: boolean): void {
    if (this.#held && !held) this.#renew();
    this.#held = held;
    this.#wait();
  }

  #touched(): boolean {
    return this.element.matches(":hover") || this.element.contains(this.#active());
  }

  #active(): Element | null {
    return (this.element.getRootNode() as ShadowRoot).activeElement ?? null;
  }

  #handleKey(event: KeyboardEvent): void {
    const toast = this.#toasts.find(({ element }) => element.contains(event.target as Node));
    if (!toast) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      this.#drop(toast);
    } else if (event.key === "Enter" && event.target === toast.element) this.#activate(toast, event);
  }
}
