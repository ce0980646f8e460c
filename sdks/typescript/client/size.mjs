// Says what the published client costs a page on the native surface, minified and gzipped, and fails above the bounds: bundled by an
// application, and as the file for pages without a bundler. The documented surfaces are a part of their own, loaded by whom they are
// asked for. Nothing else is: whatever else there is, every page of a browser needs at once, or just when nothing can be loaded.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Bytes. The aim is 8 KiB, 8,192. */
const BOUNDS = { bundled: 10_000, file: 9_560 };

const here = fileURLToPath(new URL(".", import.meta.url));
const size = (/** @type {Uint8Array} */ contents) => gzipSync(contents, { level: 9 }).length;

// As an application imports it: by the package's own name and `exports`, so what is measured is `dist`. esbuild's names are the longest,
// once they are gzipped: with terser, swc or oxc it is about 450 bytes less.
const { outputFiles, metafile } = await build({
  stdin: { contents: 'export { Campanile } from "@campanile/client";', resolveDir: here },
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  target: "es2022",
  outdir: "/",
  write: false,
  metafile: true,
});
const part = (/** @type {string} */ name) =>
  size(outputFiles.find(({ path }) => path.endsWith(`/${name.split("/").pop()}`)).contents);

// Loaded at once is the entry with all that it imports; what else there is, it loads when it is asked to.
const entry = Object.keys(metafile.outputs).find((name) => metafile.outputs[name].entryPoint === "<stdin>");
const first = new Set([entry]);
for (const name of first)
  for (const { path, kind } of metafile.outputs[name].imports)
    if (kind === "import-statement") first.add(path);
const later = Object.keys(metafile.outputs).filter((name) => !first.has(name));
const bundled = [...first].reduce((sum, name) => sum + part(name), 0);

// The same as `dist/browser` has it: one file, and that of the documented surfaces.
const browser = `${here}dist/browser/`;
const [file, ...beside] = readdirSync(browser)
  .filter((name) => name.endsWith(".js"))
  .map((name) => size(readFileSync(browser + name)));

console.log(
  `client, bundled: ${bundled} bytes gzipped, of ${BOUNDS.bundled}; documented surfaces: ${later.map(part)} more`,
);
console.log(
  `client, its file: ${file} bytes gzipped, of ${BOUNDS.file}; documented surfaces: ${beside} more`,
);
if (bundled > BOUNDS.bundled || file > BOUNDS.file) process.exitCode = 1;
