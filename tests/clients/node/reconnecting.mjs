// The documented reconnecting client on Node's `ws`, and waiting for what it went through.

import { WebSocket } from "ws";
import { ReconnectingClient } from "../page/reconnecting_client.mjs";
import { within } from "./waiting.mjs";

export class Reconnecting extends ReconnectingClient {
  /** @type {Set<() => void>} */
  #watchers;

  /** @param {Omit<import("../page/reconnecting_client.mjs").Options, "Socket" | "onevent">} options */
  constructor(options) {
    /** @type {Set<() => void>} */
    const watchers = new Set();
    const onevent = () => {
      for (const watcher of [...watchers]) watcher();
    };
    super({ ...options, Socket: WebSocket, onevent });
    this.#watchers = watchers;
  }

  /**
   * Waits until there are so many events of a kind, and returns the last of those.
   *
   * @template {import("../page/reconnecting_client.mjs").Event["what"]} W
   * @param {W} what
   * @param {number} count
   * @param {number} [limit] in milliseconds
   */
  async reached(what, count, limit) {
    const there = new Promise((resolve) => {
      const watcher = () => {
        const event = this.all(what)[count - 1];
        if (!event) return;
        this.#watchers.delete(watcher);
        resolve(event);
      };
      this.#watchers.add(watcher);
      watcher();
    });
    /** @type {Promise<ReturnType<typeof this.all<W>>[number]>} */
    const event = within(there, `${what}, ${count} times, of ${JSON.stringify(this.events)}`, limit);
    return event;
  }

  /** The codes that sockets were closed with, in order. */
  get codes() {
    return this.all("closed").map((event) => event.code);
  }
}
