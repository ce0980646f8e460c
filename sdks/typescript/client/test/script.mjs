// Plays one conformance script: the server's part of it, and what it says of the client.

import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { Campanile } from "../dist/esm/index.js";
import { Clock } from "./clock.mjs";
import { jwt, ScriptedServer } from "./scripted.mjs";
import { until } from "./waiting.mjs";

/** @typedef {Record<string, any>} Step */
/** @typedef {{name: string, surface: "native" | "workspace" | "product", options: {workspace?: string, user: string, tokenLifeMs?: number}, values?: Record<string, unknown>, steps: Step[]}} Script */

/** @param {Script} script */
export async function play(script) {
  const player = new Player(script, await ScriptedServer.start());
  try {
    for (const [at, step] of script.steps.entries()) {
      await player.step(step).catch((error) => {
        const context = `step ${at + 1}, ${JSON.stringify(step)}: ${error.message}`;
        throw new Error(`${context}; errors told: ${player.errors}`, { cause: error });
      });
    }
    player.judge();
  } finally {
    await player.end();
  }
}

class Player {
  #clock = new Clock();
  /** @type {Map<string, unknown>} */
  #bound = new Map();
  /** @type {import("./scripted.mjs").Dialled[]} */
  #sockets = [];
  #tokens = 0;
  #online = true;
  /** @type {((event: "online" | "offline") => void) | undefined} Tells the client what the platform says. */
  #tell;
  /** @type {string[]} */
  errors = [];

