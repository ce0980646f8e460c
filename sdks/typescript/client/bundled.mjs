// What a page loads of a package, as an application bundles it.

import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** @param {Uint8Array} contents */
export const gzipped = (contents) => gzipSync(contents, { level: 9 }).length;

/**
 * Bundles a module as esbuild does for browsers, minified; says the bytes, gzipped, of what is loaded at once, which is the module with
 * all that it imports, and of each part that it loads when it is asked to.
 *
 * @param {string} contents The module: what an application imports.
 * @param {string} resolveDir Where its packages are found.
 */
export async function bundled(contents, resolveDir) {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir },
    bundle: true,
    splitting: true,
    minify: true,
    platform: "browser",
    format: "esm",
    target: "es2022",
    outdir: "/",
    write: false,
    metafile: true,
    logLevel: "error",
  });
  const part = (/** @type {string} */ name) =>
    gzipped(outputFiles.find(({ path }) => path.endsWith(`/${name.split("/").pop()}`)).contents);
  const entry = Object.keys(metafile.outputs).find((name) => metafile.outputs[name].entryPoint === "<stdin>");
  const first = new Set([entry]);
  for (const name of first)
    for (const { path, kind } of metafile.outputs[name].imports)
      if (kind === "import-statement") first.add(path);
  const later = Object.keys(metafile.outputs).filter((name) => !first.has(name));
  return { atOnce: [...first].reduce((sum, name) => sum + part(name), 0), later: later.map(part) };
}
