// A bell: a button with a badge, the panel it opens, and toasts. Fed by any source.

import { FramedSnapshot } from "./frames.js";
import { Language } from "./language.js";
import { draw, make, mark, name, write } from "./markup.js";
import { Panel } from "./panel.js";
import { place, placementOf } from "./placement.js";
import { levelOf, linkOf } from "./reading.js";
import type { BellItem, NotificationSource, SourceSnapshot } from "./source.js";
import type { CustomStrings } from "./strings.js";
import { dress } from "./styles.js";
import { Toasts } from "./toasts.js";
import { Voice } from "./voice.js";

// On a server there are no elements: the class can be imported there, and does nothing.
const Base: typeof HTMLElement = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/** Detail of `campanile-notification` and `campanile-open`. */
export interface BellEventDetail {
  readonly item: BellItem;
}

/** Shown as long as there is no source. */
const NOTHING: SourceSnapshot = {
  state: "idle",
  items: [],
  unread: 0,
  unseen: 0,
  hasMore: false,
  loading: false,
};

/**
 * A bell without a client of its own: `client` feeds it, and whoever sets it connects and closes it.
 *
 * Events, which bubble and cross shadow roots: `campanile-notification` for each that arrives, whose toast a page
 * prevents by cancelling it; `campanile-open` for one that is activated, which is then not marked read and leads nowhere
 * if it is cancelled; `campanile-toggle` once the panel opened or closed.
 */
export class BellElement extends Base {
  static readonly observedAttributes: readonly string[] = ["lang", "dir", "placement", "toasts"];

