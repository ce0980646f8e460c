// Says what the client costs a page, minified and gzipped, and fails above the bound. The documented surfaces are a part of their
// own, loaded by whom they are asked for.

import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** The aim is 8,192. */
const BOUND = 11_264;

const { outputFiles } = await build({
  stdin: {
    contents: 'export { Campanile } from "./src/index.ts";',
    resolveDir: fileURLToPath(new URL(".", import.meta.url)),
  },
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  target: "es2022",
  outdir: "/",
  write: false,
});
const size = (part) => gzipSync(part.contents, { level: 9 }).length;
const lazy = outputFiles.filter(({ path }) => /documented/.test(path));
const first = outputFiles.filter((part) => !lazy.includes(part));
const total = first.reduce((sum, part) => sum + size(part), 0);
console.log(`client: ${total} bytes gzipped, of ${BOUND}; documented surfaces: ${lazy.map(size)} more`);
if (total > BOUND) process.exitCode = 1;
