// A browser as the tests need one: a storage, a page, and tabs that share locks and channels, and may hang.

import { WebSocket } from "ws";
import { within } from "./waiting.mjs";

/** @typedef {"online" | "offline" | "visible" | "hidden"} PageEvent */

/** Storage in memory. */
export class MemoryStorage {
  /** @type {Map<string, unknown>} */
  kept = new Map();
  get = async (/** @type {string} */ key) => structuredClone(this.kept.get(key));
  set = async (/** @type {string} */ key, /** @type {unknown} */ value) =>
    this.kept.set(key, structuredClone(value));
  erase = async (/** @type {string} */ prefix) => {
    for (const key of this.kept.keys()) if (key.startsWith(prefix)) this.kept.delete(key);
  };
}

/** A page whose visibility and network a test decides. */
export class TestPage {
  /** @type {Set<(event: PageEvent) => void>} */
  #told = new Set();
  /** @type {PageEvent} */
  #network = "online";
  /** @type {PageEvent} */
  #looks = "visible";
  listen = (/** @type {(event: PageEvent) => void} */ told) => {
    this.#told.add(told);
    told(this.#network);
    told(this.#looks);
    return () => this.#told.delete(told);
  };

  /** @param {PageEvent} event */
  tell(event) {
    if (event === "online" || event === "offline") this.#network = event;
    else this.#looks = event;
    for (const told of this.#told) told(event);
  }
}

/** What the tabs of a browser share: locks, channels, storage. */
export class Browser {
  storage = new MemoryStorage();
  /** @type {unknown[]} Everything that went over a channel. */
  messages = [];
  /** @type {Map<string, {rob: () => void, waiting: (() => void)[]}>} */
  #locks = new Map();
  /** @type {Map<string, Set<import("../dist/esm/index.js").Channel>>} */
  #channels = new Map();

  /** @type {(() => void) | undefined} */
  #losing;

  /** The next message is lost; resolves when it was. */
  lose() {
    return within(
      new Promise((resolve) => {
        this.#losing = () => resolve(undefined);
      }),
      "message to lose",
    );
  }

  locks = {
    /**
     * @param {string} name
     * @param {{signal?: AbortSignal, steal?: boolean}} options
     * @param {() => Promise<unknown>} held
     */
    request: async (name, { signal, steal }, held) => {
      if (signal && steal) throw new DOMException("not both", "NotSupportedError");
      const lock = this.#locks.get(name);
      const waiting = lock?.waiting ?? [];
      if (lock && !steal)
        await new Promise((resolve, reject) => {
          const next = () => resolve(undefined);
          waiting.push(next);
          signal?.addEventListener("abort", () => {
            const at = waiting.indexOf(next);
            if (at >= 0) waiting.splice(at, 1);
            reject(new DOMException("given up", "AbortError"));
          });
        });
      let rob = () => {};
      const robbed = new Promise((_, reject) => {
        rob = () => reject(new DOMException("robbed", "AbortError"));
      });
      const mine = { rob, waiting };
      this.#locks.set(name, mine);
      if (steal) lock?.rob();
      try {
        return await Promise.race([held(), robbed]);
      } finally {
        if (this.#locks.get(name) === mine) {
          const next = waiting.shift();
          // After what the former holder still said.
          if (next) setTimeout(next, 5);
          else this.#locks.delete(name);
        }
      }
    },
  };

  /** @param {string} name */
  channel = (name) => {
    const all = this.#channels.get(name) ?? new Set();
    this.#channels.set(name, all);
    /** @type {import("../dist/esm/index.js").Channel} */
    const channel = {
      onmessage: null,
      postMessage: (message) => {
        const data = structuredClone(message);
        this.messages.push(data);
        if (this.#losing) {
          this.#losing();
          this.#losing = undefined;
          return;
        }
        for (const other of [...all])
          if (other !== channel) setImmediate(() => all.has(other) && other.onmessage?.({ data }));
      },
      close: () => all.delete(channel),
    };
    all.add(channel);
    return channel;
  };
}

/** One tab of a browser, whose main thread can hang: nothing reaches it then, and it does nothing. */
export class Tab {
  /** @type {(() => void)[] | undefined} */
  #late;

  /** @param {import("./rig.mjs").Rig} rig @param {Browser} browser */
  constructor(rig, browser) {
    const turn = (/** @type {() => void} */ then) => () => this.#late?.push(then) ?? then();
    /** @type {any} */
    this.WebSocket = class extends (/** @type {any} */ (WebSocket)) {
      set onmessage(/** @type {any} */ told) {
        super.onmessage = told && ((/** @type {any} */ event) => turn(() => told(event))());
      }
      set onclose(/** @type {any} */ told) {
        super.onclose = told && ((/** @type {any} */ event) => turn(() => told(event))());
      }
    };
    this.environment = {
      setTimeout: (/** @type {() => void} */ then, /** @type {number} */ ms) =>
        rig.clock.setTimeout(turn(then), ms),
      locks: {
        /** @type {import("../dist/esm/index.js").Locks["request"]} */
        request: (...asked) =>
          new Promise((resolve, reject) => {
            browser.locks.request(...asked).then(
              (value) => turn(() => resolve(value))(),
              (error) => turn(() => reject(error))(),
            );
          }),
      },
      channel: (/** @type {string} */ name) => {
        const inner = browser.channel(name);
        /** @type {import("../dist/esm/index.js").Channel} */
        const outer = { onmessage: null, postMessage: inner.postMessage, close: inner.close };
        inner.onmessage = (event) => turn(() => outer.onmessage?.(event))();
        return outer;
      },
    };
  }

  hang() {
    this.#late = [];
  }

  wake() {
    const late = this.#late ?? [];
    this.#late = undefined;
    for (const then of late) then();
  }
}
