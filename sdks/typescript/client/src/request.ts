// One request to the server, and what became of it.

import type { Environment } from "./environment.js";
import { CampanileError } from "./error.js";

/** A refusal or a failure; `retryAfterMs` is what the server said. */
export class RequestError extends CampanileError {
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, detail: CampanileError["detail"], retryAfterMs?: number) {
    super(code, message, detail);
    this.retryAfterMs = retryAfterMs;
  }
}

export interface Ask {
  readonly method: string;
  readonly url: string;
  readonly token: string;
  readonly body?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The JSON of a successful answer. Else a `RequestError`: with the code of the server's problem and the `status`, or `network` with
 * neither.
 */
export async function request(fetch: Environment["fetch"], ask: Ask): Promise<unknown> {
  const { method, url, token, body, signal } = ask;
  const headers: Record<string, string> = { authorization: `Bearer ${token}`, ...ask.headers };
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(url, {
      method,
      headers,
      body: body ?? null,
      signal: signal ?? null,
      cache: "no-store",
    });
    text = await answer.text();
  } catch (cause) {
    throw new RequestError("network", "the server could not be asked", { cause });
  }
  const { status } = answer;
  let json: Record<string, unknown> | undefined;
  try {
    json = text ? JSON.parse(text) : {};
  } catch {
    // Told below: a proxy's page, or an answer cut short.
  }
  if (answer.ok && json) return json;
  const { code = answer.ok ? "bad_answer" : "http", detail, title, index, field } = json ?? {};
  const seconds = Number(answer.headers.get("retry-after") ?? Number.NaN);
  throw new RequestError(
    code as string,
    `${detail ?? title ?? `the server answered ${status}`}`,
    { status, index, field } as CampanileError["detail"],
    Number.isFinite(seconds) ? seconds * 1_000 : undefined,
  );
}
