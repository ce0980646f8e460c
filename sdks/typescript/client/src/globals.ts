// The platform as it is: the default environment.

import type { Channel, Environment, Locks, Page, Socket } from "./environment.js";
import type { Storage } from "./types.js";

/** Whatever is missing here is undefined: Node.js 20 has no WebSocket, a worker no page. */
export function platform(): Environment {
  const scope = globalThis;
  // Node.js has channels and locks too, but no tabs.
  const browser = typeof indexedDB !== "undefined";
  return {
    now: () => Date.now(),
    setTimeout: (then, ms) => setTimeout(then, ms),
    clearTimeout: (timer) => clearTimeout(timer as number),
    random: () => Math.random(),
    // `randomUUID` is there on pages with TLS only.
    uuid: () => crypto.getRandomValues(new Uint32Array(4)).join("-"),
    fetch: (...ask) => fetch(...ask),
    WebSocket: scope.WebSocket as unknown as new (url: string) => Socket,
    storage: browser ? indexed() : undefined,
    locks: browser ? (scope.navigator.locks as Locks | undefined) : undefined,
    channel:
      browser && scope.BroadcastChannel
        ? (name) => new BroadcastChannel(name) as unknown as Channel
        : undefined,
    page: typeof document === "undefined" ? undefined : page(),
  };
}

function page(): Page {
  const hidden = () => document.visibilityState === "hidden";
  return {
    online: () => navigator.onLine !== false,
    hidden,
    listen(told) {
      const listener = ({ type, persisted }: Event & { persisted?: boolean }) => {
        if (type === "visibilitychange") told(hidden() ? "hidden" : "visible");
        else if (type !== "pageshow" || persisted) told(type as "online");
      };
      const places: [EventTarget, string[]][] = [
        [document, ["visibilitychange"]],
        [window, ["online", "offline", "pageshow", "pagehide"]],
      ];
      for (const [place, events] of places)
        for (const event of events) place.addEventListener(event, listener);
      return () => {
        for (const [place, events] of places)
          for (const event of events) place.removeEventListener(event, listener);
      };
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
  const run = async <T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>) => {
    if (!opened) {
      const request = indexedDB.open("campanile", 1);
      request.onupgradeneeded = () => request.result.createObjectStore("kept");
      opened = done(request);
      opened.catch(() => {
        opened = undefined;
      });
    }
    return done(act((await opened).transaction("kept", mode).objectStore("kept")));
  };
  return {
    get: (key) => run("readonly", (store) => store.get(key)),
    set: (key, value) => run("readwrite", (store) => store.put(value, key)),
    delete: (key) => run("readwrite", (store) => store.delete(key)),
  };
}
