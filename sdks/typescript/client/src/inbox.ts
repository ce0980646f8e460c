// The pages of an inbox: the first one, again until it can be read, and older ones when they are asked for.

import { delay } from "./backoff.js";
import type { Environment } from "./environment.js";
import type { CampanileError } from "./error.js";
import type { InboxPage } from "./frame.js";
import { request } from "./request.js";
import type { Session } from "./session.js";
import type { Log } from "./store.js";
import type { Filter, Options } from "./types.js";

export interface Reader {
  readonly environment: Environment;
  /** `https://host/base`, without a slash at its end. */
  readonly base: string;
  readonly options: Options;
  token(): string;
  readonly tell: (event: "error", error: CampanileError) => void;
}

/** Reads for one connection: with it, everything that is under way ends. */
export interface Inbox {
  /** Reads the list from its beginning; again, until it can be read. */
  reload(): void;
  /** Reads one more page of a filter. */
  more(filter: Filter): Promise<void>;
  close(): void;
}

export function createInbox(reader: Reader, session: Session): Inbox {
  const { environment } = reader;
  const url = `${reader.base}/v1/workspaces/${encodeURIComponent(reader.options.workspace as string)}/inbox`;
  /** The list that is read: whatever is under way for it ends with it. */
  let list = new AbortController();
  let first: Promise<void> | undefined;

  /** Takes one page in, if its list is still wanted when it comes. False: the list is to be read, again. */
  const page = async (filter: Filter, fresh: boolean): Promise<boolean> => {
    const { signal } = list;
    const { store } = session;
    const bottom = store.bottom(filter);
    // Whatever it is given is put as text.
    const query = new URLSearchParams({
      limit: reader.options.pageSize ?? 25,
      minSeq: store.now.seq,
      archived: !!filter.archived,
      ...(filter.unread && { unread: true }),
      ...(!fresh && bottom < Infinity && { before: bottom }),
    } as never);
    session.load(filter);
    const log: Log = [];
    store.logs.add(log);
    let found: InboxPage | undefined;
    try {
      found = (await request(environment, `${url}?${query}`, reader.token(), { signal })) as InboxPage;
    } catch (error) {
      if (!signal.aborted) reader.tell("error", error as CampanileError);
    }
    store.logs.delete(log);
    if (signal.aborted) found = undefined;
    // Of a list that another took the place of, the other is under way.
    if (!signal.aborted || list.signal.aborted) session.do({ type: "Page", filter, fresh, found, log });
    return !!found && !store.now.stale;
  };

  const reload = () => {
    list.abort();
    list = new AbortController();
    const { signal } = list;
    first = (async () => {
      for (let failures = 1; !signal.aborted && !(await page({}, true)); failures++)
        await new Promise<void>((then) => {
          environment.setTimeout(then, delay(failures, environment.random()));
        });
    })();
  };

  return {
    reload,
    async more(filter) {
      // A list that is begun anew meanwhile is to have the page, too.
      for (let of: AbortController | undefined; of !== list && !list.signal.aborted; ) {
        await first;
        of = list;
        await page(filter, false);
        // What came meanwhile may say that only the inbox knows.
        if (of === list && !of.signal.aborted && session.store.now.stale) reload();
      }
    },
    close: () => list.abort(),
  };
}
