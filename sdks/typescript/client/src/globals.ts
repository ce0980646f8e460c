// The platform as it is: the default environment.

import type { Channel, Environment, Locks, Page } from "./environment.js";
import type { Storage } from "./types.js";

/** Whatever is missing here is undefined: Node.js 20 has no WebSocket, a worker no page. */
export function platform(): Environment {
  const { WebSocket, navigator, document, indexedDB } = globalThis as Partial<typeof globalThis>;
  return {
    now: () => Date.now(),
    setTimeout: (...plan) => setTimeout(...plan),
    clearTimeout: (timer) => clearTimeout(timer as number),
    random: Math.random,
    // `randomUUID` is there on pages with TLS only.
    uuid: () => crypto.getRandomValues(new Uint32Array(4)).join("-"),
    fetch: (...ask) => fetch(...ask),
    WebSocket: WebSocket as unknown as Environment["WebSocket"],
    // Node.js has channels and locks too, but no tabs: those are where there is IndexedDB.
    ...(indexedDB && { storage, locks: navigator?.locks as Locks | undefined, channel }),
    page: document && page,
  };
}

/** None where a browser allows none. */
function channel(name: string): Channel | undefined {
  try {
    return new BroadcastChannel(name) as unknown as Channel;
  } catch {
    return undefined;
  }
}

const page: Page = (told) => {
  const end = new AbortController();
  const tell = ({ type }: { type: string }) => {
    if (type === "online" || type === "offline") told(type);
    // A page that goes for a while, or for good, is hidden; it may come back.
    else told(type === "pagehide" || document.hidden ? "hidden" : "visible");
  };
  // What the document tells comes by the window, too.
  for (const type of ["online", "offline", "visibilitychange", "pageshow", "pagehide"])
    addEventListener(type, tell, end);
  tell({ type: navigator.onLine === false ? "offline" : "online" });
  tell({ type: "now" });
  return () => end.abort();
};

/** IndexedDB as a map. */
const storage: Storage = {
  get: (key) => run((store) => store.get(key)),
  set: (key, value) => run((store) => store.put(value, key)),
  erase: (prefix) => run((store) => store.delete(IDBKeyRange.bound(prefix, `${prefix}\uffff`))),
};

/** Stays open: what is written as a page goes would be too late otherwise. */
let opened: Promise<IDBDatabase> | undefined;

async function run(act: (store: IDBObjectStore) => IDBRequest): Promise<unknown> {
  try {
    opened ??= open();
    return await done(act((await opened).transaction("kept", "readwrite").objectStore("kept")));
  } catch (error) {
    opened = undefined;
    throw error;
  }
}

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open("campanile", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("kept");
  return done(request);
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
