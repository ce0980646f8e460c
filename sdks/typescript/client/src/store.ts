// The list, its counts and read state, as the server told them. Pure: frames and pages in, events out.

import { type Action, type Shown, withActions } from "./actions.js";
import type { Counts, Frame, Hello, InboxPage, Item, Receipts } from "./frame.js";
import type { Events, Filter, Position } from "./types.js";

/** One event to tell, as arguments of `on`'s handlers. */
export type Told = { [Name in keyof Events]: [Name, ...Parameters<Events[Name]>] }[keyof Events];

/** What a store holds, as plain data: for the cache, and for other tabs. */
export interface Dump extends Counts {
  user: string | null;
  epoch: string | null;
  seq: number;
  rev: number;
  readUpTo: number;
  seenUpTo: number;
  items: readonly Item[];
  /** How far down each filter was loaded: a place, or null for the end. Absent: not at all. */
  loaded: Readonly<Record<string, number | null>>;
  /** Whether there was a position at all. */
  placed: boolean;
  /** Whether the list must be read from its beginning. */
  stale: boolean;
}

/** What came while a page was under way, to be done again on top of it. */
export interface Log {
  readUpTo: number;
  seenUpTo: number;
  frames: Frame[];
}

const EMPTY: Dump = {
  user: null,
  epoch: null,
  seq: 0,
  rev: 0,
  readUpTo: 0,
  seenUpTo: 0,
  head: 0,
  unread: 0,
  unseen: 0,
  items: [],
  loaded: {},
  placed: false,
  stale: true,
};

/** The name of a filter: the key of `loaded`. */
export function filterKey({ unread, archived }: Filter): string {
  return (unread ? "u" : "") + (archived ? "a" : "");
}

export class Store {
  #now: Dump = EMPTY;
  /** Up to this place, entries are in the counts. */
  #counted = 0;
  /** What is not above this place comes late. */
  #replayed = 0;
  /** How many items may stay: the option, or as many as were asked for. */
  #room: number;

  readonly #logs = new Set<Log>();

  constructor(readonly maxItems: number) {
    this.#room = maxItems;
  }

  get now(): Dump {
    return this.#now;
  }

  get user(): string | null {
    return this.#now.user;
  }

  get position(): Position | null {
    const { epoch, seq, rev, placed } = this.#now;
    return placed && epoch !== null ? { epoch, seq, rev } : null;
  }

