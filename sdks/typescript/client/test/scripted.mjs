// A server that does what a test says: sockets and requests come to queues, and wait there.

import { once } from "node:events";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { Queue, within } from "./waiting.mjs";

/** @typedef {{method: string, path: string, query: Record<string, string>, headers: import("node:http").IncomingHttpHeaders, body: string, answer: (status: number, body: unknown, headers?: Record<string, string>) => void, cut: () => void, cutShort: (status: number) => void}} Request */

/** @typedef {{status: number, type: string, body: unknown, retryAfter?: number}} Refusal */

/** One socket of a client. */
export class Dialled {
  /** @type {Queue<string>} */
  texts = new Queue();
  /** @type {Promise<number>} */
  closed;

  /**
   * @param {import("ws").WebSocket} socket
   * @param {import("node:stream").Duplex} wire
   * @param {string} path
   * @param {Record<string, string>} query
   */
  constructor(socket, wire, path, query) {
    this.socket = socket;
    this.wire = wire;
    this.path = path;
    this.query = query;
    socket.on("message", (data) => this.texts.push(data.toString()));
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => socket.once("close", resolve));
  }

  /** @param {unknown} frame */
  send(frame) {
    this.socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** Ends without a word. */
  cut() {
    this.wire.destroy();
  }

  /** Ends within a frame: the head of a text of 100 bytes, and ten of them. */
  breakWithinFrame() {
    this.wire.write(Buffer.concat([Buffer.from([0x81, 100]), Buffer.from('{"type":"n')]));
    this.wire.end();
  }
}

export class ScriptedServer {
  /** @type {Queue<Dialled>} */
  dials = new Queue();
  /** @type {Queue<Request>} */
  requests = new Queue();
  /** How a ticket is answered: undefined lets the request wait in `requests`. */
  tickets = true;
  /** @type {Refusal[]} What the next tickets are answered with, one each. */
  refusals = [];
  /** @type {Map<string, [type: string, content: string | Buffer]>} What is there to GET, by path. */
  files = new Map();
  /** @type {string[]} The tokens that tickets were asked with. */
  tokens = [];
  /** @type {Set<import("node:stream").Duplex>} */
  #wires = new Set();
  #http = createServer((request, response) => this.#asked(request, response));
  #sockets = new WebSocketServer({ noServer: true });

  static async start() {
    const server = new ScriptedServer();
    server.#http.on("connection", (wire) => {
      server.#wires.add(wire);
      wire.once("close", () => server.#wires.delete(wire));
    });
    server.#http.on("upgrade", (request, wire, head) => {
      const { pathname, searchParams } = new URL(request.url ?? "", "http://server");
      server.#sockets.handleUpgrade(request, wire, head, (socket) =>
        server.dials.push(new Dialled(socket, wire, pathname, Object.fromEntries(searchParams))),
      );
    });
    server.#http.listen(0, "127.0.0.1");
    await within(once(server.#http, "listening"), "address");
    return server;
  }

  get url() {
    const address = /** @type {import("node:net").AddressInfo} */ (this.#http.address());
    return `http://127.0.0.1:${address.port}`;
  }

  async end() {
    this.#http.close();
    for (const wire of this.#wires) wire.destroy();
    await once(this.#http, "close");
  }

  /**
   * @param {import("node:http").IncomingMessage} request
   * @param {import("node:http").ServerResponse} response
   */
  async #asked(request, response) {
    let body = "";
    for await (const part of request) body += part;
    const { pathname: path, searchParams } = new URL(request.url ?? "", "http://server");
    /** @type {Request["answer"]} */
    const answer = (status, content, headers = {}) => {
      const type = status < 400 ? "application/json" : "application/problem+json";
      response.writeHead(status, { "content-type": type, ...headers });
      response.end(JSON.stringify(content));
    };
    const { method = "", headers } = request;
    const file = this.files.get(path);
    if (file) {
      response.writeHead(200, { "content-type": file[0] });
      response.end(file[1]);
      return;
    }
    const refusal = path === "/v1/tickets" && this.refusals.shift();
    if (refusal) {
      const { status, type, body: said, retryAfter: after } = refusal;
      const more = after === undefined ? {} : { "retry-after": `${after}` };
      response.writeHead(status, { "content-type": type, ...more });
      response.end(typeof said === "string" ? said : JSON.stringify(said));
      return;
    }
    if (path === "/v1/tickets" && this.tickets) {
      this.tokens.push((headers.authorization ?? "").replace("Bearer ", ""));
      answer(201, { ticket: `ticket-${this.tokens.length}`, expiresAt: "2026-01-01T00:01:00.000Z" });
      return;
    }
    this.requests.push({
      method,
      path,
      query: Object.fromEntries(searchParams),
      headers,
      body,
      answer,
      cut: () => request.socket.destroy(),
      cutShort: (/** @type {number} */ status) => {
        response.writeHead(status, { "content-type": "application/json", "content-length": 100 });
        response.write('{"id": ', () => request.socket.destroy());
      },
    });
  }
}

/**
 * A token in the form of a JWT; its signature is nobody's.
 *
 * @param {Record<string, unknown>} claims
 */
export function jwt(claims) {
  const part = (/** @type {unknown} */ value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256" })}.${part(claims)}.c2lnbmF0dXJl`;
}
