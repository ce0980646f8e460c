// What there is of one user in one workspace: the list, what waits to be done, its cache, and the other tabs that show the same.

import { type Action, enqueue, isNews, joined, type Queue } from "./actions.js";
import { alarm } from "./alarm.js";
import type { Environment } from "./environment.js";
import { CampanileError } from "./error.js";
import type { Answer, Frame, InboxPage } from "./frame.js";
import { bounded, createStore, type Dump, filterKey, type Log, type Store, type Told } from "./store.js";
import { joinTabs, type Shared, type Tabs } from "./tabs.js";
import type { Filter, Reason, State } from "./types.js";
import { within } from "./within.js";

/** The cache is written so long after a change. */
const SAVE = 1_000;
/** So long the cache is waited for. */
const PATIENCE = 2_000;

/** The connection of the tab that leads. */
export interface Status {
  readonly state: State;
  readonly reason: Reason | null;
  readonly retryAt: number | null;
}

/** What happened, the same in every tab. */
export interface Change {
  readonly all?: { dump: Dump; queue: Queue };
  /** Of the tab that leads; null: none does any more. */
  readonly status?: Status | null;
  readonly frame?: Frame;
  /** Without `found`, it could not be had. */
  readonly page?: { filter: Filter; fresh: boolean; found: InboxPage | undefined; log: Log };
  readonly act?: Action;
}

/** What a tab wants of the one that leads. `erased` is said to all of them. */
export type Wish = "join" | "retry" | "erased" | { act: Action } | { load: Filter };

export interface Owner {
  readonly environment: Environment;
  readonly maxItems: number;
  readonly shareTabs: boolean;
  status(): Status;
  changed(): void;
  tell(...told: Told): void;
  wished(wish: Exclude<Wish, "join">): void;
}

export interface Session {
  readonly workspace: string;
  readonly identity: string | undefined;
  readonly store: Store;
  queue: Queue;
  /** Actions that the present connection was told. */
  readonly sent: Set<string>;
  /** What the leading tab's connection is; undefined where there is none. */
  mirror: Status | undefined;
  /** Whether another tab does what is to be done. */
  readonly follows: boolean;
  /** Reads what was kept, if nothing is here yet, and meets the other tabs. */
  open(): Promise<void>;
  /** Resolves to true once this tab is the one that connects; to false if it resigned before. */
  lead(): Promise<boolean>;
  resign(): void;
  /** Tells the tabs that follow. */
  announce(change: Change): void;
  /** Does something here, and in the tabs that follow. */
  do(change: Change): void;
  wish(wish: Wish): void;
  /** Whether a page of the filter is under way. */
  loading(filter: Filter): boolean;
  /** Resolves when the page that is under way has come, or could not. */
  load(filter: Filter): Promise<void>;
  /** Writes the cache now. */
  save(): void;
  /** Leaves the other tabs. What is here stays, and `open` goes on. */
  leave(): void;
  /** Forgets everything, and what was kept; `everywhere`: in the other tabs too. */
  erase(everywhere: boolean): void;
  /** Forgets the list and what waits. */
  empty(): void;
}

