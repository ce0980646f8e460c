// What a page loads of this client and of others, in one run: a Markdown table. The others come from the registry, at these versions.

import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundled } from "./bundled.mjs";

const OURS = 'export { Campanile } from "@campanile/client";';
/** @type {[name: string, version: string, what: string, module: string][]} */
const PEERS = [
  ["phoenix", "1.8.16", "transport", 'export { Socket } from "phoenix";'],
  ["@trycourier/courier-js", "3.4.0", "inbox", 'export * from "@trycourier/courier-js";'],
  ["socket.io-client", "4.8.4", "transport", 'export { io } from "socket.io-client";'],
  ["pusher-js", "8.6.0", "transport", 'export { default } from "pusher-js";'],
  ["centrifuge", "5.8.0", "transport that recovers", 'export { Centrifuge } from "centrifuge";'],
  ["@knocklabs/client", "0.22.2", "inbox", 'export { default } from "@knocklabs/client";'],
  ["@novu/js", "3.19.2", "inbox", 'export { Novu } from "@novu/js";'],
  [
    "ably",
    "2.28.0",
    "transport that recovers",
    'export { BaseRealtime, FetchRequest, WebSocketTransport } from "ably/modular";',
  ],
];

const own = (await bundled(OURS, fileURLToPath(new URL(".", import.meta.url)))).atOnce;
console.log("| package | what | bytes, gzipped | times ours |\n|---|---|---|---|");
console.log(`| @campanile/client | both | ${own.toLocaleString("en")} | 1.00 |`);
const directory = await mkdtemp(join(tmpdir(), "campanile-peers-"));
try {
  const packages = PEERS.map(([name, version]) => `${name}@${version}`);
  const quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
  execFileSync("npm", ["install", ...quiet, ...packages], { cwd: directory, stdio: "inherit" });
  for (const [name, version, what, module] of PEERS) {
    const { atOnce } = await bundled(module, directory);
    console.log(
      `| ${name} ${version} | ${what} | ${atOnce.toLocaleString("en")} | ${(atOnce / own).toFixed(2)} |`,
    );
  }
} finally {
  await rm(directory, { recursive: true });
}
