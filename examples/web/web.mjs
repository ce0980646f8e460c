// The back end of two pages: one of plain HTML, one of React. It knows who is signed in, gives that user's pages a token, and
// tells users things. `node web.mjs page` or `node web.mjs react`.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const CAMPANILE = process.env.CAMPANILE_BIN ?? "campanile";
const here = (name) => new URL(name, import.meta.url);
const SDKS = "../../sdks/typescript/";
const kind = process.argv[2] === "react" ? "react" : "page";
const data = await mkdtemp(join(tmpdir(), "campanile-web-"));

// A server of our own, on a free port. A real application would have the address of one that runs.
const server = spawn(CAMPANILE, ["serve", "--listen", "127.0.0.1:0", "--data", data], {
  stdio: ["ignore", "ignore", "pipe"],
});
const gone = once(server, "exit");
const address = await new Promise((resolve, reject) => {
  server.once("error", reject);
  server.once("exit", () => reject(new Error("the server ended")));
  createInterface({ input: server.stderr }).on("line", (line) => {
    const entry = line.startsWith("{") ? JSON.parse(line) : {};
    if (entry.message === "listening") resolve(`http://${entry.address}`);
  });
});

/** A token, signed with the server's local key. A real application signs its own. */
function token(user, scope = "") {
  const command = ["token", "--user", user, "--workspace", "web", "--scope", scope, "--data", data];
  return execFileSync(CAMPANILE, command, { encoding: "utf8" }).trim();
}

/** Who is signed in. A real application looks at its session. */
const USER = "alice";
const backend = token("backend", "notifications:write");

/** Tells the user something, as an application does when something happened. */
async function notify() {
  const answer = await fetch(`${address}/v1/workspaces/web/notifications`, {
    method: "POST",
    headers: { authorization: `Bearer ${backend}`, "content-type": "application/json" },
    body: JSON.stringify({
      to: { user: USER },
      title: "Your order is on its way",
      message: "Three parcels, expected on Friday.",
      type: "success",
    }),
  });
  if (!answer.ok) throw new Error(`publish: ${answer.status} ${await answer.text()}`);
}

/** The React application as one script. */
async function bundle() {
  const { build } = createRequire(here(`${SDKS}package.json`))("esbuild");
  const { outputFiles } = await build({
    entryPoints: [here("app.jsx").pathname],
    nodePaths: [here(`${SDKS}node_modules`).pathname],
    bundle: true,
    format: "esm",
    jsx: "automatic",
    write: false,
  });
  return outputFiles[0].text;
}

const routes = {
  "GET /": async () => [
    "text/html",
    (await readFile(here(`${kind}.html`), "utf8")).replace("{address}", address),
  ],
  "GET /app.js": async () => ["text/javascript", await bundle()],
  "GET /token": async () => ["text/plain", token(USER)],
  "POST /notify": async () => ["text/plain", await notify()],
};

const site = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  const [, name] = /^\/bell\/([\w-]+\.js)$/.exec(pathname) ?? [];
  const file = async () => ["text/javascript", await readFile(here(`${SDKS}bell/dist/browser/${name}`))];
  const route = name ? file : routes[`${request.method} ${pathname}`];
  try {
    const [type, content] = (await route?.()) ?? [];
    if (type) response.setHeader("content-type", `${type}; charset=utf-8`).end(content);
    else response.writeHead(404).end();
  } catch (error) {
    response.writeHead(500).end();
    console.error(error);
  }
});
site.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  console.log(`open http://127.0.0.1:${site.address().port}/ and press the button`);
});

for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, async () => {
    site.closeAllConnections();
    site.close();
    server.kill();
    await gone;
    await rm(data, { recursive: true, force: true });
  });
