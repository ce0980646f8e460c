// What a page shows of a session. Objects stay the same as long as nothing in them changed.

import { type Shown, withActions } from "./actions.js";
import type { Session, Status } from "./session.js";
import { EMPTY, filterKey } from "./store.js";
import type { Filter, List, Snapshot } from "./types.js";

export interface View {
  list(filter?: Filter): List;
  getSnapshot(): Snapshot;
  /** Something changed. */
  changed(): void;
}

/** `visible` is the session, if it may be shown; `paged`: its surface has an inbox to load from. */
export function createView(visible: () => Session | undefined, status: () => Status, paged: boolean): View {
  const lists = new Map<string, List>();
  /** All there is, with what was done and is not confirmed. */
  let shown: Shown | undefined;
  let snapshot: Snapshot | undefined;

  const dump = () => visible()?.store.now ?? EMPTY;
  const now = () => {
    shown ??= withActions(dump(), visible()?.queue ?? []);
    return shown;
  };

  const list = (filter: Filter = {}): List => {
    const session = visible();
    const key = filterKey(filter);
    const old = lists.get(key);
    let items: List["items"] = session?.store.view(now().items, filter) ?? [];
    if (old?.items.length === items.length && items.every((item, at) => item === old.items[at]))
      items = old.items;
    const hasMore = !!session && paged && session.store.bottom(filter) > 0;
    const loading = !!session?.loading(filter);
    if (old?.items === items && old.hasMore === hasMore && old.loading === loading) return old;
    const list = { items, hasMore, loading };
    lists.set(key, list);
    return list;
  };

  return {
    list,
    getSnapshot() {
      const { user, epoch, seq, rev } = dump();
      snapshot ??= { ...status(), ...now(), ...list(), user, position: epoch ? { epoch, seq, rev } : null };
      return snapshot;
    },
    changed() {
      shown = snapshot = undefined;
    },
  };
}
