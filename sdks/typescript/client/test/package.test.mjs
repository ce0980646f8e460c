// The package as it would be published: packed, installed in an empty project, imported in each way.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL("..", import.meta.url));
let project = "";

/** @param {string[]} command */
const run = (program = "", ...command) =>
  execFileSync(program, command, { cwd: project, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

before(() => {
  project = mkdtempSync(join(tmpdir(), "campanile-client-"));
  // `dist` is there: `pretest` built it.
  const pack = ["pack", "--ignore-scripts", "--silent", "--pack-destination", project, here];
  const archive = run("npm", ...pack).trim();
  writeFileSync(join(project, "package.json"), '{ "name": "empty", "private": true, "type": "module" }\n');
  run("npm", "install", "--offline", "--no-audit", "--no-fund", "--silent", join(project, archive));
});

after(() => rmSync(project, { recursive: true, force: true }));

const USE = "new Campanile({ url: 'https://example.com', workspace: 'demo' }).getSnapshot().state";
const PUBLISH = "typeof new Publisher({ url: 'https://example.com', workspace: 'demo', token: 'x' }).publish";

test("it is imported as ESM", () => {
  writeFileSync(
    join(project, "esm.mjs"),
    `import { Campanile, CampanileError } from "@campanile/client";
import { CampanileError as Same, Publisher } from "@campanile/client/publisher";
import { CLOSE_CODES } from "@campanile/client/close-codes";
console.log(${USE}, ${PUBLISH}, CampanileError === Same, CLOSE_CODES.length > 10);`,
  );
  assert.equal(run(process.execPath, "esm.mjs").trim(), "idle function true true");
});

test("it is required as CommonJS", () => {
  writeFileSync(
    join(project, "cjs.cjs"),
    `const { Campanile, CampanileError } = require("@campanile/client");
const { CampanileError: Same, Publisher } = require("@campanile/client/publisher");
const { CLOSE_CODES } = require("@campanile/client/close-codes");
console.log(${USE}, ${PUBLISH}, CampanileError === Same, CLOSE_CODES.length > 10);`,
  );
  assert.equal(run(process.execPath, "cjs.cjs").trim(), "idle function true true");
});

test("its types are those of both, and the samples of its README hold to them", () => {
  const source = `import { Campanile, type Notification, type Snapshot } from "@campanile/client";
import { Publisher, type Published } from "@campanile/client/publisher";
const client = new Campanile({ url: "https://example.com", workspace: "demo", token: async (why) => (why === "expired" ? null : "x") });
const stop: () => void = client.on("notification", (item: Notification, { replayed }) => item.title + replayed);
const snapshot: Snapshot = client.getSnapshot();
export const published: Promise<Published> = new Publisher({ url: "https://example.com", workspace: "demo", token: "x" }).publish({
  to: { user: "alice" }, title: "t", message: "m",
});
// @ts-expect-error there is no such state
if (snapshot.state === "asleep") stop();
`;
  const readme = readFileSync(join(here, "README.md"), "utf8");
  const samples = [...readme.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);
  assert(samples.length >= 3, "the README's samples were found");
  const given = "declare const db: any; declare const url: string; declare const token: string;";
  for (const [at, code] of samples.entries()) {
    const known = code.includes("drainOutbox")
      ? 'import { Publisher } from "@campanile/client/publisher"; declare const publisher: Publisher;'
      : "";
    writeFileSync(join(project, `sample${at}.mts`), `${given} ${known}\n${code}\nexport {};\n`);
  }
  for (const name of ["esm.mts", "cjs.cts"]) writeFileSync(join(project, name), source);
  const options = { strict: true, noEmit: true, module: "NodeNext", lib: ["ES2022", "DOM"], types: [] };
  const files = ["esm.mts", "cjs.cts", ...samples.map((_, at) => `sample${at}.mts`)];
  const config = { compilerOptions: options, files };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify(config));
  const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
  run(process.execPath, typescript.replace(/package\.json$/, "bin/tsc"));
});

test("it brings nothing along, and nothing of ours", () => {
  const installed = join(project, "node_modules");
  const packages = readdirSync(installed).filter((name) => !name.startsWith("."));
  assert.deepEqual(packages, ["@campanile"]);
  const client = join(installed, "@campanile", "client");
  assert.deepEqual(readdirSync(client).sort(), ["README.md", "dist", "package.json"]);
  assert(!JSON.parse(readFileSync(join(client, "package.json"), "utf8")).dependencies);
});

test("the file for pages without a bundler stands alone", () => {
  const single = join(project, "node_modules/@campanile/client/dist/browser/campanile.min.js");
  writeFileSync(
    join(project, "single.mjs"),
    `import { Campanile } from ${JSON.stringify(single)};\nconsole.log(${USE});`,
  );
  assert.equal(run(process.execPath, "single.mjs").trim(), "idle");
  // Nothing but the documented surfaces is beside it, and they bring nothing along.
  const modules = readdirSync(dirname(single)).filter((name) => name.endsWith(".js"));
  assert.deepEqual(
    modules.map((name) => name.replace(/-\w+/, "")),
    ["campanile.min.js", "documented.js"],
  );
});
