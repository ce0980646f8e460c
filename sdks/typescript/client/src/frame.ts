// What a server tells, whatever the surface. The documented surfaces' frames are put into this form.

import type { Notification } from "./types.js";

/** An inbox entry as frames and pages carry it. */
export type Item = Notification;

export interface Counts {
  head: number;
  unread: number;
  unseen: number;
}

export interface Hello extends Counts {
  type: "hello";
  user: string | null;
  /** Undefined of a surface without places. */
  epoch: string | null | undefined;
  seq: number;
  rev: number;
  readUpTo: number;
  seenUpTo: number;
  resumed: boolean;
  /** Down to which place filters are loaded, where nothing more can be. */
  loaded?: Readonly<Record<string, number>>;
  heartbeatMs?: number;
  expiresAt?: string;
}

export interface Receipts extends Counts {
  type: "receipts";
  rev: number;
  readUpTo: number;
  seenUpTo: number;
  items: { id: string; seen: boolean; read: boolean; archived: boolean }[];
}

/** What became of an action, or of something else that was asked for. */
export type Answer =
  | {
      type: "ok";
      ref?: string;
      changed?: boolean;
      rev?: number;
      /** The log's head that it was done at: what is above came after. */
      head?: number;
      unread?: number;
      expiresAt?: string;
    }
  | { type: "error"; code: string; message?: string; ref?: string; id?: string };

export type Frame =
  | Hello
  | { type: "notification"; seq: number | null; item: Item }
  | { type: "update"; seq: number; item: Item }
  | { type: "retract"; seq: number; id: string; cause: "retracted" | "expired" | "superseded"; by?: string }
  | Receipts
  | ({ type: "heartbeat"; epoch: string | null; seq: number; rev: number } & Counts)
  | { type: "resync"; epoch: string | null; seq: number; reason: string }
  | { type: "drain"; retryAfterMs: number }
  | Answer
  | { type: "pong" };

/** A page of the inbox. */
export interface InboxPage extends Counts {
  items: Item[];
  older: number | null;
  epoch: string | null;
  rev: number;
}
