// One request to the server, and what became of it.

import type { Environment } from "./environment.js";
import { CampanileError } from "./error.js";

/** A refusal or a failure; `retryAfterMs` is what the server said. */
export class RequestError extends CampanileError {
  retryAfterMs: number | undefined;
}

/**
 * The JSON of a successful answer. Else a `RequestError`: with the code of the server's problem and the `status`, or `network` with
 * neither.
 */
export async function request(
  fetch: Environment["fetch"],
  method: string,
  url: string,
  token: string,
  body?: string,
  more?: Record<string, string>,
): Promise<unknown> {
  const headers: Record<string, string> = { authorization: `Bearer ${token}`, ...more };
  let status = 0;
  let problem: Record<string, unknown> = {};
  let after: string | null = null;
  try {
    const answer = await fetch(url, { method, headers, body, cache: "no-store" } as RequestInit);
    status = answer.status;
    after = answer.headers.get("retry-after");
    const text = await answer.text();
    problem = text ? JSON.parse(text) : {};
    if (answer.ok) return problem;
  } catch (cause) {
    // No answer, one cut short, or a page of a proxy.
    problem = { cause };
  }
  const { code = status ? "http" : "network", detail, title, index, field, cause } = problem;
  const known = { status: status || undefined, index, field, cause } as CampanileError["detail"];
  const error = new RequestError(code as string, `${detail ?? title ?? code}`, known);
  const seconds = Number.parseFloat(after ?? "");
  if (seconds >= 0) error.retryAfterMs = seconds * 1_000;
  throw error;
}
