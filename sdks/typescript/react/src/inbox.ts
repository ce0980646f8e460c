"use client";
// The inbox of a provider's client: a list, its counts, and what a user does with it.

import type { Client, Filter, List, Notification, Snapshot, State } from "@campanile/client";
import { useMemo } from "react";
import { type FramedClient, useSnapshot } from "./framed_client.js";
import { useFramedClient } from "./provider.js";

/** What `useNotifications()` gives. Functions stay the same as long as the client does. */
export interface Inbox {
  /** Newest first. */
  readonly items: readonly Notification[];
  /** The same list, by the name that the workspace documents have for it. */
  readonly notifications: readonly Notification[];
  /** How many are unread on the server, whatever is loaded. */
  readonly unread: number;
  /** How many were not shown yet. */
  readonly unseen: number;
  readonly connected: boolean;
  readonly state: State;
  /** Whose inbox it is. */
  readonly user: string | null;
  /** Whether older ones can be loaded. */
  readonly hasMore: boolean;
  readonly loading: boolean;
  readonly loadMore: () => Promise<void>;
  readonly read: (id: string) => void;
  readonly markUnread: (id: string) => void;
  readonly archive: (id: string) => void;
  readonly readAll: () => void;
  readonly seen: () => void;
}

/** A client's inbox, or the part of it that `filter` says. */
export function useInbox(from: FramedClient | undefined, filter: Filter = {}): Inbox {
  const { unread, archived } = filter;
  const snapshot = useSnapshot(from, (snapshot) => snapshot);
  const part = useMemo(
    () => ({ ...(unread === undefined ? {} : { unread }), ...(archived === undefined ? {} : { archived }) }),
    [unread, archived],
  );
  const actions = useMemo(() => actionsOf(from?.client, part), [from, part]);
  const list = listOf(from, snapshot, part);
  return useMemo(
    () => ({
      items: list.items,
      notifications: list.items,
      hasMore: list.hasMore,
      loading: list.loading,
      unread: snapshot.unread,
      unseen: snapshot.unseen,
      connected: snapshot.state === "live",
      state: snapshot.state,
      user: snapshot.user,
      ...actions,
    }),
    [list, snapshot, actions],
  );
}

/** How many are unread. Renders again only when the number changes. */
export function useUnreadCount(): number {
  return useSnapshot(useFramedClient(), (snapshot) => snapshot.unread);
}

function listOf(from: FramedClient | undefined, snapshot: Snapshot, filter: Filter): List {
  return from && (filter.unread !== undefined || filter.archived !== undefined)
    ? from.client.list(filter)
    : snapshot;
}

function actionsOf(client: Client | undefined, filter: Filter) {
  return {
    loadMore: async () => client?.loadMore(filter),
    read: (id: string) => client?.read(id),
    markUnread: (id: string) => client?.unread(id),
    archive: (id: string) => client?.archive(id),
    readAll: () => client?.readAll(),
    seen: () => client?.seen(),
  };
}
