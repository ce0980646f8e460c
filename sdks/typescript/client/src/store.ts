// The list, its counts and read state, as the server told them. Pure: frames and pages in, events out.

import { type Action, withActions } from "./actions.js";
import type { Counts, Frame, InboxPage, Item } from "./frame.js";
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
  /** Ids that a page held ahead of the stream when that broke: they go, unless the replay repeats them. */
  doubtful: readonly string[];
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
  doubtful: [],
};

/** The name of a filter: the key of `loaded`. */
export function filterKey({ unread, archived }: Filter): string {
  return (unread ? "u" : "") + (archived ? "a" : "");
}

export class Store {
  now: Dump = { ...EMPTY };
  /** Up to this place, entries are in the counts. */
  #counted = 0;
  /** What is not above this place comes late. */
  #replayed = 0;
  /** Between a resumed hello and the heartbeat that ends its replay. */
  #replaying = false;
  /** How many items may stay: the option, or as many as were asked for. */
  #room: number;
  readonly #logs = new Set<Log>();

  constructor(readonly maxItems: number) {
    this.#room = maxItems;
  }

  get position(): Position | null {
    const { epoch, seq, rev, placed } = this.now;
    return placed && epoch !== null ? { epoch, seq, rev } : null;
  }

  /** As plain data, with the newest `most` items. */
  dump(most: number): Dump {
    const { items, loaded } = this.now;
    if (items.length <= most) return this.now;
    const kept = items.slice(0, most);
    return { ...this.now, items: kept, loaded: raised(loaded, kept) };
  }

  restore(dump: Dump = EMPTY): void {
    this.now = { ...EMPTY, ...dump };
    this.#counted = this.#replayed = dump.head;
    this.#room = Math.max(this.maxItems, dump.items.length);
  }

  /** The items of a filter, of all that are `shown`: without a gap, as far as they were loaded. */
  view(shown: readonly Item[], filter: Filter): Item[] {
    const bottom = this.bottom(filter);
    return shown.filter(
      (item) =>
        item.archived === !!filter.archived &&
        !(filter.unread && item.read) &&
        (item.seq ?? Infinity) >= (bottom === undefined ? Infinity : (bottom ?? 0)),
    );
  }

  /** How far down a filter is loaded: a place, or null for the end. The default list holds unread ones too. */
  bottom(filter: Filter): number | null | undefined {
    const { loaded } = this.now;
    const own = loaded[filterKey(filter)];
    const wider = filter.unread ? loaded[filterKey({ ...filter, unread: false })] : own;
    if (own === null || wider === null) return null;
    return own === undefined || wider === undefined ? (own ?? wider) : Math.min(own, wider);
  }

