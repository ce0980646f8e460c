// Builds `dist`: every module as ESM and as CommonJS, each beside its declarations, and `browser/bell.js`, which a page
// loads without a bundler: the bell with its client, minified; languages are files beside it, loaded when needed.

import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(fileURLToPath(new URL(".", import.meta.url)));
const modules = readdirSync("src", { recursive: true })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => `src/${name}`);
const common = { target: "es2022", sourcemap: true, logLevel: "warning" };

rmSync("dist", { recursive: true, force: true });
await build({ ...common, entryPoints: modules, outbase: "src", outdir: "dist/esm", format: "esm" });
await build({ ...common, entryPoints: modules, outbase: "src", outdir: "dist/cjs", format: "cjs" });
await build({
  ...common,
  entryPoints: { bell: "src/index.ts" },
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  outdir: "dist/browser",
  chunkNames: "[name]-[hash]",
});
const tsc = createRequire(import.meta.url)
  .resolve("typescript/package.json")
  .replace(/package\.json$/, "bin/tsc");
execFileSync(process.execPath, [tsc, "--emitDeclarationOnly"], { stdio: "inherit" });
cpSync("dist/esm", "dist/cjs", {
  recursive: true,
  filter: (from) => !/\.js(\.map)?$/.test(from),
});
writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');
