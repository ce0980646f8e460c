// Says what the published client costs a page on the native surface, minified and gzipped, and fails above the bounds: bundled by an
// application, and as the file for pages without a bundler. The documented surfaces are a part of their own, loaded by whom they are
// asked for. Nothing else is: whatever else there is, every page of a browser needs at once, or just when nothing can be loaded.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundled, gzipped } from "./bundled.mjs";

/** Bytes. The aim is 8 KiB, 8,192. */
const BOUNDS = { bundled: 10_070, file: 9_620 };

const here = fileURLToPath(new URL(".", import.meta.url));

// As an application imports it: by the package's own name and `exports`, so what is measured is `dist`. esbuild's names are the longest,
// once they are gzipped: with terser, swc or oxc it is about 450 bytes less.
const { atOnce, later } = await bundled('export { Campanile } from "@campanile/client";', here);

// The same as `dist/browser` has it: one file, and that of the documented surfaces.
const browser = `${here}dist/browser/`;
const [file, ...beside] = readdirSync(browser)
  .filter((name) => name.endsWith(".js"))
  .map((name) => gzipped(readFileSync(browser + name)));

console.log(
  `client, bundled: ${atOnce} bytes gzipped, of ${BOUNDS.bundled}; documented surfaces: ${later} more`,
);
console.log(
  `client, its file: ${file} bytes gzipped, of ${BOUNDS.file}; documented surfaces: ${beside} more`,
);
if (atOnce > BOUNDS.bundled || file > BOUNDS.file) process.exitCode = 1;