  /** Begins to note what comes, until `forget`. */
  log(): Log {
    const { readUpTo, seenUpTo } = this.now;
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
  page(page: InboxPage, filter: Filter, fresh: boolean, log: Log): void {
    const { now } = this;
    const { items: old, loaded, doubtful, ...before } = now;
    const counted = this.#counted;
    if (fresh) {
      const { head, unread, unseen, rev } = page;
      const items = old.filter((item) => item.seq === null);
      Object.assign(now, { items, head, unread, unseen, rev });
      this.#room = this.maxItems;
      this.#counted = head;
    }
    for (const item of page.items) this.#put(item);
    const held = new Set(page.items.map(({ id }) => id));
    now.doubtful = doubtful.filter((id) => !held.has(id));
    now.loaded = { ...(fresh ? {} : loaded), [filterKey(filter)]: page.older };
    this.#room = Math.max(this.#room, now.items.length);
    now.readUpTo = log.readUpTo;
    now.seenUpTo = log.seenUpTo;
    for (const frame of log.frames) {
      const receipts = frame.type === "receipts";
      if (receipts ? frame.rev > page.rev : "seq" in frame && frame.seq !== null && frame.seq > page.head) {
        if (fresh || frame.type !== "notification") this.#take(frame);
      } else if (receipts) {
        now.readUpTo = frame.readUpTo;
        now.seenUpTo = frame.seenUpTo;
      }
    }
    const { seq, epoch, readUpTo, seenUpTo } = before;
    Object.assign(now, fresh ? { seq, epoch, readUpTo, seenUpTo, stale: false } : before);
    if (!fresh) this.#counted = counted;
  }

  /** Makes what was done part of what is. */
  commit(action: Action, unread?: number): void {
    Object.assign(this.now, withActions(this.now, [action]));
    this.now.unread = unread ?? this.now.unread;
  }

  /** Takes a frame in; returns the events of it. */
  apply(frame: Frame): Told[] {
    for (const log of this.#logs) log.frames.push(frame);
    const told = this.#take(frame);
    this.now = this.dump(this.#room);
    return told ? [told] : [];
  }

  #take(frame: Frame): Told | undefined {
    const { now } = this;
    switch (frame.type) {
      case "greeting":
        now.user = frame.user;
        now.loaded = { "": null, u: null, a: null };
        return;
      case "hello": {
        const { user, epoch, seq, rev, readUpTo, seenUpTo, resumed } = frame;
        now.user = user;
        this.#replayed = frame.head;
        this.#replaying = resumed;
        if (resumed) {
          this.#upTo(frame);
          now.epoch = epoch ?? now.epoch;
          // A replay that broke had come as far as this: what it left out is gone.
          this.#settle(seq);
          now.doubtful = now.items.filter((item) => (item.seq ?? 0) > seq).map(({ id }) => id);
        } else {
          this.#counted = 0;
          // What comes from now on has no gap, though the rest is still to be read.
          const loaded = { "": seq + 1, ...now.loaded };
          Object.assign(now, {
            epoch,
            seq,
            rev,
            readUpTo,
            seenUpTo,
            loaded,
            placed: true,
            stale: true,
            doubtful: [],
          });
        }
        return this.#counts(frame);
      }
      case "arrival": {
        // What comes later is higher.
        const seq = Math.max(now.seq + 1, Date.parse(frame.item.timestamp) || 0);
        return this.#notification(seq, { ...frame.item, seq });
      }
      case "notification":
        return this.#notification(frame.seq, frame.item);
      case "update": {
        this.#reached(frame.seq);
        const old = this.#find(frame.item.id);
        if (!old) return;
        const { seen, read, archived } = old;
        const item = { ...frame.item, seen, read, archived };
        this.#put(item);
        return ["update", item];
      }
      case "retract":
        return this.#retract(frame);
      case "receipts": {
        this.#upTo(frame);
        for (const { id, seen, read, archived } of frame.items) {
          const item = this.#find(id);
          if (item) this.#put({ ...item, seen, read, archived });
        }
        now.rev = Math.max(now.rev, frame.rev);
        this.#counts(frame);
        return ["receipts", { unread: now.unread, unseen: now.unseen }];
      }
      case "heartbeat":
        now.seq = frame.seq;
        now.epoch = frame.epoch ?? now.epoch;
        this.#settle(frame.seq);
        this.#replaying = false;
        return this.#counts(frame);
      case "resync":
        now.seq = frame.seq;
        now.epoch = frame.epoch;
        now.stale = true;
        now.doubtful = [];
        return ["resync", { reason: frame.reason }];
    }
  }

  #notification(seq: number | null, item: Item): Told | undefined {
    const { now } = this;
    const known = this.#find(item.id);
    // Told again, by a surface that has no places.
    if (known && (seq === null || known.seq !== seq)) return;
    // A page may have brought it before the stream does: then it is new all the same.
    const again = known && (seq ?? 0) <= now.seq;
    this.#assure(item.id);
    this.#reached(seq ?? 0);
    if (seq !== null && seq > this.#counted) {
      this.#counted = seq;
      now.unread += Number(!item.read);
      now.unseen += Number(!item.seen);
    }
    this.#put(item);
    if (!again) return ["notification", item, { replayed: seq !== null && seq <= this.#replayed }];
  }

  #retract({ id, cause, by, seq }: Frame & { type: "retract" }): Told | undefined {
    const { now } = this;
    this.#reached(seq);
    const item = this.#find(id);
    if (!item) return;
    // A replay tells only of what is gone, and what is read here may have been read after that.
    if (cause === "superseded" && item.read && !this.#replaying) {
      this.#put({ ...item, superseded: true });
      return;
    }
    now.items = now.items.filter((one) => one !== item);
    if (seq > now.head) {
      now.unread = Math.max(0, now.unread - Number(!item.read));
      now.unseen = Math.max(0, now.unseen - Number(!item.seen));
    }
    return ["retract", { id, cause, by }];
  }

  #reached(seq: number): void {
    this.now.seq = Math.max(this.now.seq, seq);
  }

  /** It is there: the server said so. */
  #assure(id: string): void {
    const { now } = this;
    if (now.doubtful.includes(id)) now.doubtful = now.doubtful.filter((one) => one !== id);
  }

  /** Everything up to this place was replayed. */
  #settle(place: number): void {
    const { now } = this;
    if (!now.doubtful.length) return;
    const gone = new Set(
      now.items.filter(({ id, seq }) => (seq ?? 0) <= place && now.doubtful.includes(id)).map(({ id }) => id),
    );
    now.items = now.items.filter(({ id }) => !gone.has(id));
    now.doubtful = now.doubtful.filter((id) => !gone.has(id));
  }

  /** What lies between the places known so far and these is read, or seen. */
  #upTo({ readUpTo, seenUpTo }: { readUpTo: number; seenUpTo: number }): void {
    const { now } = this;
    const within = (seq: number | null, from: number, to: number) => seq !== null && seq > from && seq <= to;
    now.items = now.items.map((item) => {
      const read = item.read || within(item.seq, now.readUpTo, readUpTo);
      const seen = item.seen || read || within(item.seq, now.seenUpTo, seenUpTo);
      return read === item.read && seen === item.seen ? item : { ...item, read, seen };
    });
    now.readUpTo = readUpTo;
    now.seenUpTo = seenUpTo;
  }

  /** Counts as of `head`, and what was counted here above it. */
  #counts({ head, unread, unseen }: Counts): undefined {
    Object.assign(this.now, { head, unread, unseen });
    for (const { seq, read, seen } of this.now.items) {
      if (seq === null || seq <= head || seq > this.#counted) continue;
      this.now.unread += Number(!read);
      this.now.unseen += Number(!seen);
    }
    this.#counted = Math.max(this.#counted, head);
  }

  /** Puts an item in its place, or in place of its former self. */
  #put(item: Item): void {
    const items = this.now.items.slice();
    let at = items.findIndex((one) => one.id === item.id);
    const known = Number(at >= 0);
    if (!known && item.seq !== null) {
      // Below the last one that is newer; what has no place stays where it came.
      for (const [index, { seq }] of items.entries()) {
        if (seq !== null && seq < item.seq) break;
        if (seq !== null) at = index;
      }
    }
    items.splice(known ? at : at + 1, known, item);
    this.now.items = items;
  }

  #find(id: string): Item | undefined {
    return this.now.items.find((item) => item.id === id);
  }
}

/** No filter is loaded further down than the items that are left. */
function raised(loaded: Dump["loaded"], items: readonly Item[]): Dump["loaded"] {
  const oldest = items.findLast((item) => item.seq !== null)?.seq ?? 0;
  return Object.fromEntries(
    Object.entries(loaded).map(([key, bottom]) => [key, Math.max(bottom ?? 0, oldest)]),
  );
}
