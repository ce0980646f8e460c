// What there is of one user in one workspace: the list, what waits to be done, its cache, and the other tabs that show the same.

import { type Action, enqueue } from "./actions.js";
import type { Environment } from "./environment.js";
import { CampanileError } from "./error.js";
import type { Frame, InboxPage } from "./frame.js";
import { type Dump, filterKey, type Log, Store, type Told } from "./store.js";
import { Tabs } from "./tabs.js";
import type { Filter, Reason, State } from "./types.js";
import { within } from "./within.js";

/** The cache is written so long after a change. */
const SAVE = 1_000;
/** So long the cache is waited for. */
const PATIENCE = 2_000;

/** The connection of the tab that leads. */
export interface Line {
  readonly state: State;
  readonly reason: Reason | null;
  readonly retryAt: number | null;
}

/** One thing that happened, the same in every tab. */
export type Change =
  | { all: { dump: Dump; queue: readonly Action[]; line: Line } }
  | { frame: Frame }
  | { page: InboxPage; filter: Filter; fresh: boolean; log: Log }
  | { unloaded: Filter }
  | { act: Action }
  | { done: string; commit: boolean; unread?: number | undefined; refused?: [code: string, message: string] }
  /** Null: nobody leads any more. */
  | { line: Line | null };

/** What a tab wants of the one that leads. `erased` is said to all of them. */
export type Wish = "join" | "retry" | "erased" | { act: Action } | { load: Filter };

export interface Owner {
  readonly environment: Environment;
  readonly maxItems: number;
  line(): Line;
  changed(): void;
  tell(told: Told): void;
  wished(wish: Wish): void;
}

export class Session {
  readonly store: Store;
  queue: readonly Action[] = [];
  /** Actions that the present connection was told. */
  readonly sent = new Set<string>();
  /** What the leading tab's connection is; undefined where there is none. */
  mirror: Line | undefined;
  readonly #owner: Owner;
  #tabs: Tabs<Change, Wish> | undefined;
  #timer: unknown;
  #erased = false;
  readonly #loads = new Map<string, { done: Promise<void>; resolve: () => void }>();

  /** `key` names what is kept, and the tabs that share it; undefined: nothing is, and none do. */
  constructor(
    owner: Owner,
    readonly workspace: string,
    readonly identity: string | undefined,
    public key: string | undefined,
  ) {
    this.#owner = owner;
    this.store = new Store(owner.maxItems);
  }

  /** Whether another tab does what is to be done. */
  get follows(): boolean {
    return !!this.#tabs && !this.#tabs.leads && !!this.mirror;
  }

