// What can go wrong, as one type.

/** What failed. `code` says what, and is stable; the message is for people. Neither holds a token. */
export class CampanileError extends Error {
  override name = "CampanileError";

  constructor(
    /** Such as `insecure_url`, `token_failed`, `handler_failed`, `storage_failed`, or the code of a problem or `error` frame. */
    readonly code: string,
    message: string,
    /** What more is known: `id` and `action` of an action that was refused, `status` of an answer and the members of its problem, `cause`. */
    readonly detail: {
      readonly id?: string;
      readonly action?: string;
      readonly status?: number | undefined;
      /** When the server says to come back. */
      readonly retryAfterMs?: number | undefined;
      readonly index?: number;
      readonly field?: string;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, detail);
  }
}
