// Builds `dist`: every module as ESM and as CommonJS, each beside its declarations, and for pages without a bundler
// one small file, and a second one that it loads for the documented surfaces.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { minify } from "terser";

process.chdir(fileURLToPath(new URL(".", import.meta.url)));
const modules = readdirSync("src", { recursive: true })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => `src/${name}`);
const common = { target: "es2022", sourcemap: true, logLevel: "warning" };

rmSync("dist", { recursive: true, force: true });
await build({ ...common, entryPoints: modules, outbase: "src", outdir: "dist/esm", format: "esm" });
await build({ ...common, entryPoints: modules, outbase: "src", outdir: "dist/cjs", format: "cjs" });

// Nobody bundles these any more, so the names are terser's: they come to 5 % less than esbuild's, once they are gzipped.
const { outputFiles } = await build({
  ...common,
  entryPoints: ["src/index.ts"],
  bundle: true,
  splitting: true,
  minifySyntax: true,
  format: "esm",
  outdir: "dist/browser",
  entryNames: "campanile.min",
  write: false,
});
mkdirSync("dist/browser");
for (const { path, text } of outputFiles.filter(({ path }) => path.endsWith(".js"))) {
  const content = outputFiles.find((file) => file.path === `${path}.map`).text;
  const sourceMap = { content, url: `${basename(path)}.map`, includeSources: true };
  const { code, map } = await minify(text, { module: true, ecma: 2020, compress: { passes: 2 }, sourceMap });
  writeFileSync(path, code);
  writeFileSync(`${path}.map`, map);
}

const tsc = createRequire(import.meta.url)
  .resolve("typescript/package.json")
  .replace(/package\.json$/, "bin/tsc");
execFileSync(process.execPath, [tsc, "--emitDeclarationOnly"], { stdio: "inherit" });
cpSync("dist/esm", "dist/cjs", {
  recursive: true,
  filter: (from) => !/\.js(\.map)?$/.test(from),
});
writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');
