// A TCP proxy on loopback that does what networks do: it cuts connections, forgets quiet ones, or swallows all that is said.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class CuttingProxy {
  /** @type {Set<import("node:net").Socket>} */
  #sockets = new Set();
  /** @type {import("node:net").Server} */
  #server;

  /**
   * @param {URL} to
   * @param {{idle?: number}} options
   */
  constructor(to, { idle = 0 }) {
    this.#server = createServer((near) => {
      const far = connect(Number(to.port), to.hostname);
      for (const [socket, other] of /** @type {const} */ ([
        [near, far],
        [far, near],
      ])) {
        this.#sockets.add(socket);
        socket.pipe(other);
        socket.on("error", () => other.destroy());
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
      // Either side's bytes count: `pipe` writes to it what the other one said.
      near.setTimeout(idle, () => near.destroy());
    });
  }

  /**
   * @param {string} to where it leads, as an address of a socket
   * @param {{idle?: number}} [options] `idle`: milliseconds without a byte after which a connection is cut; 0: never
   */
  static async start(to, options = {}) {
    const proxy = new CuttingProxy(new URL(to), options);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /**
   * The same address by way of this proxy.
   *
   * @param {string} address
   */
  address(address) {
    const url = new URL(address);
    const { port } = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
    url.host = `127.0.0.1:${port}`;
    return url.href;
  }

  /** Ends every connection without a word. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** From now on nothing gets through on the connections that there are, and neither end is told. */
  swallow() {
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.resume();
    }
  }

  async end() {
    this.cut();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }
}
