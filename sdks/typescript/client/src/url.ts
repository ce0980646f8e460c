// Where the server is, and whether tokens may travel there.

import { CampanileError } from "./error.js";

const LOOPBACK = /^((.+\.)?localhost|127\.[\d.]+|\[::1\])$/;

/** `https://host/base`, without a slash at its end. Throws `bad_url`, or `insecure_url` where tokens would travel in the clear. */
export function checkedBase(address: string, allowInsecure?: boolean): string {
  const url = new URL(address.replace(/^ws/, "http"));
  if (!/^https?:$/.test(url.protocol)) throw new CampanileError("bad_url", "url begins with https: or wss:");
  if (url.protocol === "http:" && !allowInsecure && !LOOPBACK.test(url.hostname))
    throw new CampanileError("insecure_url", "tokens travel by https: only");
  return (url.origin + url.pathname).replace(/\/+$/, "");
}
