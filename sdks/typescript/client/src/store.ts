// The list, its counts and read state, as the server told them. Pure: frames and pages in, events out.

import { type Action, withActions } from "./actions.js";
import type { Answer, Counts, Frame, InboxPage, Item } from "./frame.js";
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
  epoch?: string | null | undefined;
  seq: number;
  rev: number;
  items: readonly Item[];
  /** Down to which place each filter was loaded. Absent: not at all. */
  loaded: Readonly<Record<string, number>>;
  /** Whether the list must be read from its beginning. */
  stale: boolean;
}

/** What came while a page was under way, with what was known before it, and where the stream was: it is done again on top. */
export type Log = [Frame, Known & { seq: number }][];

type Ok = Extract<Answer, { type: "ok" }>;

export interface Store {
  readonly now: Dump;
  /** Each notes what comes, as long as it is here. */
  readonly logs: Set<Log>;
  /** Begins anew, with what is given. */
  restore(dump?: Partial<Dump>): void;
  /** The items of a filter, of all that are shown: without a gap, as far as they were loaded. */
  view(shown: readonly Item[], filter: Filter): Item[];
  /** Down to which place a filter is loaded: 0 is the end, Infinity not at all. The default list holds unread ones too. */
  bottom(filter: Filter): number;
  /** Takes a page in. `fresh`: it is the first, in place of all there was. What came since, and is newer than it, is in the log. */
  page(page: InboxPage, filter: Filter, fresh?: boolean, log?: Log): void;
  /** Makes what was done part of what is. */
  commit(action: Action, ok: Ok): void;
  /** Takes a frame in; returns the event of it. */
  apply(frame: Frame): Told | undefined;
}

