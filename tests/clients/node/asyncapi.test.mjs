// docs/asyncapi.json, judged by AsyncAPI's own schema, and docs/native.schema.json, to which it refers.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";

const require = createRequire(import.meta.url);

/** @param {string} name */
const read = async (name) =>
  JSON.parse(await readFile(new URL(`../../../docs/${name}`, import.meta.url), "utf8"));

// Its own reading of JSON Schema, which the one of the definitions are written in, is among the definitions.
const official = require("@asyncapi/specs/schemas/3.0.0-without-$id.json");
const fits = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(official);

/**
 * What the official schema objects to.
 *
 * @param {unknown} document
 */
function objections(document) {
  fits(document);
  return fits.errors ?? [];
}

/**
 * Every place that a document refers to.
 *
 * @param {unknown} value
 * @returns {string[]}
 */
function references(value) {
  if (!value || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === "$ref" ? [String(inner)] : references(inner),
  );
}

test("it is a document of AsyncAPI 3.0", async () => {
  const document = await read("asyncapi.json");
  assert.deepEqual(objections(document), []);
  // It would not be, if it said otherwise.
  const { servers, operations, info, ...rest } = document;
  const { protocol: _, ...vague } = servers.local;
  for (const broken of [
    { ...rest, servers, operations },
    { ...rest, info, operations, servers: { local: vague } },
    { ...rest, info, servers, operations: { ...operations, tell: { ...operations.tell, action: "shout" } } },
  ])
    assert.notDeepEqual(objections(broken), []);
});

test("whatever it refers to is there", async () => {
  const document = await read("asyncapi.json");
  const judge = new Ajv2020({ strict: false, validateFormats: false });
  judge.addSchema(await read("native.schema.json"), "native.schema.json");
  const all = references(document);
  assert(all.length > 20, `${all.length} references`);
  for (const reference of all) {
    const within = reference.startsWith("#/") && reference.slice(2).split("/");
    const found = within
      ? within.reduce((inner, name) => inner?.[name], document)
      : judge.getSchema(reference);
    assert(found, reference);
  }
});
