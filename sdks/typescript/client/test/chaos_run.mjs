// A client of the real server behind a bad network: nothing lost, nothing twice, the badge right.

import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { WebSocket } from "ws";
import { Server } from "../../../../tests/clients/node/server.mjs";
import { seconds, sign, workspaceToken } from "../../../../tests/clients/node/token.mjs";
import { Campanile } from "../dist/esm/index.js";
import { BadNetwork, seeded } from "./bad_network.mjs";
import { until } from "./waiting.mjs";

const HEARTBEAT_MS = 25_000;

/**
 * One run of a seed, with so many reconnects.
 *
 * @param {import("node:test").TestContext} t
 * @param {number} seed
 * @param {number} reconnects
 */
export async function chaos(t, seed, reconnects) {
  const server = await Server.start();
  const network = new BadNetwork(Number(new URL(server.http("/")).port), seeded(seed));
  const clock = new FastClock();
  const client = new Campanile({
    url: `http://127.0.0.1:${await network.listen()}`,
    workspace: "acme",
    token: () => workspaceToken("alice"),
    WebSocket: /** @type {any} */ (WebSocket),
    maxItems: 1_000_000,
    pageSize: 100,
    environment: clock,
  });
  const random = seeded(seed + 1);
  const deeds = new Deeds(server, client, random);
  /** @type {string[]} */
  const received = [];
  let lives = 0;
  let resyncs = 0;
  client.on("notification", ({ id }) => received.push(id));
  client.on("resync", () => resyncs++);
  client.on("state", ({ state }) => {
    lives += Number(state === "live");
  });
  try {
    client.connect();
    await until(
      client,
      ({ state, loading }) => state === "live" && !loading,
      () => "it is not live",
    );
    while (lives <= reconnects) {
      if (random() < 0.15) network.cut();
      // So that a client that is away is not left behind by more than a server replays.
      else if (random() < 0.3 || client.state !== "live") await wait(random() * 20);
      else await deeds.one();
    }
    network.bad = false;
    network.cut();
    await deeds.publish();
    const { published } = deeds;
    await until(
      client,
      ({ state, items }) => state === "live" && items[0]?.id === published.at(-1),
      () => `the last one did not come: ${client.state}`,
    );
    deeds.judge(received);
    assert.equal(resyncs, 0, "nothing had to be read again");

    // In peace: whatever happens, the badge is right within a heartbeat, on one connection.
    clock.faster = 1;
    network.cut();
    await until(
      client,
      ({ state }) => state !== "live",
      () => "it is live without a connection",
    );
    await until(
      client,
      ({ state }) => state === "live",
      () => "it does not come back",
    );
    const life = lives;
    for (let n = 0; n < 50; n++) await deeds.one(true);
    const inbox = await whole(server);
    const right = () => client.getSnapshot().unread === inbox.unread;
    for (const end = Date.now() + HEARTBEAT_MS; !right() && Date.now() < end; ) await wait(50);
    assert.equal(client.getSnapshot().unread, inbox.unread, "the badge is the server's count");
    // Where only a place told what was read, the list was begun anew.
    while (client.state === "live" && client.getSnapshot().hasMore) await client.loadMore();
    const { items } = client.getSnapshot();
    const shown = (/** @type {any} */ { id, read, seen, title }) => ({ id, read, seen, title });
    assert.deepEqual(items.map(shown), inbox.items.map(shown), "the list is the inbox");
    deeds.judge(received);
    assert.equal(lives, life, "the connection held");
    t.diagnostic(`${published.length} entries, ${lives} lives, faults ${JSON.stringify(network.faults)}`);
  } finally {
    client.close();
    await network.end();
    await server.end();
  }
}

/** Chance that never waits for longer than it must, and a clock that runs ten times faster than the true one, so that back-off and patience are a tenth; until it is told otherwise. */
class FastClock {
  #faster = 10;
  #then = Date.now();
  #at = Date.now();

