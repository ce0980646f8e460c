// Tokens, signed by our own few lines over node:crypto: no code is shared with the server.

import { createHmac } from "node:crypto";

/** The HS256 secret of every server that these tests start. */
export const SECRET = "a-secret-for-client-tests-0123456789";

/** @typedef {Record<string, unknown>} Claims */

/** @param {string} text */
const encoded = (text) => Buffer.from(text).toString("base64url");

/** @returns {number} Now, in whole seconds, as tokens count. */
export const seconds = () => Math.floor(Date.now() / 1000);

/**
 * A token with these claims and nothing else.
 *
 * @param {Claims} claims
 * @param {string} secret
 */
export function sign(claims, secret = SECRET) {
  const signed = `${encoded('{"alg":"HS256","typ":"JWT"}')}.${encoded(JSON.stringify(claims))}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/**
 * A user's token for the workspace surface of `acme`, good for an hour unless `claims` say otherwise.
 *
 * @param {string} user
 * @param {Claims} claims
 */
export function workspaceToken(user, claims = {}) {
  return sign({ userId: user, workspaces: ["acme"], exp: seconds() + 3600, ...claims });
}

/**
 * A user's token for the product surface, as its documents have it: user, email, end.
 *
 * @param {string} user
 * @param {Claims} claims
 */
export function productToken(user, claims = {}) {
  return sign({ userId: user, email: `${user}@example.com`, exp: seconds() + 3600, ...claims });
}
