// What a surface is: an address, and how its texts become frames.

import type { Action } from "../actions.js";
import type { Frame } from "../frame.js";

/** What an address is made of. */
export interface Dial {
  readonly workspace: string;
  /** The token, or on the native surface a ticket. */
  readonly secret: string;
  readonly epoch: string | null;
  /** Null: don't resume. */
  readonly since: number | null;
  readonly rev: number;
}

export interface Surface {
  /** Speaks of places, answers actions, takes new tokens, and is opened by a ticket. */
  readonly native: boolean;
  readonly protocols: string[] | undefined;
  /** The path and the parameters of the socket. */
  address(dial: Dial): [path: string, query: Record<string, string>];
  /** The frame that a text is; undefined for what is not one. */
  frame(text: string): Frame | undefined;
  /** What an action is as a text; undefined where the surface has none for it. */
  command(action: Action): string | undefined;
  /** Whether an open socket is a sign of life, or only its first frame. */
  readonly silent: boolean;
  /** Sends `PING` so often, in milliseconds. */
  readonly pingMs?: number;
  /** Is dead after so long without an answer to it. */
  readonly pongMs?: number;
}

/** The JSON object of a text; undefined for any other text. */
export function object(text: unknown): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text as string);
    return value && typeof value === "object" && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The greeting of a surface that gives no counts. */
export function greeting(user: string | null): Frame {
  return {
    type: "hello",
    user,
    epoch: null,
    seq: 0,
    head: 0,
    rev: 0,
    unread: 0,
    unseen: 0,
    readUpTo: 0,
    seenUpTo: 0,
    resumed: false,
    local: true,
  };
}
