// One request to the server, and what became of it.

import type { Environment } from "./environment.js";
import { CampanileError } from "./error.js";

/**
 * The JSON of a successful answer. Else a `CampanileError`: with the code of the server's problem, its members and the `status`, or
 * `network` without one.
 */
export async function request(
  fetch: Environment["fetch"],
  method: string,
  url: string,
  token: string,
  body?: string,
  more?: Record<string, string>,
): Promise<unknown> {
  let status: number | undefined;
  let retryAfterMs: number | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server, or a proxy, says
  let problem: any;
  try {
    const answer = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${token}`, ...more },
      body,
      cache: "no-store",
    });
    status = answer.status;
    const seconds = Number.parseFloat(answer.headers.get("retry-after") ?? "");
    if (seconds >= 0) retryAfterMs = seconds * 1_000;
    const text = await answer.text();
    problem = text ? JSON.parse(text) : {};
    if (answer.ok) return problem;
  } catch (cause) {
    // No answer, one cut short, or a page of a proxy.
    problem = { cause };
  }
  const { code = status ? "http" : "network", detail, title } = problem;
  throw new CampanileError(code, `${detail ?? title ?? code}`, { ...problem, status, retryAfterMs });
}
