// The platform, as one object: whatever the client does not compute by itself goes through here, so a test can step it.

import type { Storage } from "./types.js";

/** The part of a WebSocket that is used. */
export interface Socket {
  onopen: ((event: never) => unknown) | null;
  onmessage: ((event: never) => unknown) | null;
  onclose: ((event: never) => unknown) | null;
  onerror: ((event: never) => unknown) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

/** The part of a BroadcastChannel that is used. */
export interface Channel {
  onmessage: ((event: { data: unknown }) => unknown) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** The part of Web Locks that is used. */
export interface Locks {
  request(
    name: string,
    options: { signal?: AbortSignal; steal?: boolean },
    held: () => Promise<unknown>,
  ): Promise<unknown>;
}

/**
 * The page around the client; there is none in a worker or a server. Tells at once whether the machine says that it has a network, and
 * whether nobody can see the page; then whatever changes of that. Returns how to stop it.
 */
export type Page = (told: (event: "online" | "offline" | "visible" | "hidden") => void) => () => void;

export interface Environment {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(then: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /** 0 up to, but not, 1. */
  random(): number;
  /** A key that was never given before. */
  uuid(): string;
  fetch: typeof fetch;
  WebSocket: (new (url: string, protocols?: string[]) => Socket) | undefined;
  storage?: Storage | null | undefined;
  locks?: Locks | undefined;
  /** Undefined is returned where a browser allows none. */
  channel?: ((name: string) => Channel | undefined) | undefined;
  page?: Page | undefined;
}