/** What there is before anything came. */
export const EMPTY: Dump = {
  user: null,
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
  const oldest = items.findLast((item) => item.seq !== null)?.seq ?? 0;
  const loaded = { ...dump.loaded };
  for (const key in loaded) loaded[key] = Math.max(loaded[key] as number, oldest);
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
  /** Up to where a log that had no name was told: its replay is no news up to there. */
  let toldTo = 0;
  /** Superseded, as if unread, though seen, and where: whether they had been read in time, receipts tell, or an answer. */
  const superseded = new Map<string, [Item, number]>();
  /** The head at which an answer says that they were read. What was superseded by then was not. */
  const readAt = new Map<string, number>();
  let room = maxItems;
  const logs = new Set<Log>();

  const find = (id: string) => now.items.find((item) => item.id === id);

  const remove = (id: string) => {
    now.items = now.items.filter((item) => item.id !== id);
  };

  /** Takes over some of what is told. */
  const adopt = <Name extends keyof Dump>(from: Pick<Dump, Name>, ...names: Name[]) => {
    for (const name of names) now[name] = from[name];
  };

  /** Of what was told so far, nothing is open. */
  const settle = () => {
    toldTo = 0;
    superseded.clear();
    readAt.clear();
  };

  /** The server lists it. */
  const listed = (item: Item) => {
    superseded.delete(item.id);
    readAt.delete(item.id);
    put(item);
  };

  /** Puts an item in its place, and its former self away. */
  const put = (item: Item) => {
    const items = now.items.filter((one) => one.id !== item.id);
    // Below the last one that is newer; what has no place is on top.
    const place = item.seq ?? Infinity;
    items.splice(items.findLastIndex((one) => (one.seq ?? 0) > place) + 1, 0, item);
    now.items = items;
  };

  /** An item is in the counts from now on, or no longer. */
  const count = (item: Item, by: 1 | -1) => {
    // An answer may have counted already what the stream has yet to tell.
    if (!item.read) now.unread = Math.max(0, now.unread + by);
    if (!item.seen) now.unseen = Math.max(0, now.unseen + by);
  };

  /** Counts as of `head`, and what was counted here above it. */
  const recount = (frame: Counts) => {
    adopt(frame, "head", "unread", "unseen");
    for (const item of now.items) {
      const seq = item.seq ?? 0;
      if (seq > now.head && seq <= counted) count(item, 1);
    }
    counted = Math.max(counted, now.head);
  };

  /** What lies between the places known so far and these is read, or seen. */
  const upTo = (known: Known) => {
    const within = (item: Item, to: "readUpTo" | "seenUpTo") =>
      (item.seq ?? 0) > now[to] && (item.seq ?? 0) <= known[to];
    // Read before it was superseded, or not at all: only the inbox tells.
    for (const [id, [item]] of superseded) now.stale ||= !find(id) && within(item, "readUpTo");
    now.items = now.items.map((item) => {
      const read = item.read || within(item, "readUpTo");
      const seen = item.seen || read || within(item, "seenUpTo");
      return read === item.read && seen === item.seen ? item : { ...item, read, seen };
    });
    adopt(known, "readUpTo", "seenUpTo");
  };

  const take = (frame: Frame): Told | undefined => {
    switch (frame.type) {
      case "hello":
        now.user = frame.user;
        replayed = frame.head;
        // Of another user than was shown, nothing goes on.
        replaying = frame.resumed && now.epoch !== undefined;
        if (replaying) {
          upTo(frame);
          if (now.epoch === null) {
            toldTo = now.seq;
            now.seq = frame.seq;
          }
          now.epoch = frame.epoch ?? now.epoch;
          // What a page, or a replay that broke, brought ahead of here comes again, if it is still there.
          now.items = now.items.filter((item) => (item.seq ?? 0) <= frame.seq);
        } else {
          counted = 0;
          settle();
          adopt(frame, "epoch", "seq", "rev", "readUpTo", "seenUpTo");
          // What comes from now on has no gap, though the rest is still to be read.
          now.loaded = { "": frame.seq + 1, ...now.loaded };
          now.stale = true;
        }
        now.loaded = frame.loaded ?? now.loaded;
        recount(frame);
        return;
      case "notification": {
        const { item, seq } = frame;
        const known = find(item.id);
        // Told again, by a surface that has no places.
        if (known && (seq === null || known.seq !== seq)) return;
        // One that has no place is always new.
        const place = seq ?? Infinity;
        // A page may have brought it before the stream does: then it is new all the same.
        const again = place <= Math.max(now.seq, toldTo);
        if (seq !== null) {
          now.seq = Math.max(now.seq, seq);
          if (seq > counted) {
            counted = seq;
            count(item, 1);
          }
        }
        put(item);
        return again ? undefined : ["notification", item, { replayed: place <= replayed }];
      }
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
        const { id, cause, by } = frame;
        now.seq = Math.max(now.seq, frame.seq);
        superseded.delete(id);
        const item = find(id);
        if (!item) return;
        // A replay tells only of what is gone, and what is read here may have been read after that.
        if (cause === "superseded" && !replaying) {
          superseded.set(id, [{ ...item, superseded: true, read: false, seen: true }, frame.seq]);
          if (item.read && frame.seq > (readAt.get(id) ?? 0)) {
            put({ ...item, superseded: true });
            return;
          }
        }
        remove(id);
        if (frame.seq > now.head) count(item, -1);
        return ["retract", { id, cause, by }];
      }
      case "receipts":
        upTo(frame);
        for (const said of frame.items) {
          // What is superseded can't be read any more: if it was, it had been read before.
          const item = find(said.id) ?? (said.read && superseded.get(said.id)?.[0]);
          if (item) listed({ ...item, ...said });
        }
        now.rev = Math.max(now.rev, frame.rev);
        recount(frame);
        return ["receipts", { unread: now.unread, unseen: now.unseen }];
      case "heartbeat":
        now.seq = frame.seq;
        now.epoch = frame.epoch ?? now.epoch;
        replaying = false;
        // Whatever was read by then has been told.
        for (const [id, [, at]] of superseded) if (at <= frame.head) superseded.delete(id);
        for (const [id, at] of readAt) if (at <= frame.head) readAt.delete(id);
        recount(frame);
        return;
      case "resync":
        settle();
        adopt(frame, "epoch", "seq");
        now.stale = true;
        return ["resync", { reason: frame.reason }];
    }
  };

  const bottom = ({ unread, archived }: Filter) => {
    const to = (filter: Filter) => now.loaded[filterKey(filter)] ?? Infinity;
    return Math.min(to({ unread, archived }), to({ archived }));
  };

  return {
    get now() {
      return now;
    },
    logs,
    restore(dump) {
      now = { ...EMPTY, ...dump };
      counted = replayed = now.head;
      settle();
      room = Math.max(maxItems, now.items.length);
    },
    view(shown, filter) {
      const last = bottom(filter);
      return shown.filter(
        (item) =>
          item.archived === !!filter.archived &&
          !(filter.unread && item.read) &&
          (item.seq ?? Infinity) >= last,
      );
    },
    bottom,
    page(page, filter, fresh, log = []) {
      const before = { ...now };
      // What a replay passed over while the page was on its way is gone.
      const from = log[0]?.[1].seq ?? now.seq;
      const items = page.items.filter(
        (item) =>
          (item.seq ?? 0) <= from || (item.seq ?? 0) > now.seq || find(item.id) || superseded.has(item.id),
      );
      if (fresh) {
        now.items = now.items.filter((item) => item.seq === null);
        superseded.clear();
        now.loaded = {};
        now.stale = false;
        room = maxItems;
      }
      adopt(page, "head", "unread", "unseen", "rev");
      counted = page.head;
      items.forEach(listed);
      now.loaded = { ...now.loaded, [filterKey(filter)]: page.older ?? 0 };
      room = Math.max(room, now.items.length);
      for (const [frame, known] of log)
        if (
          frame.type === "receipts" ? frame.rev > page.rev : "seq" in frame && (frame.seq ?? 0) > page.head
        ) {
          adopt(known, "readUpTo", "seenUpTo");
          take(frame);
        }
      // A page is ahead of the stream, which is where it was.
      adopt(before, "seq", "epoch", "readUpTo", "seenUpTo");
    },
    commit(action, ok) {
      const { id = "" } = action;
      const { changed, rev = 0, head = Infinity, unread } = ok;
      // What changed nothing was done before: how it is now, receipts tell.
      if (changed === false) return;
      // What is superseded can't be made unread: this was done before, so it is gone.
      if (action.action === "unread" && superseded.has(id)) remove(id);
      if (rev <= now.rev) return;
      // Whichever of these this reads had been read in time.
      for (const [item, at] of superseded.values()) if (at > head && !find(item.id)) put(item);
      const before = now.items;
      Object.assign(now, withActions(now, [action]));
      now.unread = unread ?? now.unread;
      if (head < Infinity)
        now.items.forEach((item, at) => {
          if (item.read && !before[at]?.read) readAt.set(item.id, head);
        });
      now.items = now.items.filter((item) => item.read || !item.superseded);
    },
    apply(frame) {
      const { readUpTo, seenUpTo, seq } = now;
      for (const log of logs) log.push([frame, { readUpTo, seenUpTo, seq }]);
      const told = take(frame);
      now = bounded(now, room);
      return told;
    },
  };
}
