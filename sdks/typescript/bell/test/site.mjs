// Serves pages whose scripts are bundled from source, and the files that they ask for.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const require = createRequire(import.meta.url);
const FONT = require.resolve("@fontsource-variable/inter/files/inter-latin-wght-normal.woff2");

const HEAD = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<meta http-equiv="Content-Security-Policy" content="default-src 'self'; connect-src *; style-src 'self' 'unsafe-inline'; img-src 'self' data:; require-trusted-types-for 'script'">
<style>
@font-face { font-family: "Inter"; src: url("/inter.woff2") format("woff2"); font-weight: 100 900; }
body { margin: 0; min-height: 100vh; font-family: Inter, sans-serif; }
header { display: flex; align-items: center; justify-content: flex-end; gap: 12px; padding: 12px 20px; }
</style></head>`;

/** A server of one page: its script, bundled, and its body. */
export class Site {
  #server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const route = this.routes.get(pathname);
    const script = this.#scripts.get(pathname);
    if (route) route(request, response);
    else if (script) response.setHeader("content-type", "text/javascript").end(script);
    else if (pathname === "/inter.woff2")
      response.setHeader("content-type", "font/woff2").end(await readFile(FONT));
    else response.setHeader("content-type", "text/html; charset=utf-8").end(HEAD + this.body);
  });
  /** @type {Map<string, Uint8Array>} */
  #scripts = new Map();
  /** @type {Map<string, (request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse) => void>} */
  routes = new Map();
  /** The body of every page. */
  body = "";

  /**
   * @param {string} script relative to the tests
   * @param {string} body where `/page.js` is the script
   */
  static async start(script, body, directory = import.meta.url) {
    const site = new Site();
    const { outputFiles } = await build({
      entryPoints: { page: fileURLToPath(new URL(script, directory)) },
      bundle: true,
      splitting: true,
      format: "esm",
      jsx: "automatic",
      target: "es2022",
      outdir: "/",
      write: false,
      define: { "process.env.NODE_ENV": '"development"' },
      logLevel: "warning",
    });
    for (const { path, contents } of outputFiles) site.#scripts.set(path, contents);
    site.body = body;
    site.#server.listen(0, "127.0.0.1");
    await once(site.#server, "listening");
    return site;
  }

  get origin() {
    const { port } = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
    return `http://127.0.0.1:${port}`;
  }

  end() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
