// A client without a server, for hooks: a list in memory, and how often it was asked for.

/** @typedef {import("@campanile/client").Notification} Notification */
/** @typedef {import("@campanile/client").Snapshot} Snapshot */

/** @implements {Client} */
export class FakeClient {
  /** @type {Notification[]} */
  #items = [];
  /** @type {Set<() => unknown>} */
  #listeners = new Set();
  /** @type {Snapshot | undefined} */
  #snapshot;
  /** @type {string[]} */
  calls = [];
  /** @type {import("@campanile/client").State} */
  state = "live";

  get listeners() {
    return this.#listeners.size;
  }

  /** @param {() => unknown} listener */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  getSnapshot() {
    this.#snapshot ??= {
      state: this.state,
      reason: null,
      retryAt: null,
      user: "alice",
      items: this.#items,
      unread: this.#items.filter((item) => !item.read).length,
      unseen: 0,
      hasMore: false,
      loading: false,
      position: null,
    };
    return this.#snapshot;
  }

  /** @param {import("@campanile/client").Filter} [filter] */
  list(filter = {}) {
    const items = filter.unread ? this.#items.filter((item) => !item.read) : this.#items;
    return { items, hasMore: false, loading: false };
  }

  on() {
    return () => undefined;
  }

  /** @param {string} id */
  arrive(id) {
    this.#items = [
      {
        id,
        seq: null,
        title: `Title ${id}`,
        message: "A message",
        type: "info",
        level: "info",
        timestamp: "2026-01-01T00:00:00.000Z",
        seen: false,
        read: false,
        archived: false,
      },
      ...this.#items,
    ];
    this.#changed();
  }

  /** @param {import("@campanile/client").State} state */
  is(state) {
    this.state = state;
    this.#changed();
  }

  /** @param {string} id */
  read(id) {
    this.calls.push(`read ${id}`);
    this.#items = this.#items.map((item) => (item.id === id ? { ...item, read: true } : item));
    this.#changed();
  }

  /** @param {string} id */
  unread(id) {
    this.calls.push(`unread ${id}`);
  }

  /** @param {string} id */
  archive(id) {
    this.calls.push(`archive ${id}`);
  }

  readAll() {
    this.calls.push("read all");
  }

  seen() {
    this.calls.push("seen");
  }

  async loadMore() {
    this.calls.push("load more");
  }

  retry() {
    this.calls.push("retry");
  }

  connect() {}
  disconnect() {}
  close() {}
  update() {}

  #changed() {
    this.#snapshot = undefined;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** @typedef {import("@campanile/client").Client} Client */
