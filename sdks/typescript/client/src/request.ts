// One request to the server, and what became of it.

import { alarm } from "./alarm.js";
import type { Environment } from "./environment.js";
import { CampanileError } from "./error.js";

/** An answer is waited for so long. */
const PATIENCE = 30_000;

/** What is asked, but for what every request has. */
export interface Ask {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The JSON of a successful answer. Else a `CampanileError`: with the code of the server's problem, its members and the `status`; `http`
 * where another answered; or `network` without an answer, also where `signal` is aborted.
 */
export async function request(
  environment: Environment,
  url: string,
  token: string,
  { signal, headers, ...ask }: Ask,
  timeoutMs = PATIENCE,
): Promise<unknown> {
  let status: number | undefined;
  let retryAfterMs: number | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server, or a proxy, says
  let problem: any;
  const abort = new AbortController();
  const stop = () => abort.abort();
  const late = alarm(environment);
  late(timeoutMs, stop);
  signal?.addEventListener("abort", stop, abort);
  if (signal?.aborted) stop();
  try {
    const answer = await environment.fetch(url, {
      ...ask,
      signal: abort.signal,
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
    status = answer.status;
    const after = answer.headers.get("retry-after") ?? "";
    // A date is in GMT, also in the form that does not say so. One that is over says nothing.
    const ms = /^\d+$/.test(after)
      ? +after * 1_000
      : Date.parse(`${after.replace(" GMT", "")} GMT`) - environment.now();
    if (ms >= 0) retryAfterMs = ms;
    problem = await answer.json();
    if (answer.ok) return problem;
    // What says nothing in our form is of a proxy, or of a page that one must log in at.
    if (!/^application\/problem\+json/.test(answer.headers.get("content-type") ?? "")) problem = {};
  } catch (cause) {
    // No answer, one cut short, or a page of a proxy.
    problem = { cause };
  } finally {
    late();
    // Nobody listens to `signal` any more.
    stop();
  }
  const { code = status ? "http" : "network", detail, title } = problem;
  throw new CampanileError(code, `${detail ?? title ?? code}`, { ...problem, status, retryAfterMs });
}
