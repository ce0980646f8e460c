// Says what the client costs a page, minified and gzipped, and fails above the bound.

import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const BOUND = 8_192;

const { outputFiles } = await build({
  stdin: {
    contents: 'export { Campanile } from "./src/index.ts";',
    resolveDir: fileURLToPath(new URL(".", import.meta.url)),
  },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  write: false,
});
const code = outputFiles[0]?.contents ?? new Uint8Array();
const size = gzipSync(code, { level: 9 }).length;
console.log(`client: ${size} bytes gzipped (${code.length} minified), of ${BOUND}`);
if (size > BOUND) process.exitCode = 1;