/** `key` names what is kept, and the tabs that share it; undefined: nothing is, and none do. */
export function createSession(
  owner: Owner,
  workspace: string,
  identity: string | undefined,
  key: string | undefined,
): Session {
  const { environment } = owner;
  const store = createStore(owner.maxItems);
  const sent = new Set<string>();
  const saving = alarm(environment);
  /** There is something to write. */
  let dirty = false;
  /** Something is kept. */
  let keeps = key !== undefined;
  let tabs: Tabs<Change, Wish> | undefined;
  /** Who waits for a page, by its filter. */
  const loads = new Map<string, (() => void)[]>();

  const stored = async (
    method: "get" | "set" | "delete",
    what: string,
    value?: unknown,
  ): Promise<unknown> => {
    try {
      return await environment.storage?.[method](`${key} ${what}`, value);
    } catch (cause) {
      owner.tell("error", new CampanileError("storage_failed", "the cache can't be used", { cause }));
      return undefined;
    }
  };
  /** What was kept; nothing, if that takes too long. */
  const kept = (what: string) => within(environment, PATIENCE, stored("get", what));
  const keep = (what: string, value: unknown) => {
    if (keeps) void stored("set", what, value);
  };
  const loaded = (key: string) => {
    const waiting = loads.get(key) ?? [];
    loads.delete(key);
    for (const then of waiting) then();
  };
  const loadedAll = () => {
    for (const key of loads.keys()) loaded(key);
  };
  /** What a tab needs to follow. Only who leads says it. */
  const all = (): Change => {
    self.mirror = undefined;
    return { all: { dump: store.now, queue: self.queue }, status: owner.status() };
  };

  /** The server did it, or won't: it waits no longer. */
  const answered = (answer: Answer): Told | undefined => {
    const done = self.queue.find((one) => one.key === answer.ref);
    self.queue = self.queue.filter((one) => one !== done);
    if (done) sent.delete(done.key);
    if (answer.type === "error") {
      const { code, message = code } = answer;
      const { id = answer.id, action } = done ?? {};
      return ["error", new CampanileError(code, message, { id, action })];
    }
    if (done && isNews(answer, store.now.rev)) store.commit(done, answer.unread);
  };

  const take = ({ all, status, frame, page, act }: Change) => {
    const { queue } = self;
    let told: Told | undefined;
    if (all) {
      store.restore(all.dump);
      self.queue = joined(all.queue, queue);
      for (const act of self.queue.slice(all.queue.length)) wish({ act });
      loadedAll();
    }
    if (status !== undefined) self.mirror = status ?? undefined;
    if (frame?.type === "ok" || frame?.type === "error") {
      told = answered(frame);
    } else if (frame) {
      // Another lineage of the log: its places mean something else.
      if (frame.type === "hello")
        self.queue = queue.filter((one) => !one.epoch || !frame.epoch || one.epoch === frame.epoch);
      told = store.apply(frame);
    }
    if (page) {
      if (page.found) store.page(page.found, page.filter, page.fresh, page.log);
      loaded(filterKey(page.filter));
    }
    if (act) self.queue = enqueue(queue, act, sent);

    if (self.queue !== queue && !self.follows) keep("queue", self.queue);
    if (keeps && !dirty) {
      dirty = true;
      saving(SAVE, self.save);
    }
    owner.changed();
    if (told) owner.tell(...told);
  };

  const wish = (wish: Wish) => tabs?.wish(wish);

  const self: Session = {
    workspace,
    identity,
    store,
    queue: [],
    sent,
    mirror: undefined,
    get follows() {
      return !!tabs && !tabs.leads && !!self.mirror;
    },
    async open() {
      if (!keeps) return;
      if (owner.shareTabs && environment.locks && environment.channel)
        tabs ??= joinTabs(environment as Shared, `campanile ${key}`, { onTold: take, onWish, all }, "join");
      const empty = () => store.now.epoch === undefined && !store.now.items.length;
      const [dump, queue] = await Promise.all([empty() && kept("list"), kept("queue")]);
      if (!keeps) return;
      if (dump && empty()) store.restore(dump as Dump);
      if (!self.mirror) self.queue = joined((queue ?? []) as Queue, self.queue);
      owner.changed();
    },
    lead: async () => tabs?.lead() ?? true,
    resign() {
      self.announce({ status: null });
      tabs?.resign();
    },
    announce: (change) => tabs?.tell(change),
    do(change) {
      self.announce(change);
      take(change);
    },
    wish,
    loading: (filter) => loads.has(filterKey(filter)),
    load: (filter) =>
      new Promise((then) => {
        const key = filterKey(filter);
        const waiting = loads.get(key);
        loads.set(key, [...(waiting ?? []), then]);
        if (!waiting) owner.changed();
      }),
    save() {
      dirty = false;
      saving();
      if (!self.follows && store.now.epoch !== undefined) keep("list", bounded(store.now, owner.maxItems));
    },
    leave() {
      if (dirty) self.save();
      self.resign();
      tabs?.leave();
      tabs = self.mirror = undefined;
      loadedAll();
    },
    erase(everywhere) {
      keeps = false;
      if (everywhere) wish("erased");
      self.leave();
      self.empty();
      for (const what of ["list", "queue"]) void stored("delete", what);
    },
    empty() {
      store.restore();
      self.queue = [];
    },
  };

  const onWish = (wish: Wish) => {
    if (wish !== "erased" && !tabs?.leads) return;
    if (wish === "join") self.announce(all());
    else owner.wished(wish);
  };

  return self;
}
