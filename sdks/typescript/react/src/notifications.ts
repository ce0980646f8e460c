"use client";
// useNotifications: of the provider's inbox, or, as the workspace documents have it, of a token and a workspace.

import type { Filter, Notification, Options, TokenSource } from "@campanile/client";
import { useMemo } from "react";
import { useOwnClient } from "./framed_client.js";
import { type Inbox, useInbox } from "./inbox.js";
import { useFramedClient } from "./provider.js";

/** Further options of the documented form. */
export interface DocumentedOptions {
  /** The server's address. Default: the origin of the page. */
  readonly url?: string;
  /** Allows `ws://` to hosts other than this machine. Default: false. */
  readonly allowInsecure?: boolean;
}

/** What the documented form gives. */
export interface Received {
  /** What arrived since this component was mounted for this workspace, newest first. */
  readonly notifications: readonly Notification[];
  readonly connected: boolean;
}

type None = null | undefined;

/** The inbox of the provider above, or the part of it that `filter` says. */
export function useNotifications(filter?: Filter): Inbox;
/**
 * The hook of the workspace documents: what arrives on the workspace surface with this token, in this workspace. It
 * connects once both are there, and comes back by itself. Another workspace, or another user's token, starts anew.
 * Needs no provider. A call has always one of the two forms: which, its number of arguments says.
 */
export function useNotifications(
  token: TokenSource,
  workspaceSlug: string | None,
  options?: DocumentedOptions,
): Received;
export function useNotifications(...given: [Filter?] | Documented): Inbox | Received {
  const documented = given.length > 1;
  const provided = useFramedClient();
  const own = useOwnClient(documented ? optionsOf(given as Documented) : undefined);
  const inbox = useInbox(documented ? own : provided, documented ? undefined : (given as [Filter?])[0]);
  const { notifications, connected } = inbox;
  const received = useMemo(() => ({ notifications, connected }), [notifications, connected]);
  return documented ? received : inbox;
}

type Documented = [TokenSource, string | None, DocumentedOptions?];

function optionsOf([token, workspace, options = {}]: Documented): Options | undefined {
  const url = options.url ?? (typeof location === "undefined" ? undefined : location.origin);
  if (!url || !token || !workspace) return undefined;
  const { allowInsecure } = options;
  // As documented: what is shown is what arrived, not what an earlier page had. So nothing is kept.
  return { url, workspace, token, surface: "workspace", storage: null, allowInsecure };
}