  random = () => 0;
  now = () => this.#at + (Date.now() - this.#then) * this.#faster;
  setTimeout = (/** @type {() => void} */ then, /** @type {number} */ ms) =>
    setTimeout(then, ms / this.#faster);

  set faster(/** @type {number} */ times) {
    this.#at = this.now();
    this.#then = Date.now();
    this.#faster = times;
  }
}

/** What happens to alice's inbox: from her client, from another device, from producers. */
class Deeds {
  /** @type {string[]} The ids of alice's entries, in order. */
  published = [];
  /** @type {Set<string>} Those that were taken back or superseded: who was away need not hear of them. */
  gone = new Set();
  #build = "";

  /**
   * @param {Server} server
   * @param {Campanile} client
   * @param {() => number} random
   */
  constructor(server, client, random) {
    this.server = server;
    this.client = client;
    this.random = random;
  }

  async publish(more = {}) {
    const title = `Number ${this.published.length}`;
    const { id } = await this.server.publish("acme", "alice", { title, ...more });
    this.published.push(id);
    return id;
  }

  /**
   * What was received is the log: in order, nothing twice, and nothing left out but what is gone.
   *
   * @param {string[]} received
   */
  judge(received) {
    const { gone, published } = this;
    const heard = new Set(received);
    const due = published.filter((id) => heard.has(id) || !gone.has(id));
    assert.deepEqual(received, due, "what was received is the log");
  }

  /** Something at random. `settled`: what the client does is awaited. */
  async one(settled = false) {
    const { client, random } = this;
    const { items } = client.getSnapshot();
    const { id = "" } = items[Math.floor(random() * Math.min(items.length, 20))] ?? {};
    const draw = random();
    if (draw < 0.4 || !id) await this.publish();
    else if (draw < 0.46) await this.#supersede();
    else if (draw < 0.58) await this.#change(draw < 0.52);
    else if (draw < 0.64) await this.server.publish("acme", "bob");
    else if (draw < 0.72) await this.#elsewhere(id, random() < 0.5 ? "read" : "unread");
    else if (draw < 0.81) client.read(id);
    else if (draw < 0.88) client.unread(id);
    else if (draw < 0.94) client.archive(id);
    else if (draw < 0.97) client.seen();
    else client.readAll();
    // The other end has done it once it has answered: a round trip is as good as any.
    if (settled) await wait(20);
  }

  async #supersede() {
    const former = this.#build;
    this.#build = await this.publish({ collapseKey: "build" });
    this.gone.add(former);
  }

  /** Says one of the newest entries anew, or takes it back. */
  async #change(anew = false) {
    const { gone, random } = this;
    const there = this.published.slice(-20).filter((id) => !gone.has(id));
    const id = there[Math.floor(random() * there.length)];
    if (id === undefined) return;
    const claims = { userId: "backend", workspaces: ["acme"], scope: "notifications:write" };
    const headers = {
      authorization: `Bearer ${sign({ ...claims, exp: seconds() + 60 })}`,
      "content-type": "application/json",
    };
    const body = anew ? JSON.stringify({ title: `Anew ${Math.floor(random() * 1e6)}` }) : null;
    const url = this.server.http(`/v1/workspaces/acme/notifications/${id}`);
    const answer = await fetch(url, { method: anew ? "PATCH" : "DELETE", headers, body });
    assert(answer.ok, await answer.text());
    if (!anew) gone.add(id);
  }

  /**
   * @param {string} id
   * @param {"read" | "unread"} action
   */
  async #elsewhere(id, action) {
    const headers = { authorization: `Bearer ${workspaceToken("alice")}` };
    const url = this.server.http(`/v1/workspaces/acme/inbox/${id}/${action}`);
    const answer = await fetch(url, { method: "POST", headers });
    assert(answer.ok || (answer.status === 404 && this.gone.has(id)), await answer.text());
  }
}

/**
 * The whole inbox of alice.
 *
 * @param {Server} server
 */
async function whole(server) {
  const items = [];
  for (let older = ""; ; ) {
    const headers = { authorization: `Bearer ${workspaceToken("alice")}` };
    const answer = await fetch(server.http(`/v1/workspaces/acme/inbox?limit=100${older}`), { headers });
    assert.equal(answer.status, 200);
    const page = await answer.json();
    items.push(...page.items);
    if (page.older === null) return { items, unread: page.unread };
    older = `&before=${page.older}`;
  }
}
