// What there is of one user in one workspace: the list, what waits to be done, its cache, and the other tabs that show the same.

import { type Action, enqueue, type Queue } from "./actions.js";
import { alarm } from "./alarm.js";
import type { Environment } from "./environment.js";
import { CampanileError } from "./error.js";
import type { Answer, Frame, InboxPage } from "./frame.js";
import { bounded, createStore, type Dump, filterKey, type Log, type Store, type Told } from "./store.js";
import { type Ears, joinTabs, type Tabs } from "./tabs.js";
import type { Filter, Options, Reason, State } from "./types.js";
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

/** What happened, the same in every tab. The types that are ours begin with a capital letter, which those of frames never do. */
export type Change =
  | Frame
  /** All that a tab needs to follow the one that leads. */
  | { type: "All"; dump: Dump; queue: Queue; status: Status; loads: Set<string> }
  /** Of the tab that leads; null: none does any more. */
  | { type: "Status"; status: Status | null }
  /** A page is under way. */
  | { type: "Load"; filter: Filter }
  /** Without `found`, it could not be had. */
  | { type: "Page"; filter: Filter; fresh?: boolean; found?: InboxPage | undefined; log?: Log }
  | { type: "Act"; act: Action };

/** What a tab wants of the one that leads. */
export type Wish = { type: "Act"; act: Action } | { type: "Load"; filter: Filter } | { type: "Retry" };

export interface Owner {
  readonly environment: Environment;
  readonly options: Options;
  status(): Status;
  changed(): void;
  tell(...told: Told): void;
  wished(wish: Wish): void;
  /** Sends what waits, if it can be sent. */
  flush(): void;
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
  /** Reads what was kept, and meets the other tabs. What takes too long is not waited for, but taken in when it comes. */
  open(): Promise<void>;
  /** Resolves to true once this tab is the one that connects; to false if it resigned before. */
  lead(): Promise<boolean>;
  resign(): void;
  /** Tells the tabs that follow. */
  announce(change: Change): void;
  /** Does something here, and in the tabs that follow. */
  do(change: Change): void;
  /** Asks the tab that leads. False: that is no other one. */
  wish(wish: Wish): boolean;
  /** Whether a page of the filter is under way. */
  loading(filter: Filter): boolean;
  /** One is, from now on. False: one was already. */
  load(filter: Filter): boolean;
  /** Writes the cache now. */
  save(): void;
  /** Leaves the other tabs. What is here stays, and `open` goes on. */
  leave(): void;
  /** Forgets everything, and what was kept of this user in any place. */
  erase(): void;
}

/** Names a user of a server, at the start of all that is kept of them. Its first part is the form of that. */
export function userKey(base: string, identity: string | undefined): string {
  return `campanile ${JSON.stringify([1, base, identity])}`;
}

