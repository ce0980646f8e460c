// What a page loads: the bell with its client, as `dist/browser` has it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const LIMIT = 25 * 1024;
const source = fileURLToPath(new URL("../src/", import.meta.url));

/** Bundled and minified, in bytes after gzip. @param {string} entry */
async function sizes(entry) {
  const { outputFiles, metafile } = await build({
    entryPoints: { bell: source + entry },
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    target: "es2022",
    outdir: "/",
    write: false,
    metafile: true,
  });
  const gzipped = outputFiles.map(({ path, contents }) => ({
    name: path.slice(1),
    bytes: gzipSync(contents, { level: 9 }).length,
  }));
  // Loaded at once is what the entry imports, and what that imports; languages are loaded when they are asked for.
  const outputs = Object.entries(metafile.outputs).map(([path, output]) => ({
    name: path.split("/").pop(),
    ...output,
  }));
  const first = new Set(["bell.js"]);
  for (const name of first)
    for (const { path, kind } of outputs.find((output) => output.name === name)?.imports ?? [])
      if (kind === "import-statement") first.add(path.split("/").pop() ?? "");
  const sum = (/** @type {typeof gzipped} */ files) => files.reduce((total, { bytes }) => total + bytes, 0);
  return {
    first: sum(gzipped.filter(({ name }) => first.has(name))),
    languages: gzipped.filter(({ name }) => /^[a-z]{2}-/.test(name) && !first.has(name)),
  };
}

test("bell and client together are at most 25 KiB, gzipped", async (t) => {
  const { first, languages } = await sizes("index.ts");
  const alone = (await sizes("element.ts")).first;
  const largest = Math.max(...languages.map(({ bytes }) => bytes));
  t.diagnostic(`bell with client: ${first} bytes gzipped, of ${LIMIT}; bell alone: ${alone}`);
  t.diagnostic(`${languages.length} languages, each loaded when needed: at most ${largest} bytes`);
  assert.equal(languages.length, 6);
  assert(first <= LIMIT, `${first} bytes, not ${LIMIT}`);
});
