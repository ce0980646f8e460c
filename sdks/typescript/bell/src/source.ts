// What a bell needs of whatever feeds it. `Campanile` of @campanile/client is one, as is anything of this shape.

/** How loud a notification is. */
export type Level = "info" | "success" | "warning" | "error" | "alert";

/** One entry of an inbox. Its texts are shown as text, never as markup. */
export interface BellItem {
  readonly id: string;
  readonly title: string;
  readonly message?: string | undefined;
  readonly type?: string | undefined;
  /** Colours the entry. Default: `type` where that is a level, else `metadata.level`, else `info`. */
  readonly level?: string | undefined;
  /** RFC 3339. */
  readonly timestamp?: string | undefined;
  readonly read: boolean;
  readonly archived?: boolean | undefined;
  /** `metadata.url` or `metadata.link`, if http or https, is where the entry leads. */
  readonly metadata?: unknown;
}

/** `idle`, `connecting`, `live`, `waiting`, `suspended`, `refused` or `closed`: see the states of the SDKs. */
export type SourceState = "idle" | "connecting" | "live" | "waiting" | "suspended" | "refused" | "closed";

/** A part of the inbox. No member: all that is not archived. */
export interface PageFilter {
  readonly unread?: boolean;
  readonly archived?: boolean;
}

/** One part of the inbox, newest first, as far down as it was loaded. The same object until something in it changes. */
export interface SourceList {
  readonly items: readonly BellItem[];
  /** Whether older entries can be loaded. */
  readonly hasMore: boolean;
  readonly loading: boolean;
}

/** What there is to show. It is the same object until something changes, in any part of the inbox. */
export interface SourceSnapshot extends SourceList {
  readonly state: SourceState;
  readonly unread: number;
  readonly unseen: number;
}

/** Feeds a bell. Actions take effect in the snapshot at once; what they return is awaited by nobody. */
export interface NotificationSource {
  /** Calls `listener` after each change, until the returned function is called. */
  subscribe(listener: () => void): () => void;
  getSnapshot(): SourceSnapshot;
  list(filter: PageFilter): SourceList;
  /** Calls `handler` for each notification that arrives. Those that are told late, after an absence, are `replayed`. */
  on?(
    event: "notification",
    handler: (item: BellItem, how: { readonly replayed: boolean }) => void,
  ): () => void;
  /** Ends once there are more entries, or could not be had. A bell takes the latter for failed, and offers to try again. */
  loadMore(filter: PageFilter): unknown;
  read(id: string): unknown;
  unread(id: string): unknown;
  archive(id: string): unknown;
  readAll(): unknown;
  seen(): unknown;
  /** Tries to connect now. */
  retry?(): unknown;
}
