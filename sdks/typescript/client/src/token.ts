// What a token says of itself. Only hints: what holds is what the server says.

/** The claims of a token; none, of one that is no JWT. */
export function claims(token: string): Record<string, unknown> {
  try {
    const body = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(atob(body)) ?? {};
  } catch {
    return {};
  }
}

/** A name for the user that a token is of: the same for each of the user's tokens. Undefined where it says none. */
export function identity(token: unknown): string | undefined {
  const { userId, sub } = claims(`${token}`);
  const user = userId ?? sub;
  return typeof user === "string" && user ? user : undefined;
}
