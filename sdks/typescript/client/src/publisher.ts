// Publishing, from a server or a job: batches, retries, and the same request never twice.

import { delay } from "./backoff.js";
import type { Environment } from "./environment.js";
import { CampanileError } from "./error.js";
import { platform } from "./globals.js";
import { request } from "./request.js";
import { checkedBase } from "./url.js";
import { within } from "./within.js";

export { CampanileError } from "./error.js";

/** At most so many notifications are one request. */
export const LARGEST_BATCH = 1_000;

/** How long a token is waited for. */
const TOKEN_PATIENCE = 30_000;

/** To whom: exactly one of these. */
export type Audience = { user: string } | { users: string[] } | { topic: string } | { workspace: true };

/** A notification to send. See the protocol for the bounds of each member. */
export interface Draft {
  to: Audience;
  title: string;
  message: string;
  /** The name of what this is. Default: `info`. */
  type?: string;
  level?: "info" | "success" | "warning" | "error" | "alert";
  metadata?: unknown;
  event?: string;
  productName?: string;
  expiryDate?: string;
  /** false: told to whoever is connected, kept by nobody. */
  durable?: boolean;
  except?: string[];
  /** How long it is seen: seconds, or a text like `"90s"`, `"12h"`, `"7d"`. */
  ttl?: number | string;
  /** When to send it: RFC 3339. */
  sendAt?: string;
  collapseKey?: string;
}

/** What became of a notification. */
export interface Published {
  id: string;
  /** Its place in the log; null where it is in none, or not yet. */
  seq: number | null;
  timestamp: string;
  sendAt?: string;
}

export interface PublisherOptions {
  /** Where the server is: `https://…`. */
  url: string;
  workspace: string;
  /** A token with the scope `notifications:write`, or what gives one. Asked before every attempt, and waited for for 30 s. */
  token: string | (() => string | Promise<string>);
  /** Attempts in all, the first one included. Default: 8, which is about a minute. */
  attempts?: number;
  /** An attempt is given up after so many milliseconds. Default: 30,000, which is the server's own bound. */
  timeoutMs?: number;
  /** Allows `http://` to hosts other than this machine. Default: false. */
  allowInsecure?: boolean;
  /** Stands for the platform: clock, randomness, network. */
  environment?: Partial<
    Pick<Environment, "now" | "setTimeout" | "clearTimeout" | "random" | "uuid" | "fetch">
  >;
}