  /** As plain data, with the newest `most` items. */
  dump(most = Number.POSITIVE_INFINITY): Dump {
    const { items, loaded } = this.#now;
    if (items.length <= most) return this.#now;
    const kept = items.slice(0, most);
    return { ...this.#now, items: kept, loaded: raised(loaded, kept) };
  }

  restore(dump: Dump | undefined): void {
    this.#now = dump ?? EMPTY;
    this.#counted = this.#replayed = this.#now.head;
    this.#room = Math.max(this.maxItems, this.#now.items.length);
  }

  /** Goes on from `position`, without a list. */
  resume({ epoch, seq, rev }: Position): void {
    this.#now = { ...EMPTY, epoch, seq, rev, placed: true };
  }

  /** The items of a filter, of all that are `shown`: without a gap, as far as they were loaded. */
  view(shown: readonly Item[], filter: Filter): Item[] {
    const bottom = this.bottom(filter);
    return shown.filter(
      (item) =>
        item.archived === !!filter.archived &&
        !(filter.unread && item.read) &&
        (item.seq === null || bottom === null || (bottom !== undefined && item.seq >= bottom)),
    );
  }

  /** How far down a filter is loaded. The default list holds unread ones too. */
  bottom(filter: Filter): number | null | undefined {
    const { loaded } = this.#now;
    const own = loaded[filterKey(filter)];
    if (!filter.unread) return own;
    const wider = loaded[filterKey({ archived: filter.archived })];
    if (own === null || wider === null) return null;
    return own === undefined ? wider : wider === undefined ? own : Math.min(own, wider);
  }

  /** Begins to note what comes, until `page` is given the log, or `forget`. */
  log(): Log {
    const { readUpTo, seenUpTo } = this.#now;
    const log: Log = { readUpTo, seenUpTo, frames: [] };
    this.#logs.add(log);
    return log;
  }

  forget(log: Log): void {
    this.#logs.delete(log);
  }

  /**
   * Takes a page in. `fresh`: it is the first, in place of all there was. What came since it was asked for, and is newer than it, is done
   * again.
   */
  page(page: InboxPage, key: string, fresh: boolean, log: Log): void {
    const before = this.#now;
    const counted = this.#counted;
    if (fresh) {
      const { head, unread, unseen, rev } = page;
      this.#room = this.maxItems;
      const items = before.items.filter((item) => item.seq === null);
      this.#now = { ...before, items, head, unread, unseen, rev, loaded: {}, stale: false };
      this.#counted = head;
    }
    for (const item of page.items) this.#put(item);
    this.#set({ loaded: { ...this.#now.loaded, [key]: page.older } });
    this.#room = Math.max(this.#room, this.#now.items.length);
    this.#set({ readUpTo: log.readUpTo, seenUpTo: log.seenUpTo });
    for (const frame of log.frames) {
      if (frame.type === "receipts") {
        if (frame.rev > page.rev) this.#receipts(frame);
        else this.#set({ readUpTo: frame.readUpTo, seenUpTo: frame.seenUpTo });
      } else if ("seq" in frame && frame.seq !== null && frame.seq > page.head) {
        if (fresh || frame.type !== "notification") this.#take(frame);
      }
    }
    const { seq, epoch, readUpTo, seenUpTo } = before;
    this.#set({ seq, epoch, readUpTo, seenUpTo });
    if (!fresh) {
      const { head, unread, unseen, rev } = before;
      this.#set({ head, unread, unseen, rev });
      this.#counted = counted;
    }
  }

  /** Makes what was done part of what is. */
  commit(action: Action, unread?: number): void {
    const next: Shown = withActions(this.#now, [action]);
    this.#set({ ...next, ...(unread === undefined ? {} : { unread }) });
  }

  /** Takes a frame in; returns the events of it. */
  apply(frame: Frame): Told[] {
    for (const log of this.#logs) log.frames.push(frame);
    const told = this.#take(frame);
    this.#trim();
    return told;
  }

  #take(frame: Frame): Told[] {
    const { seq } = this.#now;
    if (
      (frame.type === "update" || frame.type === "retract" || frame.type === "notification") &&
      frame.seq !== null
    )
      this.#set({ seq: Math.max(seq, frame.seq) });
    switch (frame.type) {
      case "hello":
        this.#hello(frame);
        return [];
      case "greeting":
        this.#set({ user: frame.user, loaded: { "": null, u: null, a: null } });
        return [];
      case "notification":
        return this.#notification(frame.seq, frame.item);
      case "arrival": {
        // What comes later is higher.
        const place = Math.max(seq + 1, Date.parse(frame.item.timestamp) || 0);
        this.#set({ seq: place });
        return this.#notification(place, { ...frame.item, seq: place });
      }
      case "update": {
        const old = this.#find(frame.item.id);
        if (!old) return [];
        const { seen, read, archived } = old;
        const item = { ...frame.item, seen, read, archived };
        this.#put(item);
        return [["update", item]];
      }
      case "retract":
        return this.#retract(frame);
      case "receipts":
        this.#receipts(frame);
        return [["receipts", { unread: this.#now.unread, unseen: this.#now.unseen }]];
      case "heartbeat":
        this.#set({ seq: frame.seq, epoch: frame.epoch ?? this.#now.epoch });
        this.#counts(frame);
        return [];
      case "resync":
        this.#set({ seq: frame.seq, epoch: frame.epoch, stale: true });
        return [["resync", { reason: frame.reason }]];
      default:
        return [];
    }
  }

  #hello(hello: Hello): void {
    this.#set({ user: hello.user });
    this.#replayed = hello.head;
    if (hello.resumed) {
      this.#upTo(hello);
      this.#counts(hello);
      return;
    }
    const { epoch, seq, rev, head, unread, unseen, readUpTo, seenUpTo } = hello;
    this.#counted = head;
    this.#set({ epoch, seq, rev, head, unread, unseen, readUpTo, seenUpTo });
    this.#set({ placed: true, stale: true });
  }

  #notification(seq: number | null, item: Item): Told[] {
    const known = this.#find(item.id);
    // Told again, by a surface that has no places.
    if (known && (seq === null || known.seq !== seq)) return [];
    if (seq !== null && seq > this.#counted) {
      this.#counted = seq;
      const { unread, unseen } = this.#now;
      this.#set({ unread: unread + Number(!item.read), unseen: unseen + Number(!item.seen) });
    }
    this.#put(item);
    return known ? [] : [["notification", item, { replayed: seq !== null && seq <= this.#replayed }]];
  }

  #retract(frame: Frame & { type: "retract" }): Told[] {
    const { id, cause, by, seq } = frame;
    const item = this.#find(id);
    if (!item) return [];
    if (cause === "superseded" && item.read) {
      this.#put({ ...item, superseded: true });
      return [];
    }
    const { items, unread, unseen, head } = this.#now;
    this.#set({ items: items.filter((one) => one !== item) });
    if (seq > head)
      this.#set({
        unread: Math.max(0, unread - Number(!item.read)),
        unseen: Math.max(0, unseen - Number(!item.seen)),
      });
    return [["retract", by === undefined ? { id, cause } : { id, cause, by }]];
  }

  #receipts(frame: Receipts): void {
    this.#upTo(frame);
    const states = new Map(frame.items.map((one) => [one.id, one]));
    const items = this.#now.items.map((item) => {
      const state = states.get(item.id);
      if (!state) return item;
      const { seen, read, archived } = state;
      return { ...item, seen, read, archived };
    });
    this.#set({ items, rev: Math.max(this.#now.rev, frame.rev) });
    this.#counts(frame);
  }

