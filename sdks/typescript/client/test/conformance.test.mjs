// Every conformance script, with this client.

import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { play } from "./script.mjs";

const scripts = new URL("../../../conformance/scripts/", import.meta.url);

for (const name of readdirSync(scripts).sort())
  test(name, () => play(JSON.parse(readFileSync(new URL(name, scripts), "utf8"))));