  /** Reads what was kept, if nothing is here yet, and meets the other tabs. */
  async open(share: boolean): Promise<void> {
    const { environment } = this.#owner;
    if (!this.key || this.#erased) return;
    if (share && environment.locks && environment.channel && !this.#tabs) {
      const ears = {
        onTold: (change: Change) => this.#take(change),
        onWish: (wish: Wish) => this.#wished(wish),
        all: () => this.#all(),
      };
      this.#tabs = new Tabs(environment, `campanile ${this.key}`, ears, "join");
    }
    const empty = () => !this.store.now.placed && !this.store.now.items.length;
    const [dump, queue] = await Promise.all([
      empty() ? this.#kept<Dump>("list") : undefined,
      this.#kept<Action[]>("queue"),
    ]);
    if (this.#erased) return;
    if (dump && empty()) this.store.restore(dump);
    const known = new Set(this.queue.map((action) => action.key));
    if (!this.mirror)
      this.queue = [...(queue ?? []).filter((action) => !known.has(action.key)), ...this.queue];
    this.#owner.changed();
  }

  /** Resolves to true once this tab is the one that connects; to false if it resigned before. */
  lead(): Promise<boolean> {
    return this.#tabs?.lead() ?? Promise.resolve(true);
  }

  /** Tells the tabs that follow what the connection is now. */
  announce(line: Line): void {
    this.#tabs?.tell({ line });
  }

  resign(): void {
    this.sent.clear();
    this.#tabs?.tell({ line: null });
    this.#tabs?.resign();
  }

  /** Does something here, and in the tabs that follow. */
  do(change: Change): void {
    this.#tabs?.tell(change);
    this.#take(change);
  }

  /** Does what the user did: at once here, and then where the connection is. */
  act(action: Action): void {
    if (this.follows) {
      this.#take({ act: action });
      this.#tabs?.wish({ act: action });
    } else {
      this.do({ act: action });
    }
  }

  wish(wish: Wish): void {
    this.#tabs?.wish(wish);
  }

  /** Whether a page of the filter is under way. */
  loading(filter: Filter): boolean {
    return this.#loads.has(filterKey(filter));
  }

  /** Resolves when the page that is under way has come, or could not. */
  load(filter: Filter): Promise<void> {
    const key = filterKey(filter);
    let load = this.#loads.get(key);
    if (!load) {
      let resolve = () => {};
      const done = new Promise<void>((then) => {
        resolve = then;
      });
      load = { done, resolve };
      this.#loads.set(key, load);
      this.#owner.changed();
    }
    return load.done;
  }

  /** Writes the cache now. */
  save(): void {
    const { clearTimeout } = this.#owner.environment;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.follows && this.store.now.placed) this.#keep("list", this.store.dump(this.#owner.maxItems));
  }

  /** Leaves the other tabs. What is here stays, and `open` goes on. */
  leave(): void {
    if (this.#timer !== undefined) this.save();
    this.resign();
    this.#tabs?.leave();
    this.#tabs = undefined;
    this.mirror = undefined;
    for (const key of this.#loads.keys()) this.#loaded(key);
  }

  /** Forgets everything, and what was kept; `everywhere`: in the other tabs too. */
  erase(everywhere: boolean): void {
    this.#erased = true;
    if (everywhere) this.wish("erased");
    this.#owner.environment.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.leave();
    this.empty();
    for (const what of ["list", "queue"])
      void this.#storage((storage) => storage.delete(`${this.key} ${what}`));
  }

  /** Forgets the list and what waits. */
  empty(): void {
    this.store.restore();
    this.queue = [];
  }

  #take(change: Change): void {
    const { store } = this;
    const owner = this.#owner;
    const told: Told[] = [];
    const { queue } = this;
    if ("all" in change) {
      const { dump, line } = change.all;
      store.restore(dump);
      const known = new Set(change.all.queue.map((action) => action.key));
      for (const act of queue) if (!known.has(act.key)) this.wish({ act });
      this.queue = [...change.all.queue, ...queue.filter((action) => !known.has(action.key))];
      this.mirror = line;
      for (const key of this.#loads.keys()) this.#loaded(key);
    } else if ("frame" in change) {
      const { frame } = change;
      // Another lineage of the log: its places mean something else.
      if (frame.type === "hello")
        this.queue = queue.filter(({ epoch }) => !epoch || !frame.epoch || epoch === frame.epoch);
      told.push(...store.apply(frame));
    } else if ("page" in change) {
      const key = filterKey(change.filter);
      store.page(change.page, change.filter, change.fresh, change.log);
      this.#loaded(key);
    } else if ("unloaded" in change) {
      this.#loaded(filterKey(change.unloaded));
    } else if ("act" in change) {
      this.queue = enqueue(queue, change.act, this.sent);
    } else if ("done" in change) {
      const { done, refused, commit, unread } = change;
      const action = queue.find(({ key }) => key === done);
      this.queue = queue.filter(({ key }) => key !== done);
      this.sent.delete(done);
      if (action && commit) store.commit(action, unread);
      if (refused) {
        const [code, message] = refused;
        told.push(["error", new CampanileError(code, message, { action: action?.action, id: action?.id })]);
      }
    } else {
      this.mirror = change.line ?? undefined;
    }
    if (this.queue !== queue && !this.follows) this.#keep("queue", this.queue);
    if (this.key && !this.#erased) this.#timer ??= owner.environment.setTimeout(() => this.save(), SAVE);
    owner.changed();
    for (const one of told) owner.tell(one);
  }

  /** What a tab needs to follow. Only who leads says it. */
  #all(): Change {
    this.mirror = undefined;
    return { all: { dump: this.store.now, queue: this.queue, line: this.#owner.line() } };
  }

  #wished(wish: Wish): void {
    if (wish === "erased") this.#owner.wished(wish);
    else if (!this.#tabs?.leads) return;
    else if (wish === "join") this.#tabs.tell(this.#all());
    else this.#owner.wished(wish);
  }

  #loaded(key: string): void {
    this.#loads.get(key)?.resolve();
    this.#loads.delete(key);
  }

  /** What was kept; nothing, if that takes too long. */
  async #kept<T>(what: string): Promise<T | undefined> {
    const kept = this.#storage((storage) => storage.get(`${this.key} ${what}`));
    return within(this.#owner.environment, PATIENCE, kept as Promise<T | undefined>);
  }

  #keep(what: string, value: unknown): void {
    if (this.key && !this.#erased) void this.#storage((storage) => storage.set(`${this.key} ${what}`, value));
  }

  async #storage(act: (storage: NonNullable<Environment["storage"]>) => Promise<unknown>): Promise<unknown> {
    const { storage } = this.#owner.environment;
    if (!storage) return undefined;
    try {
      return await act(storage);
    } catch (cause) {
      this.#owner.tell(["error", new CampanileError("storage_failed", "the cache can't be used", { cause })]);
      return undefined;
    }
  }
}
