// What the client shows and takes: the types of its public interface.

import type { Environment } from "./environment.js";
import type { CampanileError } from "./error.js";

/**
 * One notification as the inbox has it. Never changed in place: what changed is another object, and what did not is the
 * same one.
 */
export interface Notification {
  /** Unique in its workspace. */
  readonly id: string;
  /** Its place in the workspace's log; null for one that is in no log. On the documented surfaces a number that orders them, and no more. */
  readonly seq: number | null;
  readonly title: string;
  readonly message: string;
  /** The producer's name for what this is, such as `info` or `record_created`. */
  readonly type: string;
  /** How it is to be shown. */
  readonly level: "info" | "success" | "warning" | "error" | "alert";
  /** When it was sent: RFC 3339, UTC. */
  readonly timestamp: string;
  readonly seen: boolean;
  readonly read: boolean;
  readonly archived: boolean;
  /** The producer's own JSON. */
  readonly metadata?: unknown;
  readonly event?: string;
  readonly productName?: string;
  readonly expiryDate?: string;
  /** When its text was last changed. */
  readonly updatedAt?: string;
  /** Another notification took its place; it is there because this user had read it. */
  readonly superseded?: boolean;
}

/** See the README's table of states. */
export type State = "idle" | "connecting" | "live" | "waiting" | "suspended" | "refused" | "closed";

/** Why a connection is not there: a close code and its reason, or a code below 1000 for what has none: see `kind`. */
export interface Reason {
  /** `close`: the server closed. `http`: a request before it was refused. `lost`: no close was said. `token`: there is none, or no way to use it. */
  readonly kind: "close" | "http" | "lost" | "token";
  /** The close code or HTTP status; 0 where there is none. */
  readonly code: number;
  /** The server's words, or ours. Holds no token. */
  readonly reason: string;
}

/** Why a token is asked for. */
export type TokenReason = "initial" | "reconnect" | "expired" | "refresh";

/** A token, or what gives one. Without one (null, undefined, "") the client is idle. */
export type TokenSource =
  | string
  | null
  | undefined
  | ((reason: TokenReason) => string | null | undefined | Promise<string | null | undefined>);

/** Which entries a list holds. Default: those that are not archived. */
export interface Filter {
  /** true: only unread ones. */
  readonly unread?: boolean;
  /** true: only archived ones. */
  readonly archived?: boolean;
}

/** A list without a gap, newest first, as far down as it was loaded. Same object as long as nothing in it changed. */
export interface List {
  readonly items: readonly Notification[];
  /** Whether `loadMore` may find older ones. */
  readonly hasMore: boolean;
  /** Whether a page is under way. */
  readonly loading: boolean;
}

/** Up to where the client has everything. May be kept, and given as `resume` to a later client of the same user. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
  readonly rev: number;
}

/** All that a page shows, at one moment. Same object between two changes. */
export interface Snapshot extends List {
  readonly state: State;
  /** Why it is `waiting`, `suspended` or `refused`; null in other states. */
  readonly reason: Reason | null;
  /** When it comes back, in milliseconds since 1970; null unless `waiting`. */
  readonly retryAt: number | null;
  /** Whose notifications these are; null until that is known. */
  readonly user: string | null;
  /** How many are unread, on the server, with what was done here since. Not only those in `items`. */
  readonly unread: number;
  /** How many were not shown yet. */
  readonly unseen: number;
  /** Null on the documented surfaces, and before the first connection. */
  readonly position: Position | null;
}

/** What `on` tells. */
export interface Events {
  /** A new entry. `replayed`: it came while this client was away, and is told late. */
  notification: (item: Notification, how: { replayed: boolean }) => unknown;
  /** An entry that says something else now. */
  update: (item: Notification) => unknown;
  /** An entry that is gone. */
  retract: (gone: { id: string; cause: "retracted" | "expired" | "superseded"; by?: string }) => unknown;
  /** Something was read, seen or archived: here, in another tab or on another device. */
  receipts: (counts: { unread: number; unseen: number }) => unknown;
  /** The connection changed. */
  state: (snapshot: Snapshot) => unknown;
  /** Something was left out, and the list is read again. */
  resync: (why: { reason: string }) => unknown;
  /** Something failed that nothing waits for. */
  error: (error: CampanileError) => unknown;
}

