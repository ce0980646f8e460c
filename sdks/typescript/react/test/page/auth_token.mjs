// An application's token provider, as the documents leave it to the application: a token that may become another one.

import { useSyncExternalStore } from "react";

let now = "";
/** @type {Set<() => void>} */
const listeners = new Set();

/** @param {() => void} listener */
const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** @param {string} token */
export function signIn(token) {
  now = token;
  for (const listener of listeners) listener();
}

export const useAuthToken = () => useSyncExternalStore(subscribe, () => now);
