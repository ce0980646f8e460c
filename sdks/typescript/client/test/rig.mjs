// A client with a scripted server and a clock that is stepped, and a browser around it, if it wants one.

import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { Campanile } from "../dist/esm/index.js";
import { Clock } from "./clock.mjs";
import { jwt, ScriptedServer } from "./scripted.mjs";
import { until } from "./waiting.mjs";

/** @typedef {import("../dist/esm/index.js").Options} Options */
/** @typedef {import("../dist/esm/index.js").Snapshot} Snapshot */
/** @typedef {import("./fake_browser.mjs").Browser} Browser */
/** @typedef {import("./fake_browser.mjs").TestPage} TestPage */

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

  /** One that connects. @param {Parameters<Rig["client"]>[0]} more */
  connecting(more = {}) {
    const client = this.client(more);
    client.connect();
    return client;
  }

  /** What went wrong, in order. */
  get codes() {
    return this.errors.map(({ code }) => code);
  }

  /** The next request for a ticket, where the server does not give them by itself. */
  ticket = () => this.server.requests.next("ticket", ({ path }) => path === "/v1/tickets");

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
   * A client that is live, with one unread entry; `page` says whether there are older ones.
   *
   * @param {Parameters<Rig["client"]>[0]} more
   */
  async live(more = {}, page = {}) {
    const client = this.connecting(more);
    const socket = await this.dialled();
    await this.paged([item(7)], page);
    await shows(client, { state: "live", ids: ["n7"] });
    return { client, socket };
  }

  /**
   * Cuts a connection. The next one, a second later, is greeted as one that resumed.
   *
   * @param {Campanile} client
   * @param {import("./scripted.mjs").Dialled} socket
   */
  async resumed(client, socket, more = {}) {
    socket.cut();
    await shows(client, { state: "waiting" });
    await this.clock.pass(1_000);
    return this.dialled({ resumed: true, ...more });
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

/** @param {number} seq Where the log, and what was told of it, are. */
export const heartbeat = (seq, more = {}) => ({
  type: "heartbeat",
  epoch: "9f3c",
  seq,
  head: seq,
  rev: 3,
  unread: 1,
  unseen: 1,
  ...more,
});

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
