"use client";
// A client, and its snapshot held still between two frames: what every hook of a provider reads.

import { FramedSnapshot } from "@campanile/bell/frames";
import { Campanile, type Client, type Options, type Snapshot } from "@campanile/client";
import { useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore } from "react";

export interface FramedClient {
  readonly client: Client;
  readonly framed: FramedSnapshot<Snapshot>;
}

/** What there is on a server, and before a client is there. */
export const NOTHING: Snapshot = {
  state: "idle",
  reason: null,
  retryAt: null,
  user: null,
  items: [],
  unread: 0,
  unseen: 0,
  hasMore: false,
  loading: false,
  position: null,
};

const nobody = () => () => undefined;

/** Before the browser paints, so that nothing of a former user or workspace is seen; on a server not at all. */
export const useBeforePaint = typeof document === "undefined" ? useEffect : useLayoutEffect;

export function framed(client: Client): FramedClient {
  return { client, framed: new FramedSnapshot(client) };
}

/** What `select` takes from a client's snapshot. Renders again, at most once a frame, when that is another value. */
export function useSnapshot<T>(from: FramedClient | undefined, select: (snapshot: Snapshot) => T): T {
  const now = () => select(from ? from.framed.getSnapshot() : NOTHING);
  return useSyncExternalStore(from?.framed.subscribe ?? nobody, now, () => select(NOTHING));
}

/** What a client was last told. */
interface Told {
  readonly client: Client;
  readonly token: unknown;
  readonly workspace: string | null | undefined;
  readonly user: string | null | undefined;
}

/**
 * A client that is there, and connected, while the component is. Another `url`, `surface`, `pageSize` or `allowInsecure`
 * makes another client; another token, workspace or user is told to the one that is there. A token function may be a new
 * one with each rendering: the latest is asked.
 */
export function useOwnClient(options: Options | undefined): FramedClient | undefined {
  const [own, setOwn] = useState<FramedClient>();
  const latest = useRef(options);
  const told = useRef<Told>(undefined);
  const { url, surface, pageSize, allowInsecure, workspace, user } = options ?? {};
  const token = stands(options?.token);
  useBeforePaint(() => {
    latest.current = options;
  });
  useBeforePaint(() => {
    const now = latest.current;
    if (url === undefined || !now) return;
    const client = new Campanile({
      ...now,
      url,
      surface,
      pageSize,
      allowInsecure,
      token: latestToken(latest),
    });
    told.current = { client, token: stands(now.token), workspace: now.workspace, user: now.user };
    client.connect();
    setOwn(framed(client));
    return () => {
      client.disconnect();
      setOwn(undefined);
    };
  }, [url, surface, pageSize, allowInsecure]);
  useBeforePaint(() => {
    const { client, framed } = own ?? {};
    const before = told.current;
    if (!client || before?.client !== client) return;
    if (before.token === token && before.workspace === workspace && before.user === user) return;
    told.current = { client, token, workspace, user };
    client.update({
      token: latestToken(latest),
      workspace: workspace ?? null,
      user: user ?? null,
    });
    framed?.flush();
  }, [own, token, workspace, user]);
  return own;
}

/** What a token is compared by. Functions count as one and the same: the latest is asked anyway. */
function stands(token: Options["token"]): unknown {
  return typeof token === "function" ? "a function" : token;
}

/** A token that is always the latest. */
function latestToken(latest: { readonly current: Options | undefined }): Options["token"] {
  const token = latest.current?.token;
  if (typeof token !== "function") return token;
  return (reason) => {
    const now = latest.current?.token;
    return typeof now === "function" ? now(reason) : now;
  };
}
