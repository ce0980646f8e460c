// What the user did and the server has not confirmed yet: a queue, and what the list looks like with it.

import type { Item } from "./frame.js";

/** At most so many wait; one more is refused. */
export const MOST_ACTIONS = 1_000;

/** One thing that the user did. Repeated under its `key`, it is done once. */
export interface Action {
  readonly key: string;
  readonly action: "read" | "unread" | "archive" | "read_all" | "seen";
  readonly id?: string;
  /** Of `read_all` and `seen`: the place up to which, in `epoch`. */
  readonly upTo?: number;
  readonly epoch?: string | null;
}

/** Items, newest first, and their counts. */
export interface Shown {
  readonly items: readonly Item[];
  readonly unread: number;
  readonly unseen: number;
}

export type Queue = readonly Action[];

/**
 * The queue with one more: in order, the last word on an entry in place of the former ones that are not `sent` yet. The same queue if
 * it was there already.
 */
export function enqueue(queue: Queue, last: Action, sent: ReadonlySet<string>): Queue {
  if (queue.some((one) => one.key === last.key)) return queue;
  const stays = (one: Action) =>
    sent.has(one.key) || one.id !== last.id || (last.id === undefined && one.action !== last.action);
  return [...queue.filter(stays), last];
}

/** The list as it will be once `actions` are done. Items that they don't change stay the same objects. */
export function withActions({ items, unread, unseen }: Shown, actions: Queue): Shown {
  for (const { action, id, upTo = 0 } of actions) {
    const forth = action !== "unread";
    items = items.map((item) => {
      if (id === undefined ? (item.seq ?? 0) > upTo : item.id !== id) return item;
      const read = action === "seen" ? item.read : forth;
      const seen = item.seen || forth;
      const archived = action === "archive" || (forth && item.archived);
      if (read === item.read && seen === item.seen && archived === item.archived) return item;
      if (item.seq !== null) {
        unread += +item.read - +read;
        unseen += +item.seen - +seen;
      }
      return { ...item, read, seen, archived };
    });
    // Those beneath the loaded ones too.
    if (id === undefined) {
      const newer = items.filter((item) => (item.seq ?? 0) > upTo);
      unseen = newer.filter((item) => !item.seen).length;
      if (action === "read_all") unread = newer.filter((item) => !item.read).length;
    }
  }
  return { items, unread: Math.max(0, unread), unseen: Math.max(0, unseen) };
}