  readonly #language = new Language(this, () => this.#handleLanguage());
  readonly #voice = new Voice();
  readonly #badge = make("span", { class: "badge", part: "badge", "aria-hidden": "true", hidden: true });
  readonly #button = make("button", {
    type: "button",
    class: "bell",
    part: "button",
    "aria-haspopup": "dialog",
  });
  readonly #panel: Panel;
  readonly #toasts: Toasts;
  readonly #root = make("div", { class: "root" });
  #client: NotificationSource | undefined;
  #framed: FramedSnapshot<SourceSnapshot> | undefined;
  #leave: (() => void)[] = [];
  #leaveClient: ((() => void) | undefined)[] = [];
  #snapshot = NOTHING;
  #seen = 0;

  constructor() {
    super();
    const bell = this;
    const { wording } = this.#language;
    this.#panel = new Panel(wording, {
      get source() {
        return bell.#client;
      },
      handleClose: () => this.hide(),
      handleChange: () => this.flush(),
      handleOpen: (item, event) => this.#handleOpen(item, event),
    });
    this.#toasts = new Toasts(wording, (item, event) => this.#handleOpen(item, event));
    this.#button.append(draw("bell"), this.#badge);
    this.#root.append(this.#button, this.#panel.element, this.#toasts.element, this.#voice.element);
    const shadow = this.attachShadow({ mode: "open", delegatesFocus: true });
    dress(shadow);
    shadow.append(this.#root);
    this.#button.addEventListener("click", () => this.toggle());
    this.#root.addEventListener("keydown", (event) => this.#handleKey(event));
    this.#root.addEventListener("focusout", (event) => this.#handleFocusOut(event));
    this.#button.addEventListener("animationend", () => this.#button.classList.remove("ringing"));
    this.#render();
  }

  /** What feeds the bell. It is neither connected nor closed here. */
  get client(): NotificationSource | undefined {
    return this.#client;
  }

  set client(client: NotificationSource | null | undefined) {
    if (this.#client === (client ?? undefined)) return;
    this.#unfollow();
    this.#client = client ?? undefined;
    this.#panel.reset();
    this.#toasts.clear();
    this.#snapshot = NOTHING;
    this.#follow();
    this.#render();
  }

  /** Texts that take the place of the shipped ones. */
  get strings(): CustomStrings {
    return this.#language.custom;
  }

  set strings(strings: CustomStrings) {
    this.#language.custom = strings;
  }

  /** Whether the panel is open. */
  get open(): boolean {
    return this.#panel.isOpen;
  }

  set open(open: boolean) {
    if (open) this.show();
    else this.hide();
  }

  /** Opens the panel, and moves the focus there. */
  show(): void {
    if (this.open || !this.isConnected) return;
    this.#toasts.clear();
    this.#panel.show(this.#snapshot, this.#language.wording);
    this.#panel.open();
    this.#place();
    this.#render();
    this.#panel.focus();
    this.#told("campanile-toggle", { open: true });
  }

  /** Closes the panel. A focus that was in it returns to the button. */
  hide(): void {
    if (!this.open) return;
    const within = this.#panel.element.contains(this.shadowRoot?.activeElement ?? null);
    this.#panel.close();
    if (within) this.#button.focus();
    this.#render();
    this.#told("campanile-toggle", { open: false });
  }

  toggle(): void {
    this.open = !this.open;
  }

  connectedCallback(): void {
    // Properties that were set before the element was defined hide its own.
    for (const property of this.properties) {
      if (!Object.hasOwn(this, property)) continue;
      const value = this[property as keyof this];
      delete this[property as keyof this];
      this[property as keyof this] = value;
    }
    const follow = (target: EventTarget, type: string, listener: (event: Event) => void) => {
      target.addEventListener(type, listener, { capture: true, passive: true });
      this.#leave.push(() => target.removeEventListener(type, listener, { capture: true }));
    };
    follow(document, "pointerdown", (event) => !event.composedPath().includes(this) && this.hide());
    follow(document, "keydown", (event) => this.#handlePageKey(event as KeyboardEvent));
    follow(document, "scroll", () => this.#place());
    follow(window, "resize", () => this.#place());
    this.#language.refresh();
    this.#follow();
    this.#render();
  }

  disconnectedCallback(): void {
    this.#panel.close();
    this.#toasts.clear();
    this.#unfollow();
    for (const leave of this.#leave.splice(0)) leave();
  }

  attributeChangedCallback(attribute: string, _before: string | null, value: string | null): void {
    if (attribute === "lang" || attribute === "dir") this.#language.refresh();
    else if (attribute === "toasts") this.#toasts.duration = durationOf(value);
    this.#place();
  }

  /** Shows what the client has now, without waiting for a frame. */
  protected flush(): void {
    this.#framed?.flush();
  }

  /** Properties that a page may set before the element is defined. */
  protected get properties(): readonly string[] {
    return ["client", "strings", "open"];
  }

  #follow(): void {
    const client = this.#client;
    if (!client || this.#framed || !this.isConnected) return;
    this.#framed = new FramedSnapshot(client);
    this.#leaveClient = [
      this.#framed.subscribe(() => this.#handleSnapshot()),
      client.on?.("notification", (item, { replayed }) => {
        if (!replayed) this.#handleNotification(item);
      }),
    ];
    this.#handleSnapshot();
  }

  #unfollow(): void {
    for (const leave of this.#leaveClient.splice(0)) leave?.();
    this.#framed = undefined;
  }

  #handleSnapshot(): void {
    if (!this.#framed) return;
    this.#snapshot = this.#framed.getSnapshot();
    this.#toasts.keep(({ id }) => {
      const now = this.#snapshot.items.find((item) => item.id === id);
      return !now || !(now.read || now.archived);
    });
    this.#render();
  }

  #handleNotification(item: BellItem): void {
    if (!this.#told("campanile-notification", { item })) return;
    // A hidden page says nothing: another tab may be seen, and the badge is there on return.
    if (document.hidden) return;
    this.#button.classList.add("ringing");
    const { strings } = this.#language.wording;
    const level = levelOf(item);
    const urgent = level === "error" || level === "alert";
    this.#voice.announce(`${strings[level]}. ${item.title}. ${item.message ?? ""}`, urgent);
    if (!this.open && this.getAttribute("toasts") !== "off") this.#toasts.add(item);
  }

  #handleOpen(item: BellItem, event: Event): void {
    if (!this.#told("campanile-open", { item })) {
      event.preventDefault();
      return;
    }
    if (!item.read) this.#client?.read(item.id);
    const href = linkOf(item);
    if (!href) return;
    // A click on the link itself is the browser's to follow, with whatever keys were held.
    if (!(event.target as Element).closest("a")) make("a", { href }).click();
    this.hide();
  }

  #handleLanguage(): void {
    const { tag, direction, wording } = this.#language;
    mark(this.#root, "lang", tag);
    mark(this.#root, "dir", direction);
    this.#toasts.wording = wording;
    this.#voice.wording = wording;
    this.#render();
  }

  #handleKey(event: KeyboardEvent): void {
    const onButton = event.target === this.#button;
    if (event.key === "Escape" && this.open) this.hide();
    else if (event.key === "ArrowDown" && onButton) {
      if (this.open) this.#panel.focus();
      else this.show();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Keys that were pressed elsewhere on the page. */
  #handlePageKey(event: KeyboardEvent): void {
    if (event.key === "F8") this.#toasts.focus();
    else if (event.key === "Escape" && !event.composedPath().includes(this)) this.hide();
  }

  /** Whoever tabs out of the panel leaves it: open, it could hide what has the focus now. */
  #handleFocusOut({ relatedTarget }: FocusEvent): void {
    if (relatedTarget instanceof Node && !this.#root.contains(relatedTarget)) this.hide();
  }

  #render(): void {
    const { wording } = this.#language;
    const { unread, unseen, state } = this.#snapshot;
    const count = wording.badge(unread);
    const { strings } = wording;
    // The name has the words of the badge: whoever controls the page by voice says what is seen.
    const spoken = unread > 0 ? `: ${wording.counted(strings.unreadCount, unread, count)}` : "";
    name(this.#button, strings.notifications + spoken);
    mark(this.#button, "aria-expanded", String(this.open));
    this.#badge.hidden = unread <= 0;
    write(this.#badge, count);
    this.#root.classList.toggle("away", state === "refused" || state === "suspended");
    this.#panel.show(this.#snapshot, wording);
    // What is shown in an open panel is seen. Asked once for each count: a source may need time.
    if (!this.open || document.hidden) return;
    if (unseen > 0 && unseen !== this.#seen) this.#client?.seen();
    this.#seen = unseen;
  }

  #place(): void {
    if (!this.open) return;
    const rightToLeft = getComputedStyle(this.#root).direction === "rtl";
    place(this.#panel.element, this.#button, placementOf(this.getAttribute("placement")), rightToLeft);
  }

  /** @returns Whether no listener cancelled it. */
  #told(type: string, detail: unknown): boolean {
    return this.dispatchEvent(
      new CustomEvent(type, {
        detail,
        bubbles: true,
        composed: true,
        cancelable: type !== "campanile-toggle",
      }),
    );
  }
}

/** Milliseconds of the attribute `toasts`; 6 s where it says nothing of the kind. */
function durationOf(value: string | null): number {
  const duration = Number(value ?? "");
  return value?.trim() && Number.isFinite(duration) && duration >= 0 ? duration : 6000;
}
