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

/**
 * The queue with one more: in order, the last word on an entry in place of the former ones that are not `sent` yet. The same queue if
 * it was there already.
 */
export function enqueue(
  queue: readonly Action[],
  action: Action,
  sent: ReadonlySet<string>,
): readonly Action[] {
  if (queue.some((one) => one.key === action.key)) return queue;
  const replaced = (one: Action) =>
    !sent.has(one.key) && one.id === action.id && (action.id !== undefined || one.action === action.action);
  return [...queue.filter((one) => !replaced(one)), action];
}

/** Whether an `ok` says more than is known up to `rev`. What changed nothing was done before: how it is now, receipts tell. */
export function isNews(ok: { changed?: boolean; rev?: number }, rev: number): boolean {
  return ok.changed !== false && (ok.rev ?? 0) > rev;
}

/** The list as it will be once `actions` are done. Items that they don't change stay the same objects. */
export function withActions(shown: Shown, actions: readonly Action[]): Shown {
  let { items, unread, unseen } = shown;
  for (const { action, id, upTo = 0 } of actions) {
    if (id !== undefined) {
      const at = items.findIndex((item) => item.id === id);
      const item = items[at];
      if (!item) continue;
      const read = action !== "unread";
      const next: Item = {
        ...item,
        read,
        seen: item.seen || read,
        archived: action === "archive" || (read && item.archived),
      };
      if (item.seq !== null) {
        unread += Number(!next.read) - Number(!item.read);
        unseen -= Number(next.seen) - Number(item.seen);
      }
      items = items.map((one) => (one === item ? next : one));
    } else {
      const all = action === "read_all";
      const newer = items.filter((item) => item.seq !== null && item.seq > upTo);
      items = items.map((item) =>
        (item.seq ?? 0) > upTo || (item.seen && (item.read || !all))
          ? item
          : { ...item, seen: true, read: item.read || all },
      );
      unseen = newer.filter((item) => !item.seen).length;
      if (all) unread = newer.filter((item) => !item.read).length;
    }
  }
  return { items, unread: Math.max(0, unread), unseen: Math.max(0, unseen) };
}
