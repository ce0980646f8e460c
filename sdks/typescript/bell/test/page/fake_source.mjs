// A source without a server: an inbox in memory, whose every step a test decides.

/** @typedef {import("../../src/source.js").BellItem} BellItem */
/** @typedef {import("../../src/source.js").PageFilter} PageFilter */
/** @typedef {import("../../src/source.js").SourceSnapshot} SourceSnapshot */
/** @typedef {import("../../src/source.js").NotificationSource} NotificationSource */

const PAGE = 25;

/** @param {PageFilter} filter */
const nameOf = (filter) => (filter.archived ? "archived" : filter.unread ? "unread" : "all");

/** @implements {NotificationSource} */
export class FakeSource {
  /** @type {BellItem[]} Newest first. */
  inbox = [];
  /** How many older pages can't be had. */
  failures = 0;
  /** @type {string[]} What was asked, such as "read 3". */
  calls = [];
  /** Until this is resolved, no page arrives. */
  held = Promise.resolve();
  #loaded = { all: 0, unread: 0, archived: 0 };
  #loading = { all: false, unread: false, archived: false };
  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** @type {Set<(item: BellItem, how: {replayed: boolean}) => void>} */
  #handlers = new Set();
  #unseen = 0;
  /** @type {SourceSnapshot["state"]} */
  #state = "live";
  /** @type {Map<string, import("../../src/source.js").SourceList>} */
  #lists = new Map();
  /** @type {SourceSnapshot | undefined} */
  #snapshot;

  /** @param {BellItem[]} inbox */
  constructor(inbox = [], loaded = PAGE) {
    this.inbox = inbox;
    this.#loaded.all = loaded;
  }

  /** @param {() => void} listener */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners() {
    return this.#listeners.size + this.#handlers.size;
  }

  getSnapshot() {
    this.#snapshot ??= {
      ...this.list({}),
      state: this.#state,
      unread: this.inbox.filter((item) => !item.read && !item.archived).length,
      unseen: this.#unseen,
    };
    return this.#snapshot;
  }

  /** @param {PageFilter} filter */
  list(filter) {
    const name = nameOf(filter);
    let list = this.#lists.get(name);
    if (!list) {
      const all = this.inbox.filter((item) =>
        name === "archived" ? item.archived : !item.archived && (name === "all" || !item.read),
      );
      const items = all.slice(0, this.#loaded[name]);
      list = { items, hasMore: items.length < all.length, loading: this.#loading[name] };
      this.#lists.set(name, list);
    }
    return list;
  }

  /**
   * @param {"notification"} _event
   * @param {(item: BellItem, how: {replayed: boolean}) => void} handler
   */
  on(_event, handler) {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** @param {PageFilter} filter */
  async loadMore(filter) {
    const name = nameOf(filter);
    this.calls.push(`load ${name}`);
    this.#loading[name] = true;
    this.changed();
    await this.held;
    if (this.failures > 0) this.failures--;
    else this.#loaded[name] += PAGE;
    this.#loading[name] = false;
    this.changed();
  }

  /** @param {string} id */
  read(id) {
    this.#change("read", id, { read: true });
  }

  /** @param {string} id */
  unread(id) {
    this.#change("unread", id, { read: false, archived: false });
  }

  /** @param {string} id */
  archive(id) {
    this.#change("archive", id, { read: true, archived: true });
  }

  readAll() {
    this.calls.push("read all");
    this.inbox = this.inbox.map((item) => (item.read ? item : { ...item, read: true }));
    this.changed();
  }

  seen() {
    this.calls.push("seen");
    this.#unseen = 0;
    this.changed();
  }

  retry() {
    this.calls.push("retry");
  }

  /** @param {SourceSnapshot["state"]} state */
  is(state) {
    this.#state = state;
    this.changed();
  }

  /**
   * A notification arrives.
   *
   * @param {BellItem} item
   */
  arrive(item, replayed = false) {
    this.inbox = [item, ...this.inbox];
    this.#loaded.all++;
    this.#unseen++;
    this.changed();
    for (const handler of this.#handlers) handler(item, { replayed });
  }

  changed() {
    this.#lists.clear();
    this.#snapshot = undefined;
    for (const listener of [...this.#listeners]) listener();
  }

  /**
   * @param {string} verb
   * @param {string} id
   * @param {Partial<BellItem>} change
   */
  #change(verb, id, change) {
    this.calls.push(`${verb} ${id}`);
    this.inbox = this.inbox.map((item) => (item.id === id ? { ...item, ...change } : item));
    this.changed();
  }
}
