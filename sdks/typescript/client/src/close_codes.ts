// Generated from the registry of close codes; don't edit.

/** Whether coming back in the same way can end in another way. */
export type ComeBack = "yes" | "no" | "with_new_token" | "as_it_likes";

/** One close that a server says. An empty `reason` stands for any. */
export interface CloseCode {
  readonly code: number;
  readonly reason: string;
  readonly name: string;
  readonly comeBack: ComeBack;
}

export const CLOSE_CODES: readonly CloseCode[] = [
  { code: 1000, reason: "", name: "NORMAL", comeBack: "as_it_likes" },
  { code: 1001, reason: "server shutting down", name: "SHUTTING_DOWN", comeBack: "yes" },
  { code: 1002, reason: "protocol error", name: "PROTOCOL_ERROR", comeBack: "no" },
  { code: 1003, reason: "binary frames are not accepted", name: "BINARY_NOT_ACCEPTED", comeBack: "no" },
  { code: 1007, reason: "invalid UTF-8", name: "BAD_UTF8", comeBack: "no" },
  { code: 1008, reason: "Access token required", name: "TOKEN_REQUIRED", comeBack: "no" },
  { code: 1008, reason: "Access token invalid", name: "TOKEN_INVALID", comeBack: "no" },
  { code: 1008, reason: "Access token expired", name: "TOKEN_EXPIRED", comeBack: "with_new_token" },
  { code: 1008, reason: "Too many connections", name: "TOO_MANY_CONNECTIONS", comeBack: "no" },
  { code: 1008, reason: "message not finished in time", name: "MESSAGE_TIMEOUT", comeBack: "yes" },
  { code: 1009, reason: "message too big", name: "TOO_BIG", comeBack: "no" },
  { code: 1011, reason: "internal error", name: "INTERNAL_ERROR", comeBack: "yes" },
  { code: 1013, reason: "try again later", name: "OVERLOADED", comeBack: "yes" },
  { code: 1013, reason: "reader too slow", name: "TOO_SLOW", comeBack: "yes" },
  { code: 4001, reason: "unauthorized", name: "UNAUTHORIZED", comeBack: "no" },
  { code: 4002, reason: "workspaceSlug required", name: "MISSING_WORKSPACE", comeBack: "no" },
  { code: 4003, reason: "token expired", name: "EXPIRED", comeBack: "with_new_token" },
  { code: 4008, reason: "idle timeout", name: "IDLE_TIMEOUT", comeBack: "yes" },
  { code: 4009, reason: "replaced by a newer connection", name: "REPLACED", comeBack: "no" },
];
