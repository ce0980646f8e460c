// What a token says of itself. Only hints: what holds is what the server says.

function claims(token: string): Record<string, unknown> {
  try {
    const body = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(atob(body)) ?? {};
  } catch {
    return {};
  }
}

/** A name for the user that a token is of: the same for each of the user's tokens. Undefined where it says none. */
export function identity(token: string): string | undefined {
  const { userId, sub } = claims(token);
  const user = userId ?? sub;
  return typeof user === "string" && user ? user : undefined;
}

/** When a token ends, in milliseconds since 1970, if it says so. */
export function expiry(token: string): number | undefined {
  const { exp } = claims(token);
  return typeof exp === "number" ? exp * 1_000 : undefined;
}
