// The platform as it is: the default environment.

import type { Channel, Environment, Locks, Page } from "./environment.js";
import type { Storage } from "./types.js";

/** Whatever is missing here is undefined: Node.js 20 has no WebSocket, a worker no page. */
export function platform(): Environment {
  // Node.js has channels and locks too, but no tabs: those are where there is IndexedDB.
  const { WebSocket, BroadcastChannel, navigator, document, indexedDB } = globalThis as Partial<
    typeof globalThis
  >;
  return {
    now: () => Date.now(),
    setTimeout: (then, ms) => setTimeout(then, ms),
    clearTimeout: (timer) => clearTimeout(timer as number),
    random: () => Math.random(),
    // `randomUUID` is there on pages with TLS only.
    uuid: () => crypto.getRandomValues(new Uint32Array(4)).join("-"),
    fetch: (...ask) => fetch(...ask),
    WebSocket: WebSocket as unknown as Environment["WebSocket"],
    storage: indexedDB && indexed(),
    locks: indexedDB && (navigator?.locks as Locks | undefined),
    channel: indexedDB && BroadcastChannel && channel,
    page: document && page(),
  };
}

/** Where a browser allows none, one that nobody hears. */
function channel(name: string): Channel {
  try {
    return new BroadcastChannel(name) as unknown as Channel;
  } catch {
    return { onmessage: null, postMessage() {}, close() {} };
  }
}

function page(): Page {
  const hidden = () => document.hidden;
  return {
    online: () => navigator.onLine !== false,
    hidden,
    listen(told) {
      const end = new AbortController();
      // What the document tells comes by the window, too.
      for (const event of ["visibilitychange", "online", "offline", "pageshow", "pagehide"] as const)
        addEventListener(
          event,
          (now) => {
            if (event === "visibilitychange") told(hidden() ? "hidden" : "visible");
            else if (event !== "pageshow" || (now as PageTransitionEvent).persisted) told(event);
          },
          end,
        );
      return () => end.abort();
    },
  };
}

/** IndexedDB as a map. It is opened when first used, and again after a failure. */
function indexed(): Storage {
  let opened: Promise<IDBDatabase> | undefined;
  const done = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const open = () => {
    const request = indexedDB.open("campanile", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("kept");
    return done(request);
  };
  const run = async (act: (store: IDBObjectStore) => IDBRequest) => {
    opened ??= open();
    const kept = await opened.catch((error) => {
      opened = undefined;
      throw error;
    });
    return done(act(kept.transaction("kept", "readwrite").objectStore("kept")));
  };
  return {
    get: (key) => run((store) => store.get(key)),
    set: (key, value) => run((store) => store.put(value, key)),
    erase: (prefix) => run((store) => store.delete(IDBKeyRange.bound(prefix, `${prefix}\uffff`))),
  };
}
