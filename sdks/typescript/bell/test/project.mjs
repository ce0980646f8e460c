// Packages as they would be published, in an empty project that installed them.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));
const TSC = join(createRequire(import.meta.url).resolve("typescript/package.json"), "../bin/tsc");

/** An otherwise empty project. */
export class Project {
  /** @param {string} directory */
  constructor(directory) {
    this.directory = directory;
  }

  /** @param {...string} workspaces the packages of this repository; what else they need is installed with them */
  static async with(...workspaces) {
    const project = new Project(await mkdtemp(join(tmpdir(), "campanile-package-")));
    const pack = ["pack", "--json", "--pack-destination", project.directory];
    const { stdout } = await run("npm", [...pack, ...workspaces.flatMap((name) => ["--workspace", name])], {
      cwd: root,
    });
    // Before the answer, npm lets the build scripts speak.
    const packed = JSON.parse(stdout.slice(stdout.search(/^[[{]/m)));
    const files = Object.values(packed).map(({ filename }) => `./${filename}`);
    await project.write("package.json", '{ "private": true, "type": "module" }');
    await project.install(...files);
    return project;
  }

  /** @param {...string} packages */
  install(...packages) {
    const install = ["install", "--no-audit", "--no-fund", "--prefer-offline", "--legacy-peer-deps"];
    return run("npm", [...install, ...packages], { cwd: this.directory });
  }

  /** @param {string} name @param {string} content */
  write(name, content) {
    return writeFile(join(this.directory, name), content);
  }

  /** Runs a script of the project, and gives what it prints. @param {string} name @param {string} content */
  async says(name, content) {
    await this.write(name, content);
    return (await run(process.execPath, [name], { cwd: this.directory })).stdout.trim();
  }

  /** Checks a module's types, with declarations of the packages checked too. @param {string} name @param {string} content @param {object} [options] */
  async types(name, content, options = {}) {
    await this.write(name, content);
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: "ES2022",
      lib: ["ES2022", "DOM", "DOM.Iterable"],
      module: "NodeNext",
      types: [],
      ...options,
    };
    await this.write("tsconfig.json", JSON.stringify({ compilerOptions, files: [name] }));
    await run(process.execPath, [TSC], { cwd: this.directory }).catch(({ stdout }) => assert.fail(stdout));
  }

  end() {
    return rm(this.directory, { recursive: true, force: true });
  }
}