/** `key`, which begins with that of the `user`, names what is kept, and the tabs that share it. Without an `identity`, nothing is, and none do. */
export function createSession(
  owner: Owner,
  user: string,
  key: string,
  identity: string | undefined,
): Session {
  const { environment, options } = owner;
  const { maxItems = 1_000 } = options;
  const store = createStore(maxItems);
  const sent = new Set<string>();
  let queue: Queue = [];
  /** There only while another tab leads, and this one follows it. */
  let mirror: Status | undefined;
  const saving = alarm(environment);
  /** There is something to write. */
  let dirty = false;
  /** Something is kept. */
  let keeps = identity !== undefined;
  let tabs: Tabs<Change, Wish> | undefined;
  /** The filters of which a page is under way. */
  let loads = new Set<string>();
  /** It was let go of: what still comes, such as a page that was asked for, is not kept. */
  let left = false;
  /** It led, or followed: what the store has was told. */
  let met = false;
  /** What was kept of the queue is in it, or another user's: writing it loses nothing. */
  let known = false;

  const stored = async (method: "get" | "set" | "erase", what: string, value?: unknown): Promise<unknown> => {
    try {
      return await environment.storage?.[method](what, value);
    } catch (cause) {
      owner.tell("error", new CampanileError("storage_failed", "the cache failed", { cause }));
    }
  };
  const keep = (what: string, value: unknown) => {
    if (keeps && !mirror) void stored("set", key + what, value);
  };
  const save = () => {
    dirty = false;
    saving();
    if (store.now.epoch !== undefined) keep("list", bounded(store.now, maxItems));
  };

  const announce = (change: Change) => tabs?.tell(change);
  const wish = (wish: Wish) => {
    if (mirror) tabs?.wish(wish);
    return !!mirror;
  };
  const resign = () => {
    announce({ type: "Status", status: null });
    tabs?.resign();
  };

  const empty = () => {
    store.restore();
    queue = [];
    met = false;
    known = true;
  };
  const leave = () => {
    if (dirty) save();
    left = true;
    resign();
    tabs?.leave();
    tabs = mirror = undefined;
    loads.clear();
  };

  /** Both queues, one after the other. */
  const joined = (first: Queue, second: Queue) =>
    second.reduce((queue, act) => enqueue(queue, act, sent), first);

  /** The server did it, or won't: it waits no longer. */
  const answered = (answer: Answer): Told | undefined => {
    const done = queue.find((one) => one.key === answer.ref);
    queue = queue.filter((one) => one !== done);
    if (done) sent.delete(done.key);
    if (answer.type === "error") {
      const { code, message = code } = answer;
      return ["error", new CampanileError(code, message, { id: answer.id, ...done })];
    }
    if (done) store.commit(done, answer);
  };

  const take = (change: Change) => {
    const was = queue;
    const { user } = ("dump" in change ? change.dump : change) as Partial<Dump>;
    // Nothing of a former user is shown, or done.
    if (user && store.now.user && user !== store.now.user) empty();
    const told: (Told | undefined)[] = [];
    switch (change.type) {
      case "All": {
        const { dump } = change;
        const { epoch, seq } = store.now;
        // What this tab did not hear comes late. To one that opens, whatever is there is no news.
        if (met && dump.epoch === epoch)
          for (const item of dump.items)
            if (item.seq && item.seq > seq && item.seq <= dump.seq)
              told.unshift(["notification", item, { replayed: true }]);
        mirror = change.status;
        store.restore(dump);
        queue = joined(change.queue, was);
        // What that tab has already is not done twice.
        for (const act of queue) if (was.includes(act)) wish({ type: "Act", act });
        loads = change.loads;
        met = true;
        break;
      }
      case "Status":
        mirror = change.status ?? undefined;
        // What was asked of one that no longer leads does not come.
        if (!mirror) loads.clear();
        break;
      case "Load":
        loads.add(filterKey(change.filter));
        break;
      case "Page":
        if (change.found) store.page(change.found, change.filter, change.fresh, change.log);
        loads.delete(filterKey(change.filter));
        break;
      case "Act":
        queue = enqueue(queue, change.act, sent);
        break;
      case "ok":
      case "error":
        told.push(answered(change));
        break;
      default:
        // Another lineage of the log: its places mean something else.
        if (change.type === "hello")
          queue = queue.filter((one) => !one.epoch || !change.epoch || one.epoch === change.epoch);
        told.push(store.apply(change));
    }

    if (queue !== was && known) keep("queue", queue);
    if (keeps && !left && !dirty) {
      dirty = true;
      saving(SAVE, save);
    }
    owner.changed();
    for (const one of told) if (one) owner.tell(...one);
  };

  const ears: Ears<Change, Wish> = {
    onTold: take,
    onWish: owner.wished,
    onLost(robbed) {
      mirror = undefined;
      loads.clear();
      if (robbed) owner.robbed();
      else owner.changed();
    },
    all() {
      // What was asked of one that no longer leads does not come.
      if (mirror) loads.clear();
      mirror = undefined;
      met = true;
      return { type: "All", dump: store.now, queue, status: owner.status(), loads };
    },
  };

  const act = (change: Change) => {
    announce(change);
    take(change);
  };
  const loading = (filter: Filter) => loads.has(filterKey(filter));

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
    async open() {
      if (!keeps) return;
      left = false;
      const { locks, channel } = environment;
      const line = !tabs && options.shareTabs !== false && locks && channel?.(key);
      if (line) tabs = joinTabs(environment, locks, line, key, ears);
      const nothing = () => store.now.epoch === undefined && !store.now.items.length;
      known = false;
      const read = (what: string) => stored("get", key + what);
      const reading = Promise.all([nothing() && read("list"), read("queue")]).then(([dump, waiting]) => {
        if (known) return;
        if (dump) {
          if (nothing()) store.restore(dump as Dump);
          // The server said meanwhile that it is another user.
          if ((dump as Dump).user !== store.now.user) return;
        }
        known = true;
        if (!mirror) queue = joined((waiting ?? []) as Queue, queue);
        if (queue.length) keep("queue", queue);
        owner.changed();
        owner.flush();
      });
      await within(environment, PATIENCE, reading).catch(() => {});
    },
    lead: async () => tabs?.lead() ?? true,
    resign,
    announce,
    do: act,
    wish,
    loading,
    load(filter) {
      const begins = !loading(filter);
      if (begins) act({ type: "Load", filter });
      return begins;
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
