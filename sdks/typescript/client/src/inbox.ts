// The pages of an inbox: the first one, again until it can be read, and older ones when they are asked for.

import { delay } from "./backoff.js";
import type { Environment } from "./environment.js";
import type { CampanileError } from "./error.js";
import type { InboxPage } from "./frame.js";
import { request } from "./request.js";
import type { Session } from "./session.js";
import type { Filter } from "./types.js";

export interface Reader {
  readonly environment: Environment;
  /** Where the session's inbox is. */
  readonly url: string;
  readonly token: () => string;
  readonly pageSize: number;
  readonly failed: (error: CampanileError) => void;
}

/** Reads for one connection: with it, everything that is under way ends. */
export class Inbox {
  /** Counts the lists that were begun anew: a page that was asked for before is of a former one. */
  #lists = 0;
  #first: Promise<void> | undefined;
  #over = false;

  constructor(
    readonly reader: Reader,
    readonly session: Session,
  ) {}

  /** Reads the list from its beginning; again, until it can be read. */
  reload(): void {
    const list = ++this.#lists;
    const { setTimeout, random } = this.reader.environment;
    this.#first = (async () => {
      for (let failures = 1; this.#is(list); failures++) {
        if (await this.#page({}, true, list)) return;
        await new Promise<void>((then) => setTimeout(then, delay(failures, random())));
      }
    })();
  }

  /** Reads one more page of a filter. */
  async more(filter: Filter): Promise<void> {
    void this.session.load(filter);
    for (let done = false; !done; ) {
      await this.#first;
      const list = this.#lists;
      done = (await this.#page(filter, false, list)) || this.#over || this.#is(list);
    }
  }

  close(): void {
    this.#over = true;
  }

  #is(list: number): boolean {
    return !this.#over && list === this.#lists;
  }

  /** Takes one page in, if it is still wanted when it comes. */
  async #page(filter: Filter, fresh: boolean, list: number): Promise<boolean> {
    const { session } = this;
    const { environment, url, token, pageSize, failed } = this.reader;
    const { store } = session;
    const query = new URLSearchParams({ limit: `${pageSize}` });
    const bottom = store.bottom(filter);
    if (fresh) query.set("minSeq", `${store.now.seq}`);
    else if (bottom) query.set("before", `${bottom}`);
    if (filter.unread) query.set("unread", "true");
    if (filter.archived) query.set("archived", "true");
    void session.load(filter);
    const log = store.log();
    try {
      const page = (await request(environment.fetch, "GET", `${url}?${query}`, token())) as InboxPage;
      if (this.#is(list)) {
        session.do({ page, filter, fresh, log });
        return true;
      }
    } catch (error) {
      if (this.#is(list)) failed(error as CampanileError);
    } finally {
      store.forget(log);
    }
    session.do({ unloaded: filter });
    return false;
  }
}
