// The package as it would be published: packed, installed into an empty project, used there.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Project } from "./project.mjs";

/** @type {Project} */
let project;
before(async () => {
  project = await Project.with("client", "bell");
});
after(() => project?.end());

test("imports on a server, as ESM and as CommonJS, and defines nothing there", async () => {
  const script =
    "console.log(typeof CampanileBell, typeof BellElement, typeof FramedSnapshot, languages.join());";
  const said = "function function function en,ar,de,es,fr,he,ja";
  const esm = `import { CampanileBell, languages } from "@campanile/bell";
    import { BellElement } from "@campanile/bell/element";
    import { FramedSnapshot } from "@campanile/bell/frames";
    ${script}`;
  assert.equal(await project.says("esm.mjs", esm), said);
  const cjs = `const { CampanileBell, languages } = require("@campanile/bell");
    const { BellElement } = require("@campanile/bell/element");
    const { FramedSnapshot } = require("@campanile/bell/frames");
    ${script}`;
  assert.equal(await project.says("cjs.cjs", cjs), said);
});

test("its types are there, from ESM and CommonJS, and a client is a source", async () => {
  const typed = `import { type CampanileBell, type NotificationSource, type CustomStrings } from "@campanile/bell";
    import { Campanile } from "@campanile/client";
    const source: NotificationSource = new Campanile({ url: "https://a.example", workspace: "w", token: "t" });
    const bell: CampanileBell = document.createElement("campanile-bell");
    bell.client = source;
    bell.token = async (reason) => (reason === "initial" ? "one" : null);
    const strings: CustomStrings = { notifications: "Inbox", unreadCount: { other: "{count}" } };
    bell.strings = strings;
    document.addEventListener("campanile-open", (event) => { const id: string = event.detail.item.id; id.trim(); });
    // @ts-expect-error no such text
    bell.strings = { nothing: "" };`;
  await project.types("typed.mts", typed);
  await project.types("typed.cts", typed);
});

test("has a file for pages without a bundler, that loads its parts from beside it", async () => {
  const script = `import { readFile } from "node:fs/promises";
    import { createRequire } from "node:module";
    const path = createRequire(import.meta.url).resolve("@campanile/bell/browser");
    const text = await readFile(path, "utf8");
    const imports = [...text.matchAll(/(?:from|import\\()"([^"]+)"/g)].map(([, name]) => name);
    console.log(imports.length > 5, imports.every((name) => name.startsWith("./")), /campanile-bell/.test(text));`;
  assert.equal(await project.says("browser.mjs", script), "true true true");
});
