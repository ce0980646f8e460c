// Says what the published client costs a page on the native surface, bundled, minified and gzipped, and fails above the bound. The
// documented surfaces are a part of their own, loaded by whom they are asked for.

import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Bytes. The aim is 8 KiB, 8,192. */
const BOUND = 9_800;

// As an application imports it: by the package's own name and `exports`, so what is measured is `dist`.
const { outputFiles, metafile } = await build({
  stdin: {
    contents: 'export { Campanile } from "@campanile/client";',
    resolveDir: fileURLToPath(new URL(".", import.meta.url)),
  },
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  target: "es2022",
  outdir: "/",
  write: false,
  metafile: true,
});
const size = (/** @type {string} */ name) => {
  const part = outputFiles.find(({ path }) => path.endsWith(`/${name.split("/").pop()}`));
  return gzipSync(part.contents, { level: 9 }).length;
};

// Loaded at once is the entry with all that it imports; what else there is, it loads when it is asked to.
const entry = Object.keys(metafile.outputs).find((name) => metafile.outputs[name].entryPoint === "<stdin>");
const first = new Set([entry]);
for (const name of first)
  for (const { path, kind } of metafile.outputs[name].imports)
    if (kind === "import-statement") first.add(path);
const later = Object.keys(metafile.outputs).filter((name) => !first.has(name));
const total = [...first].reduce((sum, name) => sum + size(name), 0);
console.log(`client: ${total} bytes gzipped, of ${BOUND}; documented surfaces: ${later.map(size)} more`);
if (total > BOUND) process.exitCode = 1;
