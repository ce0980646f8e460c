// Node's `ws`, with what came kept in order so that tests ask for the next thing.

import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";
import { within } from "./waiting.mjs";

/** @typedef {{kind: "text", text: string} | {kind: "binary"} | {kind: "close", code: number, reason: string}} Happening */

/** An upgrade that was answered by something else than 101. */
export class Refused extends Error {
  /** @param {import("node:http").IncomingMessage} response */
  constructor(response) {
    super(`refused with ${response.statusCode}`);
    this.status = response.statusCode;
    this.retryAfter = Number(response.headers["retry-after"]);
  }
}

/** A connected client. */
export class Client {
  /** @type {Happening[]} */
  #happened = [];
  #wake = () => {};

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.socket = socket;
    socket.on("message", (data, isBinary) => {
      this.#handle(isBinary ? { kind: "binary" } : { kind: "text", text: data.toString() });
    });
    socket.on("close", (code, reason) => this.#handle({ kind: "close", code, reason: reason.toString() }));
  }

  /**
   * Connects.
   *
   * @param {string} address
   * @param {import("ws").ClientOptions} [options]
   * @returns {Promise<Client>} rejects with {@link Refused} if there is no upgrade
   */
  static connect(address, options) {
    const socket = new WebSocket(address, options);
    // Listens from the start: frames may come together with the answer to the upgrade.
    const client = new Client(socket);
    const opened = new Promise((resolve, reject) => {
      socket.once("open", () => resolve(client));
      socket.once("unexpected-response", (_request, response) => {
        response.resume();
        reject(new Refused(response));
      });
      socket.once("error", reject);
    });
    return within(opened, "an answer to the upgrade");
  }

  /** @param {Happening} happening */
  #handle(happening) {
    this.#happened.push(happening);
    this.#wake();
  }

  /**
   * The next text or close.
   *
   * @returns {Promise<Happening>}
   */
  async next() {
    if (this.#happened.length === 0) {
      const woken = new Promise((resolve) => {
        this.#wake = () => resolve(undefined);
      });
      await within(woken, "a message or a close");
    }
    return /** @type {Happening} */ (this.#happened.shift());
  }

  /** The next message, which is a text. */
  async text() {
    const next = await this.next();
    if (next.kind !== "text") assert.fail(`a text was expected, not ${JSON.stringify(next)}`);
    return next.text;
  }

  /**
   * The next message as JSON.
   *
   * @returns {Promise<any>}
   */
  async json() {
    return JSON.parse(await this.text());
  }

  /**
   * The close, before which nothing else comes.
   *
   * @returns {Promise<[number, string]>}
   */
  async closed() {
    const next = await this.next();
    if (next.kind !== "close") assert.fail(`a close was expected, not ${JSON.stringify(next)}`);
    return [next.code, next.reason];
  }

  /** @param {string | Buffer | Record<string, unknown>} message An object goes as JSON. */
  send(message) {
    const isPlain = typeof message === "string" || Buffer.isBuffer(message);
    this.socket.send(isPlain ? message : JSON.stringify(message));
  }

  /** Shows that nothing came before the answer to a PING that is sent now. */
  async assertQuiet() {
    this.send("PING");
    assert.deepEqual(await this.json(), { type: "pong" });
  }

  /** A ping of the protocol, and its answer. */
  async ping() {
    const pong = once(this.socket, "pong");
    this.socket.ping("are you there?");
    const [payload] = await within(pong, "a pong");
    return payload.toString();
  }

  /** Closes with 1000; the server echoes. */
  async leave() {
    this.socket.close(1000);
    assert.deepEqual(await this.closed(), [1000, ""]);
  }
}
