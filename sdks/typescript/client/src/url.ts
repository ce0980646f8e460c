// Where the server is, and whether tokens may travel there.

import { CampanileError } from "./error.js";

const LOOPBACK = /(^|\.)localhost$|^127[.\d]+$|^\[::1\]$/;

/** `https://host/base`, without a slash at its end. Throws `bad_url`, or `insecure_url` where tokens would travel in the clear. */
export function checkedBase(address: string, allowInsecure?: boolean): string {
  let url: URL | undefined;
  try {
    url = new URL(address.replace(/^ws/, "http"));
  } catch {
    // Not even an address.
  }
  const insecure = url?.protocol === "http:";
  if (!url || (insecure ? !allowInsecure && !LOOPBACK.test(url.hostname) : url.protocol !== "https:"))
    throw new CampanileError(insecure ? "insecure_url" : "bad_url", "tokens travel by https: or wss: only");
  return (url.origin + url.pathname).replace(/\/+$/, "");
}