  /**
   * @param {Script} script
   * @param {ScriptedServer} server
   */
  constructor(script, server) {
    this.script = script;
    this.server = server;
    const { setTimeout, clearTimeout, now } = this.#clock;
    this.client = new Campanile({
      url: server.url,
      workspace: script.options.workspace,
      surface: script.surface,
      token: this.#token,
      WebSocket: /** @type {any} */ (WebSocket),
      environment: { setTimeout, clearTimeout, now, page: this.#page },
    });
    this.client.on("error", (error) => this.errors.push(`${error.code} ${error.detail.cause ?? ""}`));
  }

  /** A page that is seen all the time. @param {(event: "online" | "offline" | "visible") => void} told */
  #page = (told) => {
    this.#tell = told;
    told(this.#online ? "online" : "offline");
    told("visible");
    return () => {
      this.#tell = undefined;
    };
  };

  /** Another token each time. */
  #token = () => {
    const { user, tokenLifeMs = 3_600_000 } = this.script.options;
    const exp = (this.#clock.now() + tokenLifeMs) / 1_000;
    return jwt({ userId: user, exp, jti: `token-${++this.#tokens}` });
  };

  /** @param {Step} step */
  async step(step) {
    const { client } = this;
    const socket = /** @type {import("./scripted.mjs").Dialled} */ (
      this.#sockets.at((step.socket ?? this.#sockets.length) - 1)
    );
    if ("do" in step) this.#do(step.do, step.id && /** @type {string} */ (this.#filled(step.id)));
    else if ("cause" in step) return;
    else if ("refuse" in step) this.server.refusals.push(step.refuse);
    else if ("dial" in step) {
      const dialled = await this.server.dials.next("dial");
      this.#sockets.push(dialled);
      this.#same(step.dial.query, dialled.query, "query");
      for (const name of step.dial.absent ?? []) assert(!(name in dialled.query), `${name} is absent`);
    } else if ("send" in step) socket.send(this.#filled(step.send));
    else if ("expect" in step) {
      const text = await socket.texts.next("frame");
      this.#same(step.expect, typeof step.expect === "string" ? text : JSON.parse(text), "frame");
    } else if ("http" in step) {
      const { method, path, query, body } = step.http;
      const asked = await this.server.requests.next("request", (one) => one.method === method);
      assert.equal(asked.path, this.#filled(path));
      this.#same(query ?? {}, asked.query, "query");
      if (body) this.#same(body, JSON.parse(asked.body), "body");
      asked.answer(step.answer.status, this.#filled(step.answer.body));
    } else if ("close" in step) {
      const { code, reason } = step.close;
      if (step.by !== "client") socket.socket.close(code, reason);
      else if (code) assert.equal(await socket.closed, code);
      else await socket.closed;
    } else if (step.fault === "cut") socket.cut();
    else if (step.fault === "half_frame") socket.breakWithinFrame();
    else if (step.fault === "silence") return;
    else if ("pass" in step) await this.#clock.pass(step.pass);
    else if ("state" in step) {
      const shows = (/** @type {unknown} */ value) => {
        try {
          this.#same(step.state, value, "state", true);
          return true;
        } catch {
          return false;
        }
      };
      await until(client, shows, () => {
        const { items, ...rest } = client.getSnapshot();
        return `it shows ${JSON.stringify({ ...rest, items: items.map(({ id, read, seen }) => ({ id, read, seen })) })}`;
      });
    } else assert.fail("an unknown step");
  }

  /** Nothing may be left over. */
  judge() {
    const { dials, requests, refusals } = this.server;
    assert.deepEqual(refusals, [], "refusals left over");
    assert.deepEqual(
      dials.left.map(({ query }) => query),
      [],
      "dials left over",
    );
    assert.deepEqual(
      requests.left.map(({ path, query }) => ({ path, query })),
      [],
      "requests left over",
    );
    for (const { texts } of this.#sockets) assert.deepEqual(texts.left, [], "frames left over");
  }

  async end() {
    this.client.close();
    await this.server.end();
  }

  /**
   * @param {string} what
   * @param {string} id
   */
  #do(what, id) {
    const { client } = this;
    const network = (/** @type {boolean} */ online) => {
      this.#online = online;
      this.#tell?.(online ? "online" : "offline");
    };
    /** @type {Record<string, () => unknown>} */
    const deeds = {
      connect: () => client.connect(),
      disconnect: () => client.disconnect(),
      close: () => client.close(),
      retry: () => client.retry(),
      offline: () => network(false),
      online: () => network(true),
      token: () => client.update({ token: () => this.#token() }),
      read: () => client.read(id),
      unread: () => client.unread(id),
      archive: () => client.archive(id),
      read_all: () => client.readAll(),
      seen: () => client.seen(),
      load_more: () => void client.loadMore(),
    };
    assert(deeds[what], `${what} is nothing that a client does`);
    deeds[what]();
  }

  /**
   * A value with its placeholders filled in.
   *
   * @param {any} value
   * @returns {unknown}
   */
  #filled(value) {
    if (Array.isArray(value)) return value.map((one) => this.#filled(one));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.#filled(one)]));
    if (typeof value !== "string" || !value.startsWith("$")) return value;
    const name = value.slice(1);
    if (name.startsWith("time"))
      return new Date(this.#clock.now() + Number(name.slice(4) || 0)).toISOString();
    if (!this.#bound.has(name)) this.#bound.set(name, this.script.values?.[name] ?? name);
    return this.#bound.get(name);
  }

  /**
   * Whether a value is what the script says, member by member. What is not bound yet is bound.
   *
   * @param {any} said
   * @param {any} value
   * @param {string} where
   * @param {boolean} soon Nothing is bound by what may still change.
   */
  #same(said, value, where, soon = false) {
    if (typeof said === "string" && said.startsWith("$")) {
      const name = said.slice(1);
      if (name.startsWith("time")) assert(!Number.isNaN(Date.parse(value)), `${where} is a time`);
      else if (this.#bound.has(name)) assert.equal(`${value}`, `${this.#bound.get(name)}`, where);
      else if (!soon && value !== undefined) this.#bind(name, value);
      else assert.fail(`${where} is missing`);
    } else if (Array.isArray(said)) {
      assert.equal(value?.length, said.length, `length of ${where}`);
      for (const [at, one] of said.entries()) this.#same(one, value[at], `${where}[${at}]`, soon);
    } else if (said && typeof said === "object") {
      assert(value, `${where} is there`);
      for (const [name, one] of Object.entries(said)) this.#same(one, value[name], `${where}.${name}`, soon);
    } else assert.equal(value, said, where);
  }

  /**
   * @param {string} name
   * @param {unknown} value
   */
  #bind(name, value) {
    if (name.startsWith("token"))
      for (const [other, former] of this.#bound)
        assert(!other.startsWith("token") || former !== value, `${name} is not ${other}`);
    this.#bound.set(name, value);
  }
}
