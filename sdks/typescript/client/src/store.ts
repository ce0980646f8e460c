// The list, its counts and read state, as the server told them. Pure: frames and pages in, events out.

import { type Action, withActions } from "./actions.js";
import type { Counts, Frame, InboxPage, Item } from "./frame.js";
import type { Events, Filter } from "./types.js";

/** One event to tell, as arguments of `on`'s handlers. */
export type Told = { [Name in keyof Events]: [Name, ...Parameters<Events[Name]>] }[keyof Events];

/** Up to where the entries are read, and seen. */
interface Known {
  readUpTo: number;
  seenUpTo: number;
}

/** What a store holds, as plain data: for the cache, and for other tabs. */
export interface Dump extends Counts, Known {
  user: string | null;
  /** Null: of a log that had no name. Undefined: there is no position at all. */
  epoch: string | null | undefined;
  seq: number;
  rev: number;
  items: readonly Item[];
  /** How far down each filter was loaded: a place, or null for the end. Absent: not at all. */
  loaded: Readonly<Record<string, number | null>>;
  /** Whether the list must be read from its beginning. */
  stale: boolean;
}

/** What came while a page was under way, each with what was known before: it is done again on top of the page. */
export type Log = [Frame, Known][];

export interface Store {
  readonly now: Dump;
  /** Each notes what comes, as long as it is here. */
  readonly logs: Set<Log>;
  /** Begins anew, with what is given. */
  restore(dump?: Partial<Dump>): void;
  /** The items of a filter, of all that are shown: without a gap, as far as they were loaded. */
  view(shown: readonly Item[], filter: Filter): Item[];
  /** How far down a filter is loaded: a place, or null for the end. The default list holds unread ones too. */
  bottom(filter: Filter): number | null | undefined;
  /** Takes a page in. `fresh`: it is the first, in place of all there was. What came since, and is newer than it, is in the log. */
  page(page: InboxPage, filter: Filter, fresh: boolean, log: Log): void;
  /** Makes what was done part of what is. */
  commit(action: Action, unread?: number): void;
  /** Takes a frame in; returns the event of it. */
  apply(frame: Frame): Told | undefined;
}

/** What there is before anything came. */
export const EMPTY: Dump = {
  user: null,
  epoch: undefined,
  seq: 0,
  rev: 0,
  readUpTo: 0,
  seenUpTo: 0,
  head: 0,
  unread: 0,
  unseen: 0,
  items: [],
  loaded: {},
  stale: true,
};

/** The name of a filter: the key of `loaded`. */
export function filterKey({ unread, archived }: Filter): string {
  return (unread ? "u" : "") + (archived ? "a" : "");
}

/** With the newest `most` items. No filter is then loaded further down than the items that are left. */
export function bounded(dump: Dump, most: number): Dump {
  if (dump.items.length <= most) return dump;
  const items = dump.items.slice(0, most);
  const oldest = items.findLast(({ seq }) => seq !== null)?.seq ?? 0;
  const loaded = { ...dump.loaded };
  for (const key in loaded) loaded[key] = Math.max(loaded[key] ?? 0, oldest);
  return { ...dump, items, loaded };
}

