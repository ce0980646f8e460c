// What there is of one user in one workspace: the list, what waits to be done, its cache, and the other tabs that show the same.

import { type Action, enqueue, joined, type Queue } from "./actions.js";
import { alarm } from "./alarm.js";
import type { Environment } from "./environment.js";
import { CampanileError } from "./error.js";
import type { Answer, Frame, Hello, InboxPage } from "./frame.js";
import { bounded, createStore, type Dump, filterKey, type Log, type Store, type Told } from "./store.js";
import { type Ears, joinTabs, type Shared, type Tabs } from "./tabs.js";
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

/** What a tab wants of the one that leads. */
export type Wish = "join" | "retry" | { act: Action } | { load: Filter };

export interface Owner {
  readonly environment: Environment;
  readonly maxItems: number;
  readonly shareTabs: boolean;
  status(): Status;
  changed(): void;
  tell(...told: Told): void;
  wished(wish: Exclude<Wish, "join">): void;
  /** Another tab took the lead away: it connects, and this one no longer may. */
  robbed(): void;
}

export interface Session {
  readonly key: string;
  readonly identity: string | undefined;
  readonly store: Store;
  readonly queue: Queue;
  /** Actions that the present connection was told. */
  readonly sent: Set<string>;
  /** What the leading tab's connection is; undefined where there is none. */
  readonly mirror: Status | undefined;
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
  /** One is, from now on. */
  load(filter: Filter): void;
  /** Writes the cache now. */
  save(): void;
  /** Leaves the other tabs. What is here stays, and `open` goes on. */
  leave(): void;
  /** Forgets everything, and what was kept of this user in any place. */
  erase(): void;
}

/** Names a user of a server, at the start of all that is kept of them. Its first part is the form of that. */
export function userKey(base: string, identity: string | undefined): string {
  return JSON.stringify([1, base, identity]);
}

/** `user` and `place` name what is kept, and the tabs that share it. Without an `identity`, nothing is, and none do. */
export function createSession(
  owner: Owner,
  user: string,
  place: string,
  identity: string | undefined,
): Session {
  const { environment } = owner;
  const key = user + place;
  const store = createStore(owner.maxItems);
  const sent = new Set<string>();
  let queue: Queue = [];
  let mirror: Status | undefined;
  const saving = alarm(environment);
  /** There is something to write. */
  let dirty = false;
  /** Something is kept. */
  let keeps = identity !== undefined;
  let tabs: Tabs<Change, Wish> | undefined;
  /** The filters of which a page is under way. */
  const loads = new Set<string>();

  const stored = async (method: "get" | "set" | "erase", what: string, value?: unknown): Promise<unknown> => {
    try {
      return await environment.storage?.[method](what, value);
    } catch (cause) {
      owner.tell("error", new CampanileError("storage_failed", "the cache can't be used", { cause }));
      return undefined;
    }
  };
  /** What was kept; nothing, if that takes too long. */
  const kept = (what: string) => within(environment, PATIENCE, stored("get", key + what));
  const keep = (what: string, value: unknown) => {
    if (keeps) void stored("set", key + what, value);
  };
  const save = () => {
    dirty = false;
    saving();
    if (!follows() && store.now.epoch !== undefined) keep("list", bounded(store.now, owner.maxItems));
  };

  const follows = () => !!tabs && !tabs.leads && !!mirror;
  const announce = (change: Change) => tabs?.tell(change);
  const wish = (wish: Wish) => tabs?.wish(wish);
  const resign = () => {
    announce({ status: null });
    tabs?.resign();
  };

  const empty = () => {
    store.restore();
    queue = [];
  };
  const leave = () => {
    if (dirty) save();
    resign();
    tabs?.leave();
    tabs = mirror = undefined;
    loads.clear();
  };

  /** The server did it, or won't: it waits no longer. */
  const answered = (answer: Answer): Told | undefined => {
    const done = queue.find((one) => one.key === answer.ref);
    queue = queue.filter((one) => one !== done);
    if (done) sent.delete(done.key);
    if (answer.type === "error") {
      const { code, message = code } = answer;
      return [
        "error",
        new CampanileError(code, message, { id: done?.id ?? answer.id, action: done?.action }),
      ];
    }
    if (done) store.commit(done, answer);
  };

  const take = ({ all, status, frame, page, act }: Change) => {
    const was = queue;
    const user = all?.dump.user ?? (frame as Partial<Hello> | undefined)?.user;
    // Nothing of a former user is shown, or done.
    if (user && store.now.user && user !== store.now.user) empty();
    let told: Told | undefined;
    if (all) {
      store.restore(all.dump);
      queue = joined(all.queue, queue);
      for (const act of queue.slice(all.queue.length)) wish({ act });
      loads.clear();
    }
    if (status !== undefined) mirror = status ?? undefined;
    if (frame?.type === "ok" || frame?.type === "error") {
      told = answered(frame);
    } else if (frame) {
      // Another lineage of the log: its places mean something else.
      if (frame.type === "hello")
        queue = queue.filter((one) => !one.epoch || !frame.epoch || one.epoch === frame.epoch);
      told = store.apply(frame);
    }
    if (page) {
      if (page.found) store.page(page.found, page.filter, page.fresh, page.log);
      loads.delete(filterKey(page.filter));
    }
    if (act) queue = enqueue(queue, act, sent);

    if (queue !== was && !follows()) keep("queue", queue);
    if (keeps && !dirty) {
      dirty = true;
      saving(SAVE, save);
    }
    owner.changed();
    if (told) owner.tell(...told);
  };

  const ears: Ears<Change, Wish> = {
    onTold: take,
    onWish(wish) {
      if (!tabs?.leads) return;
      if (wish === "join") announce(ears.all());
      else owner.wished(wish);
    },
    onLost(robbed) {
      mirror = undefined;
      if (robbed) owner.robbed();
      else owner.changed();
    },
    all() {
      mirror = undefined;
      return { all: { dump: store.now, queue }, status: owner.status() };
    },
  };

  return {
    key,
    identity,
    store,
    get queue() {
      return queue;
    },
    sent,
    get mirror() {
      return mirror;
    },
    get follows() {
      return follows();
    },
    async open() {
      if (!keeps) return;
      if (owner.shareTabs && environment.locks && environment.channel)
        tabs ??= joinTabs(environment as Shared, `campanile ${key}`, ears, "join");
      const nothing = () => store.now.epoch === undefined && !store.now.items.length;
      const [dump, waiting] = await Promise.all([nothing() && kept("list"), kept("queue")]);
      if (!keeps) return;
      if (dump && nothing()) store.restore(dump as Dump);
      if (!mirror) queue = joined((waiting ?? []) as Queue, queue);
      owner.changed();
    },
    lead: async () => tabs?.lead() ?? true,
    resign,
    announce,
    do(change) {
      announce(change);
      take(change);
    },
    wish,
    loading: (filter) => loads.has(filterKey(filter)),
    load(filter) {
      const key = filterKey(filter);
      if (loads.has(key)) return;
      loads.add(key);
      owner.changed();
    },
    save,
    leave,
    erase() {
      keeps = false;
      leave();
      empty();
      void stored("erase", user);
    },
  };
}
