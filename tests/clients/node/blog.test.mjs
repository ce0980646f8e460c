// The example of a blog, as its README shows it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { BINARY } from "./server.mjs";

const BLOG = new URL("../../../examples/blog/", import.meta.url);

test("the blog tells a post's author of comments, and of none of their own", async () => {
  const program = fileURLToPath(new URL("blog.mjs", BLOG));
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("CAMPANILE_"));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--experimental-websocket", "--no-warnings", program],
    { env: { ...Object.fromEntries(own), CAMPANILE_BIN: BINARY }, timeout: 60_000 },
  );
  const readme = await readFile(new URL("README.md", BLOG), "utf8");
  const shown = readme.split("```\n").find((block) => block.includes("was told of"));
  assert.equal(stdout, shown);
});