/** Keeps what outlives a page: by default IndexedDB, where there is one. Values are plain data. Failures are told as `error` and cost no more than the cache. */
export interface Storage {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<unknown>;
  /** Deletes everything whose key begins with `prefix`. */
  erase(prefix: string): Promise<unknown>;
}

export interface Options {
  /** Where the server is: `https://…` (or `wss://…`), with a path before `/v1` if there is one. */
  url: string;
  /** The workspace's slug. Without one the client is idle. Not needed on the product surface. */
  workspace?: string | null;
  /** Asked before every connection, and before a token expires. In memory only. */
  token?: TokenSource;
  /**
   * Who the token is of, if the application knows. Default: what the token's `userId` or `sub` says. It names the cache, so with it
   * the cached list is there before the first answer of the network. Where a token says another user, neither is believed: nothing is
   * shown until the server says whose it is.
   */
  user?: string | null;
  /** The protocol. The documented ones work with Campanile and with the systems that documented them. Default: `native`. */
  surface?: "native" | "workspace" | "product";
  /** Documented surfaces: tell the server at once that a notification was read. Default: false. */
  autoMarkRead?: boolean;
  /** Go on from here rather than from where the cache is: everything after it comes as events. */
  resume?: Position;
  /** Entries in memory and in the cache that no `loadMore` asked for. Default: 1,000. */
  maxItems?: number;
  /** Entries a page of the inbox has, 1 to 100. Default: 25. */
  pageSize?: number;
  /** One connection for all tabs of a browser. Default: true, where the browser can. */
  shareTabs?: boolean;
  /** Allows `http://` and `ws://` to hosts other than this machine. Tokens can then be read on the way. Default: false. */
  allowInsecure?: boolean;
  /** What stands for the global `WebSocket`, such as that of `ws` on Node.js 20. */
  WebSocket?: Environment["WebSocket"];
  /** Where to keep things. `null`: nowhere. Default: IndexedDB. */
  storage?: Storage | null;
  /** Stands for the platform, member by member: clock, randomness, network, page. What is undefined is missing. Default: the platform. */
  environment?: Partial<Environment>;
}

/** What `update` exchanges. A member that is not there stays as it is. */
export interface Change {
  readonly token?: TokenSource;
  readonly workspace?: string | null;
  /** Null: nobody is named any more. */
  readonly user?: string | null;
}

/** What `Campanile` does. Something else that does it can stand in its place, such as in tests of a page. */
export interface Client {
  readonly state: State;
  /** Starts, or starts again after `disconnect`. It then connects by itself for ever, unless it is refused. */
  connect(): void;
  /** Stops. Nothing is forgotten, here or in other tabs; `connect` goes on. */
  disconnect(): void;
  /**
   * Stops for good, and erases whatever was kept of this user on this server: list, cache, waiting actions, of every workspace, in every
   * tab, also after `disconnect`, and where this client never connected. The user is who the option `user` or a token that is a text
   * says; else, who it was when this client last had a token. One that was told neither erases nothing but what it has itself.
   */
  close(): void;
  /** Comes back now, if it waits, is suspended or was refused. */
  retry(): void;
  /** Exchanges token, workspace or user. Another user or workspace starts anew, and nothing of the former is shown any more. */
  update(change: Change): void;
  /** Calls back after each change of the snapshot; returns how to stop that. */
  subscribe(listener: () => unknown): () => void;
  getSnapshot(): Snapshot;
  /** The entries of a filter. `list()` has the same as the snapshot. */
  list(filter?: Filter): List;
  /** Reads the next older page of a filter. Resolves when it is there, or could not be had; never rejects. */
  loadMore(filter?: Filter): Promise<void>;
  read(id: string): void;
  unread(id: string): void;
  archive(id: string): void;
  /** Reads everything that is there by now. */
  readAll(): void;
  /** Everything that is there by now was shown: takes the dot away, not the count. */
  seen(): void;
  /** Calls back on an event; returns how to stop that. What the handler throws is told as `error`, and stops nothing. */
  on<Name extends keyof Events>(event: Name, handler: Events[Name]): () => void;
}
