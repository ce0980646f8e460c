// Serves the pages, and the token that a page's back end would give it.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const TYPES = new Map([
  ["html", "text/html; charset=utf-8"],
  ["mjs", "text/javascript"],
]);

export class Site {
  #server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (pathname === "/token") {
      response.setHeader("content-type", "text/plain").end(this.token());
      return;
    }
    const [, name, extension] = /^\/(\w+\.(html|mjs))$/.exec(pathname) ?? [];
    const content =
      name && (await readFile(new URL(`../page/${name}`, import.meta.url)).catch(() => undefined));
    if (!content) response.writeHead(404).end();
    else response.setHeader("content-type", TYPES.get(extension ?? "") ?? "").end(content);
  });

  /** @type {() => string} */
  token = () => "";

  static async start() {
    const site = new Site();
    site.#server.listen(0, "127.0.0.1");
    await once(site.#server, "listening");
    return site;
  }

  /** @param {string} path */
  at(path) {
    const { port } = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
    return `http://127.0.0.1:${port}/${path}`;
  }

  end() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
