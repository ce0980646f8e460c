// The real server, devices of users that are connected to it, and what is done to it. Skips where `CAMPANILE_BIN` names no server.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { WebSocket } from "ws";
import { Server } from "../../../../../tests/clients/node/server.mjs";
import { seconds, sign, workspaceToken } from "../../../../../tests/clients/node/token.mjs";
import { Campanile } from "../../dist/esm/index.js";
import { within } from "../waiting.mjs";

/** @typedef {import("../../dist/esm/index.js").Options} Options */

/** Why the tests of this folder do not run; false: they do. */
export const skip = process.env.CAMPANILE_BIN ? false : "CAMPANILE_BIN names no server";

/** A token that may publish. */
export const producerToken = (workspace = "acme") =>
  sign({
    userId: "backend",
    workspaces: [workspace],
    scope: "notifications:write",
    exp: seconds() + 60,
  });

/**
 * What a client told of an event, so far.
 *
 * @param {Campanile} client
 * @param {"notification" | "update" | "retract" | "resync" | "error"} event
 */
export function told(client, event) {
  /** @type {any[]} */
  const all = [];
  client.on(event, (/** @type {any[]} */ ...one) => all.push(one));
  return all;
}

/** The server of a file, and its clients. Both end with the file. */
export class Place {
  /** @type {Campanile[]} */
  #clients = [];
  /** @type {Server | undefined} */
  #server;

  constructor() {
    if (skip) return;
    before(async () => {
      this.#server = await Server.start();
    });
    after(async () => {
      for (const client of this.#clients) client.close();
      await this.#server?.end();
    });
  }

  get server() {
    assert(this.#server, "the server runs");
    return this.#server;
  }

  /**
   * A client that connects.
   *
   * @param {string} user
   * @param {Partial<Options>} more
   */
  device(user, more = {}) {
    const client = new Campanile({
      url: this.server.http(""),
      workspace: "acme",
      token: () => workspaceToken(user),
      WebSocket: /** @type {any} */ (WebSocket),
      ...more,
    });
    this.#clients.push(client);
    client.connect();
    return client;
  }

  /**
   * Changes a notification, or takes it back.
   *
   * @param {"PATCH" | "DELETE"} method
   * @param {string} id
   * @param {unknown} body
   */
  async change(method, id, body = undefined) {
    const answer = await fetch(this.server.http(`/v1/workspaces/acme/notifications/${id}`), {
      method,
      headers: { authorization: `Bearer ${producerToken()}`, "content-type": "application/json" },
      body: body ? JSON.stringify(body) : null,
    });
    assert(answer.ok, await answer.text());
  }

  /**
   * Waits until so many are unread on the server: a client shows what its user does before the server has done it.
   *
   * @param {string} user
   * @param {number} unread
   */
  counted(user, unread) {
    const look = async () => {
      while ((await this.server.inbox(user)).unread !== unread) await new Promise(setImmediate);
    };
    return within(look(), "receipt on the server");
  }
}
