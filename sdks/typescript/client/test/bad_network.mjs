// A proxy that treats connections badly, by a seed: it delays, cuts, ends within a frame, and goes silent.

import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { within } from "./waiting.mjs";

/**
 * Random numbers from 0 up to 1, the same for the same seed.
 *
 * @param {number} seed
 */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class BadNetwork {
  /** Whether connections are treated badly. */
  bad = true;
  /** How often each fault happened. */
  faults = { cut: 0, half: 0, silent: 0, delayed: 0 };
  /** @type {Set<import("node:net").Socket>} */
  #sockets = new Set();
  #server = createServer((client) => void this.#carry(client));

  /**
   * @param {number} target The port of the server.
   * @param {() => number} random
   */
  constructor(target, random) {
    this.target = target;
    this.random = random;
  }

  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await within(once(this.#server, "listening"), "address");
    const address = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
    return address.port;
  }

  /** Ends every connection. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  async end() {
    this.#server.close();
    this.cut();
    await once(this.#server, "close");
  }

  /** @param {import("node:net").Socket} client */
  async #carry(client) {
    const server = connect(this.target, "127.0.0.1");
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.once("close", () => {
        this.#sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    // Bytes of the server until the fault; none for a connection that is left alone.
    const { random } = this;
    let left = this.bad ? Math.floor(200 + random() ** 2 * 20_000) : Number.POSITIVE_INFINITY;
    const fault = /** @type {const} */ (["cut", "half", "silent", "cut"])[Math.floor(random() * 4)];
    let silent = false;
    void this.#pump(client, server, () => !silent);
    await this.#pump(server, client, (bytes) => {
      left -= bytes.length;
      if (left > 0 || silent) return !silent;
      this.faults[fault]++;
      if (fault === "silent") {
        silent = true;
      } else {
        // What fits is still sent: the end of it is within a frame, mostly.
        if (fault === "half") client.write(bytes.subarray(0, bytes.length + left));
        client.end(() => client.destroy());
      }
      return false;
    });
  }

  /**
   * @param {import("node:net").Socket} from
   * @param {import("node:net").Socket} to
   * @param {(bytes: Buffer) => boolean} passes
   */
  async #pump(from, to, passes) {
    try {
      for await (const bytes of from) {
        if (this.bad && this.random() < 0.1) {
          this.faults.delayed++;
          await wait(this.random() * 20);
        }
        if (passes(bytes)) to.write(bytes);
      }
    } catch {
      // One of the two is gone, and so is the other.
    }
    to.end();
  }
}
