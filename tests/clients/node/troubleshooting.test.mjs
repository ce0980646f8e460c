// docs/troubleshooting.md: each cause that it names is brought about here, has the sign that it says, and is cured as it
// says. A test is called as the cause's heading is, and the last one holds both lists against each other.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { tested } from "./troubleshooting/symptom.mjs";
import "./troubleshooting/connection_fails.mjs";
import "./troubleshooting/nothing_arrives.mjs";
import "./troubleshooting/connection_drops.mjs";

test("each cause of the document is tested, and each tested cause is in the document", async () => {
  const text = await readFile(new URL("../../../docs/troubleshooting.md", import.meta.url), "utf8");
  /** @type {Map<string, string[]>} */
  const written = new Map();
  for (const section of text.split(/^## /m).slice(1)) {
    const [heading = "", ...causes] = section.split(/^### /m);
    for (const cause of causes)
      for (const part of ["**Sign:**", "**Cause:**", "**Cure:**"])
        assert(cause.includes(part), `${cause}: ${part}`);
    const names = causes.map((cause) => cause.split("\n")[0] ?? "");
    if (names.length > 0) written.set(heading.split("\n")[0] ?? "", names);
  }
  assert.deepEqual(written, tested);
});