/** At most `maxItems` stay, but for those that pages bring. */
export function createStore(maxItems: number): Store {
  let now: Dump = { ...EMPTY };
  /** Up to this place, entries are in the counts. */
  let counted = 0;
  /** What is not above this place comes late. */
  let replayed = 0;
  /** Between a resumed hello and the heartbeat that ends its replay. */
  let replaying = false;
  let room = maxItems;
  const logs = new Set<Log>();

  const find = (id: string) => now.items.find((item) => item.id === id);

  /** Puts an item in its place, or in place of its former self. */
  const put = (item: Item) => {
    const items = [...now.items];
    const at = items.findIndex(({ id }) => id === item.id);
    // Below the last one that is newer; what has no place is on top, and stays where it came.
    const place = item.seq ?? Infinity;
    if (at < 0) items.splice(items.findLastIndex(({ seq }) => (seq ?? 0) > place) + 1, 0, item);
    else items[at] = item;
    now.items = items;
  };

  /** An item is in the counts from now on, or no longer. */
  const count = ({ read, seen }: Item, by: 1 | -1) => {
    now.unread = Math.max(0, now.unread + (read ? 0 : by));
    now.unseen = Math.max(0, now.unseen + (seen ? 0 : by));
  };

  /** Counts as of `head`, and what was counted here above it. */
  const recount = ({ head, unread, unseen }: Counts) => {
    Object.assign(now, { head, unread, unseen });
    for (const item of now.items) if (item.seq && item.seq > head && item.seq <= counted) count(item, 1);
    counted = Math.max(counted, head);
  };

  /** What lies between the places known so far and these is read, or seen. */
  const upTo = ({ readUpTo, seenUpTo }: Known) => {
    const { readUpTo: readTo, seenUpTo: seenTo } = now;
    now.items = now.items.map((item) => {
      const seq = item.seq ?? 0;
      const read = item.read || (seq > readTo && seq <= readUpTo);
      const seen = item.seen || read || (seq > seenTo && seq <= seenUpTo);
      return read === item.read && seen === item.seen ? item : { ...item, read, seen };
    });
    Object.assign(now, { readUpTo, seenUpTo });
  };

  const arrives = (seq: number | null, item: Item): Told | undefined => {
    const known = find(item.id);
    // Told again, by a surface that has no places.
    if (known && (seq === null || known.seq !== seq)) return;
    // A page may have brought it before the stream does: then it is new all the same.
    const again = seq !== null && seq <= now.seq;
    now.seq = Math.max(now.seq, seq ?? 0);
    if (seq !== null && seq > counted) {
      counted = seq;
      count(item, 1);
    }
    put(item);
    return again ? undefined : ["notification", item, { replayed: seq !== null && seq <= replayed }];
  };

  const take = (frame: Frame): Told | undefined => {
    switch (frame.type) {
      case "greeting":
        now.user = frame.user;
        now.loaded = { "": null, u: null, a: null };
        return;
      case "hello": {
        const { user, epoch, seq, rev, readUpTo, seenUpTo } = frame;
        now.user = user;
        replayed = frame.head;
        replaying = frame.resumed;
        if (replaying) {
          upTo(frame);
          now.epoch = epoch ?? now.epoch;
          // What a page, or a replay that broke, brought ahead of here comes again, if it is still there.
          now.items = now.items.filter((item) => (item.seq ?? 0) <= seq);
        } else {
          counted = 0;
          // What comes from now on has no gap, though the rest is still to be read.
          const loaded = { "": seq + 1, ...now.loaded };
          Object.assign(now, { epoch, seq, rev, readUpTo, seenUpTo, loaded, stale: true });
        }
        recount(frame);
        return;
      }
      case "notification":
        return arrives(frame.seq, frame.item);
      case "update": {
        now.seq = Math.max(now.seq, frame.seq);
        const old = find(frame.item.id);
        if (!old) return;
        const { seen, read, archived } = old;
        const item = { ...frame.item, seen, read, archived };
        put(item);
        return ["update", item];
      }
      case "retract": {
        const { id, cause, by, seq } = frame;
        now.seq = Math.max(now.seq, seq);
        const item = find(id);
        if (!item) return;
        // A replay tells only of what is gone, and what is read here may have been read after that.
        if (cause === "superseded" && item.read && !replaying) {
          put({ ...item, superseded: true });
          return;
        }
        now.items = now.items.filter((one) => one !== item);
        if (seq > now.head) count(item, -1);
        return ["retract", { id, cause, by }];
      }
      case "receipts":
        upTo(frame);
        for (const { id, seen, read, archived } of frame.items) {
          const item = find(id);
          if (item) put({ ...item, seen, read, archived });
        }
        now.rev = Math.max(now.rev, frame.rev);
        recount(frame);
        return ["receipts", { unread: now.unread, unseen: now.unseen }];
      case "heartbeat":
        now.seq = frame.seq;
        now.epoch = frame.epoch ?? now.epoch;
        replaying = false;
        recount(frame);
        return;
      case "resync": {
        const { epoch, seq, reason } = frame;
        Object.assign(now, { epoch, seq, stale: true });
        return ["resync", { reason }];
      }
    }
  };

  const bottom: Store["bottom"] = (filter) => {
    const own = now.loaded[filterKey(filter)];
    const wider = now.loaded[filterKey({ archived: filter.archived })];
    if (own === null || wider === null) return null;
    return own === undefined ? wider : Math.min(own, wider ?? own);
  };

  return {
    get now() {
      return now;
    },
    logs,
    restore(dump) {
      now = { ...EMPTY, ...dump };
      counted = replayed = now.head;
      room = Math.max(maxItems, now.items.length);
    },
    view(shown, filter) {
      const last = bottom(filter);
      return shown.filter(
        ({ archived, read, seq }) =>
          archived === !!filter.archived &&
          !(filter.unread && read) &&
          (seq ?? Infinity) >= (last === undefined ? Infinity : (last ?? 0)),
      );
    },
    bottom,
    page({ head, unread, unseen, rev, items, older }, filter, fresh, log) {
      const { seq, epoch, readUpTo, seenUpTo, loaded, stale } = now;
      if (fresh) {
        now.items = now.items.filter((item) => item.seq === null);
        room = maxItems;
      }
      Object.assign(now, { head, unread, unseen, rev, stale: stale && !fresh });
      now.loaded = { ...(fresh ? {} : loaded), [filterKey(filter)]: older };
      counted = head;
      items.forEach(put);
      room = Math.max(room, now.items.length);
      for (const [frame, known] of log)
        if (frame.type === "receipts" ? frame.rev > rev : "seq" in frame && (frame.seq ?? 0) > head) {
          Object.assign(now, known);
          take(frame);
        }
      // A page is ahead of the stream, which is where it was.
      Object.assign(now, { seq, epoch, readUpTo, seenUpTo });
    },
    commit(action, unread) {
      Object.assign(now, withActions(now, [action]));
      now.unread = unread ?? now.unread;
    },
    apply(frame) {
      const { readUpTo, seenUpTo } = now;
      for (const log of logs) log.push([frame, { readUpTo, seenUpTo }]);
      const told = take(frame);
      now = bounded(now, room);
      return told;
    },
  };
}