/** How one request is published. */
export interface PublishOptions {
  /**
   * Promises that a repetition is the same request: 1 to 255 bytes of visible ASCII. Default: a new one, the same over the retries. Give
   * one that you keep, such as a row's id, and it is sent once although your process dies.
   */
  idempotencyKey?: string;
  /** Gives up when it is aborted. */
  signal?: AbortSignal;
}

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #environment: Environment;
  readonly #url: string;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#environment = { ...platform(), ...options.environment };
    const base = checkedBase(options.url, options.allowInsecure);
    this.#url = `${base}/v1/workspaces/${encodeURIComponent(options.workspace)}/notifications`;
  }

  /**
   * Publishes one, or up to 1,000 that are all sent or none. Resolves once they are on stable storage.
   *
   * Tried again, under the same key, after 408, 429, 5xx and where no answer came: when the server says, else after 0.5 s and more. And
   * once, at once, with another token where the one given had expired on its way.
   *
   * Rejects with `CampanileError`: the `code` of the server's problem, `detail.status`, and of a batch `detail.index` of the one at fault;
   * `network` where no answer came; `token_failed` where the callback threw (`detail.cause`) or took more than 30 s; `batch_too_large`;
   * `aborted`.
   */
  publish(draft: Draft, options?: PublishOptions): Promise<Published>;
  publish(drafts: readonly Draft[], options?: PublishOptions): Promise<Published[]>;
  async publish(
    drafts: Draft | readonly Draft[],
    options: PublishOptions = {},
  ): Promise<Published | Published[]> {
    if (Array.isArray(drafts)) {
      if (!drafts.length) return [];
      if (drafts.length > LARGEST_BATCH)
        throw new CampanileError(
          "batch_too_large",
          `${drafts.length} notifications are more than ${LARGEST_BATCH}`,
        );
    }
    const body = JSON.stringify(drafts);
    const key = options.idempotencyKey ?? this.#environment.uuid();
    const { attempts = 8, token } = this.#options;
    let renews = typeof token !== "string";
    for (let failures = 1; ; failures++) {
      try {
        return (await this.#attempt(body, key, options.signal)) as Published | Published[];
      } catch (error) {
        if (options.signal?.aborted)
          throw new CampanileError("aborted", "publishing was given up", { cause: error });
        if (renews && (error as CampanileError).code === "token_expired") {
          renews = false;
          continue;
        }
        if (!passing(error as CampanileError) || failures >= attempts) throw error;
        const wait =
          (error as CampanileError).detail.retryAfterMs ?? delay(failures, this.#environment.random());
        await this.#pause(wait, options.signal);
      }
    }
  }

  async #attempt(body: string, key: string, signal: AbortSignal | undefined): Promise<unknown> {
    const { timeoutMs } = this.#options;
    const bearer = await this.#token();
    const headers = { "content-type": "application/json", "idempotency-key": key };
    signal?.throwIfAborted();
    return request(
      this.#environment,
      this.#url,
      bearer,
      { method: "POST", body, headers, signal },
      timeoutMs,
    );
  }

  async #token(): Promise<string> {
    const { token } = this.#options;
    if (typeof token === "string") return token;
    try {
      return await within(this.#environment, TOKEN_PATIENCE, token());
    } catch (cause) {
      throw new CampanileError("token_failed", "the token callback failed or is late", { cause });
    }
  }

  #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const { setTimeout, clearTimeout } = this.#environment;
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener("abort", done);
      if (signal?.aborted) done();
    });
  }
}

/** Whether the same request may succeed later. A success that could not be read was cut short. */
function passing({ code, detail: { status = 0 } = {} }: CampanileError): boolean {
  return (
    code === "network" || status === 408 || status === 429 || status >= 500 || (status > 0 && status < 300)
  );
}

/** Whether a row is refused for good, by its own fault: by the server, rather than a proxy, and not for the token's sake. */
function isAtFault(error: CampanileError): boolean {
  const { code, detail } = error;
  return (
    detail.status !== undefined && code !== "http" && !passing(error) && !/^40[13]$/.test(`${detail.status}`)
  );
}

/** A row of an outbox: what to send, under a key that the row keeps. */
export interface OutboxRow {
  readonly key: string;
  readonly draft: Draft;
}

/**
 * Sends the rows of a transactional outbox, in their order, each under its own key, and calls `sent` after each one: delete the row there.
 * A process that dies in between sends the row again under the same key, which publishes nothing twice within 24 hours.
 *
 * Stops at the first row that fails for a passing reason, and rejects with that. A row that is refused for good is given to `refused`, and
 * the next one follows; without `refused` it stops there too.
 *
 * Returns how many were sent.
 */
export async function drainOutbox(
  rows: Iterable<OutboxRow> | AsyncIterable<OutboxRow>,
  publisher: Pick<Publisher, "publish">,
  sent: (row: OutboxRow, published: Published) => unknown,
  refused?: (row: OutboxRow, error: CampanileError) => unknown,
): Promise<number> {
  let count = 0;
  for await (const row of rows) {
    let published: Published;
    try {
      published = await publisher.publish(row.draft, { idempotencyKey: row.key });
    } catch (error) {
      if (!refused || !(error instanceof CampanileError) || !isAtFault(error)) throw error;
      await refused(row, error);
      continue;
    }
    await sent(row, published);
    count++;
  }
  return count;
}
