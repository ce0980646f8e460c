// What a token says of itself. Only hints: what holds is what the server says.

/** The claims of a token; none, of what is no JWT. */
export function claims(token: unknown): Record<string, unknown> {
  try {
    const [, body = ""] = (token as string).split(".");
    const bytes = atob(body.replaceAll("-", "+").replaceAll("_", "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)))) ?? {};
  } catch {
    return {};
  }
}

/** A name for the user that a token is of: the same for each of the user's tokens. Undefined where it says none, as does what is no text. */
export function identity(token: unknown): string | undefined {
  const { userId, sub } = claims(token);
  const user = userId ?? sub;
  return typeof user === "string" && user ? user : undefined;
}
