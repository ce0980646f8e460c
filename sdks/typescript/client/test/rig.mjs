// A client with a scripted server, a clock that is stepped, and a browser around it, if it wants one.

import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { Campanile } from "../dist/esm/index.js";
import { Clock } from "./clock.mjs";
import { jwt, ScriptedServer } from "./scripted.mjs";
import { until, within } from "./waiting.mjs";

/** @typedef {import("../dist/esm/index.js").Options} Options */
/** @typedef {import("../dist/esm/index.js").Snapshot} Snapshot */
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
          if (next) next();
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

  /** @param {Rig} rig @param {Browser} browser */
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

export class Rig {
  clock = new Clock();
  /** @type {string[]} Why tokens were asked for. */
  asked = [];
  /** @type {import("../dist/esm/index.js").CampanileError[]} */
  errors = [];
  /** @type {Campanile[]} */
  #clients = [];
  #tokens = 0;

  /** @param {ScriptedServer} server */
  constructor(server) {
    this.server = server;
  }

  /**
   * Runs a story, and ends what it began.
   *
   * @param {(rig: Rig) => Promise<void>} story
   */
  static async with(story) {
    const rig = new Rig(await ScriptedServer.start());
    try {
      await story(rig);
    } finally {
      for (const client of rig.#clients) client.close();
      await rig.server.end();
    }
  }

  token = (user = "alice", lifeMs = 3_600_000) =>
    jwt({ userId: user, exp: (this.clock.now() + lifeMs) / 1_000, jti: `secret-${++this.#tokens}` });

  /** @param {Partial<Options> & {browser?: Browser, page?: TestPage}} more */
  client({ browser, page, ...more } = {}) {
    const { setTimeout, clearTimeout, now } = this.clock;
    const client = new Campanile({
      url: this.server.url,
      workspace: "demo",
      token: (why) => {
        this.asked.push(why);
        return this.token();
      },
      WebSocket: /** @type {any} */ (WebSocket),
      storage: browser?.storage,
      ...more,
      environment: {
        setTimeout,
        clearTimeout,
        now,
        page: page?.listen,
        ...(browser && { locks: browser.locks, channel: browser.channel }),
        ...more.environment,
      },
    });
    client.on("error", (error) => this.errors.push(error));
    this.#clients.push(client);
    return client;
  }

  /** The next socket, which is greeted. */
  async dialled(more = {}) {
    const socket = await this.server.dials.next("dial");
    socket.send(this.hello(more));
    return socket;
  }

  hello(more = {}) {
    return {
      type: "hello",
      user: "alice",
      workspace: "demo",
      epoch: "9f3c",
      seq: 7,
      head: 7,
      rev: 3,
      unread: 1,
      unseen: 1,
      readUpTo: 0,
      seenUpTo: 0,
      resumed: false,
      heartbeatMs: 25_000,
      expiresAt: new Date(this.clock.now() + 3_600_000).toISOString(),
      ...more,
    };
  }

  /**
   * The next page that is asked for, which is answered.
   *
   * @param {unknown[]} items
   */
  async paged(items = [item(7)], more = {}) {
    const request = await this.server.requests.next("request", ({ path }) => path.endsWith("/inbox"));
    request.answer(200, page(items, more));
    return request;
  }

  /**
   * A client that is live, with one unread entry.
   *
   * @param {Parameters<Rig["client"]>[0]} more
   */
  async live(more = {}) {
    const client = this.client(more);
    client.connect();
    const socket = await this.dialled();
    await this.paged();
    await shows(client, { state: "live", ids: ["n7"] });
    return { client, socket };
  }
}

/**
 * @param {unknown[]} items
 */
export function page(items, more = {}) {
  return { items, older: null, newer: 7, unread: 1, unseen: 1, head: 7, epoch: "9f3c", rev: 3, ...more };
}

/**
 * An entry of the inbox.
 *
 * @param {number | null} seq
 */
export function item(seq, more = {}) {
  return {
    seq,
    id: `n${seq}`,
    title: `Order ${seq}`,
    message: "It is on its way.",
    type: "info",
    level: "info",
    timestamp: "2026-01-01T00:00:00.000Z",
    seen: false,
    read: false,
    archived: false,
    ...more,
  };
}

/** @param {number} seq */
export const notification = (seq, more = {}) => ({ type: "notification", seq, item: item(seq, more) });

/**
 * Waits until a client shows members of its snapshot, and the ids of its items.
 *
 * @param {import("../dist/esm/index.js").Client} client
 * @param {Partial<Snapshot> & {ids?: string[], readIds?: string[]}} expected
 */
export function shows(client, { ids, readIds, ...expected }) {
  const now = (/** @type {Snapshot} */ snapshot) => ({
    ...Object.fromEntries(
      Object.keys(expected).map((name) => [name, snapshot[/** @type {"state"} */ (name)]]),
    ),
    ...(ids && { ids: snapshot.items.map(({ id }) => id) }),
    ...(readIds && { readIds: snapshot.items.filter(({ read }) => read).map(({ id }) => id) }),
  });
  const wanted = { ...expected, ...(ids && { ids }), ...(readIds && { readIds }) };
  const same = (/** @type {Snapshot} */ snapshot) => {
    try {
      assert.deepEqual(now(snapshot), wanted);
      return true;
    } catch {
      return false;
    }
  };
  return until(
    client,
    same,
    () => `it shows ${JSON.stringify(now(client.getSnapshot()))}, not ${JSON.stringify(wanted)}`,
  );
}
