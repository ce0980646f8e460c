// The real binary: `campanile serve` on a free port with a data directory of its own.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { productToken, SECRET, seconds, sign, workspaceToken } from "./token.mjs";
import { within } from "./waiting.mjs";

const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../../target", import.meta.url));
/** The binary under test. */
export const BINARY = process.env.CAMPANILE_BIN ?? join(target, "debug", "campanile");

/** @typedef {{id: string, seq: number | null, timestamp: string}} Published */

/** A server in a process of its own. Its end is judged: exit 0, nothing secret and no error in its log. */
export class Server {
  /** @type {Record<string, string>} */
  #environment;
  #data = "";
  #listen = "127.0.0.1:0";
  #log = "";
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #process;
  /** @type {Promise<unknown>} */
  #exited = Promise.resolve();

  /** @param {Record<string, string>} environment Configuration, as CAMPANILE_<SECTION>__<KEY>. */
  constructor(environment = {}) {
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("CAMPANILE_"));
    this.#environment = { ...Object.fromEntries(own), CAMPANILE_SECRET: SECRET, ...environment };
  }

  /** @param {Record<string, string>} environment */
  static async start(environment = {}) {
    const server = new Server(environment);
    server.#data = await mkdtemp(join(tmpdir(), "campanile-clients-"));
    try {
      await server.boot();
    } catch (error) {
      await rm(server.#data, { recursive: true, force: true });
      throw error;
    }
    return server;
  }

  /** Starts the process; returns once it listens. A second start is on the same address and data. */
  async boot() {
    const child = spawn(BINARY, ["serve", "--listen", this.#listen, "--data", this.#data], {
      env: this.#environment,
      stdio: ["ignore", "ignore", "pipe"],
    });
    const kill = () => void child.kill("SIGKILL");
    process.once("exit", kill);
    this.#process = child;
    this.#exited = once(child, "exit").finally(() => process.off("exit", kill));
    const listening = new Promise((resolve, reject) => {
      child.once("error", (cause) =>
        reject(new Error(`${BINARY} can't be started: build it first`, { cause })),
      );
      child.once("exit", () => reject(new Error(`the server ended before it listened:\n${this.#log}`)));
      createInterface({ input: /** @type {import("node:stream").Readable} */ (child.stderr) }).on(
        "line",
        (line) => {
          this.#log += `${line}\n`;
          const entry = line.startsWith("{") ? JSON.parse(line) : {};
          if (entry.message === "listening") resolve(entry.address);
        },
      );
    });
    try {
      this.#listen = await within(listening, "the server to listen");
    } catch (error) {
      this.#process = undefined;
      kill();
      throw error;
    }
  }

  /** Asks the process to read its certificate again. */
  reload() {
    this.#process?.kill("SIGHUP");
  }

  /** What it has logged so far, one JSON object a line. */
  get log() {
    return this.#log;
  }

  /** Ends the process as an operator would, and judges what it leaves. */
  async stop() {
    const child = this.#process;
    assert(child, "the server runs");
    this.#process = undefined;
    const closed = once(child, "close");
    child.kill("SIGTERM");
    await within(this.#exited, "the server to end", 30_000);
    await closed;
    assert.deepEqual([child.exitCode, child.signalCode], [0, null], `the server's end:\n${this.#log}`);
    for (const secret of [SECRET, "eyJ"])
      assert(!this.#log.includes(secret), `secret in the log:\n${this.#log}`);
    assert(!/panicked|"level":"ERROR"/.test(this.#log), `error in the log:\n${this.#log}`);
  }

  /** Ends the process for good. */
  async end() {
    try {
      if (this.#process) await this.stop();
    } finally {
      await rm(this.#data, { recursive: true, force: true });
    }
  }

  /** Whether it speaks TLS. */
  get #secured() {
    return "CAMPANILE_SERVER__TLS__CERT_FILE" in this.#environment;
  }

  /** @param {string} path */
  ws(path) {
    return `${this.#secured ? "wss" : "ws"}://${this.#listen}${path}`;
  }

  /** @param {string} path */
  http(path) {
    return `${this.#secured ? "https" : "http"}://${this.#listen}${path}`;
  }

  /**
   * The documented address of the workspace surface.
   *
   * @param {string} token
   * @param {string} more
   */
  workspace(token, more = "") {
    return this.ws(`/?token=${encodeURIComponent(token)}&workspaceSlug=acme${more}`);
  }

  /**
   * The same for a user whose token is fine.
   *
   * @param {string} user
   * @param {string} more
   */
  workspaceOf(user, more = "") {
    return this.workspace(workspaceToken(user), more);
  }

  /**
   * The documented address of the product surface.
   *
   * @param {string} token
   * @param {string} more
   */
  product(token, more = "") {
    return this.ws(`/api/ws/notification?access_token=${encodeURIComponent(token)}${more}`);
  }

  /**
   * The same for a user whose token is fine.
   *
   * @param {string} user
   * @param {string} more
   */
  productOf(user, more = "") {
    return this.product(productToken(user), more);
  }

  /**
   * What the server answers to a publish.
   *
   * @param {string} workspace
   * @param {unknown} body
   */
  tryPublish(workspace, body) {
    const claims = {
      userId: "backend",
      workspaces: [workspace],
      scope: "notifications:write",
      exp: seconds() + 60,
    };
    return fetch(this.http(`/v1/workspaces/${workspace}/notifications`), {
      method: "POST",
      headers: { authorization: `Bearer ${sign(claims)}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  }

  /**
   * Publishes, and expects 201.
   *
   * @param {string} workspace
   * @param {string} user
   * @param {Record<string, unknown>} fields
   * @returns {Promise<Published>}
   */
  async publish(workspace, user, fields = {}) {
    const body = { to: { user }, title: "A title", message: "A message", ...fields };
    const answer = await this.tryPublish(workspace, body);
    assert.equal(answer.status, 201, await answer.clone().text());
    return /** @type {Promise<Published>} */ (answer.json());
  }

  /**
   * The user's notifications as the product surface's REST route lists them, newest first.
   *
   * @param {string} user
   * @returns {Promise<{id: string, isRead: boolean}[]>}
   */
  async list(user) {
    const headers = { authorization: `Bearer ${productToken(user)}` };
    const answer = await fetch(this.http("/api/notification/list"), { headers });
    assert.equal(answer.status, 200);
    return (await answer.json()).notifications;
  }

  /**
   * The user's inbox in `acme`, newest first.
   *
   * @param {string} user
   * @returns {Promise<{unread: number}>}
   */
  async inbox(user) {
    const headers = { authorization: `Bearer ${workspaceToken(user)}` };
    const answer = await fetch(this.http("/v1/workspaces/acme/inbox"), { headers });
    assert.equal(answer.status, 200);
    return answer.json();
  }

  /**
   * Standard output of another command of the binary, with this server's secret and data directory.
   *
   * @param {string[]} command
   */
  async run(...command) {
    const arguments_ = [...command, "--data", this.#data];
    const { stdout } = await promisify(execFile)(BINARY, arguments_, {
      env: this.#environment,
      timeout: 20_000,
    });
    return stdout.trim();
  }
}