  /** What lies between the places known so far and these is read, or seen. */
  #upTo({ readUpTo, seenUpTo }: { readUpTo: number; seenUpTo: number }): void {
    const was = this.#now;
    const items = was.items.map((item) => {
      if (item.seq === null) return item;
      const read = item.read || (item.seq > was.readUpTo && item.seq <= readUpTo);
      const seen = item.seen || read || (item.seq > was.seenUpTo && item.seq <= seenUpTo);
      return read === item.read && seen === item.seen ? item : { ...item, read, seen };
    });
    this.#set({ items, readUpTo, seenUpTo });
  }

  /** Counts as of `head`, and what was counted here above it. */
  #counts({ head, unread, unseen }: Counts): void {
    const above = this.#now.items.filter(
      (item) => item.seq !== null && item.seq > head && item.seq <= this.#counted,
    );
    this.#counted = Math.max(this.#counted, head);
    this.#set({
      head,
      unread: unread + above.filter((item) => !item.read).length,
      unseen: unseen + above.filter((item) => !item.seen).length,
    });
  }

  /** Puts an item in its place, or in place of its former self. */
  #put(item: Item): void {
    const items = this.#now.items.slice();
    const at = items.findIndex((one) => one.id === item.id);
    if (at >= 0) {
      items[at] = item;
    } else {
      let place = 0;
      if (item.seq !== null) {
        for (const [index, { seq }] of items.entries()) {
          if (seq === null) continue;
          if (seq < item.seq) break;
          place = index + 1;
        }
      }
      items.splice(place, 0, item);
    }
    this.#set({ items });
  }

  #trim(): void {
    if (this.#now.items.length > this.#room) this.#now = this.dump(this.#room);
  }

  #find(id: string): Item | undefined {
    return this.#now.items.find((item) => item.id === id);
  }

  #set(change: Partial<Dump>): void {
    this.#now = { ...this.#now, ...change };
  }
}

/** No filter is loaded further down than the items that are left. */
function raised(loaded: Dump["loaded"], items: readonly Item[]): Dump["loaded"] {
  const oldest = items.findLast((item) => item.seq !== null)?.seq ?? 0;
  return Object.fromEntries(
    Object.entries(loaded).map(([key, bottom]) => [key, bottom === null ? oldest : Math.max(bottom, oldest)]),
  );
}
