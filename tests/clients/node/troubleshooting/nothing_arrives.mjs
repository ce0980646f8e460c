// Why nothing arrives.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Client } from "../client.mjs";
import { seconds, workspaceToken } from "../token.mjs";
import { call, servers, symptom } from "./symptom.mjs";

/** @param {Record<string, unknown>} fields */
const event = (fields) => ({
  specversion: "1.0",
  id: crypto.randomUUID(),
  source: "/shop",
  data: {},
  ...fields,
});

symptom("Not receiving notifications", {
  "The connection is not open": async () => {
    // It was, for a moment: a refusal is a close that follows an open.
    const socket = await Client.connect(
      servers.plain.workspace(workspaceToken("amy", { exp: seconds() - 1 })),
    );
    assert.deepEqual(await socket.closed(), [4003, "token expired"]);
    await servers.plain.publish("acme", "amy");
    assert.equal(socket.socket.readyState, 3);
  },
  "The publish was refused": async () => {
    const draft = { to: { user: "bess" }, title: "T", message: "M" };
    const client = await Client.connect(servers.plain.workspaceOf("bess"));
    const refused = await call("POST", "/notifications", draft, "events:write");
    assert.deepEqual([refused.status, refused.body.code], [403, "scope_missing"]);
    const wrong = await call("POST", "/notifications", { ...draft, title: undefined });
    assert.equal(wrong.status, 422);
    await client.assertQuiet();
    const { status, body } = await call("POST", "/notifications", draft);
    assert.deepEqual([status, (await client.json()).id], [201, body.id]);
    await client.leave();
  },
  "It is for another user or workspace": async () => {
    const client = await Client.connect(servers.plain.workspaceOf("cora"));
    await servers.plain.publish("acme", "Cora");
    await servers.plain.publish("other", "cora");
    await client.assertQuiet();
    await servers.plain.publish("acme", "cora");
    await client.json();
    await client.leave();
  },
  "The user is subscribed to no topic": async () => {
    const client = await Client.connect(servers.plain.workspaceOf("demi"));
    const draft = { to: { topic: "sales" }, title: "T", message: "M" };
    assert.equal((await call("POST", "/notifications", draft)).status, 201);
    await client.assertQuiet();
    assert.deepEqual((await call("GET", "/topics/sales/subscribers")).body.users, []);
    assert.equal((await call("POST", "/topics/sales/subscribers", { users: ["demi"] })).status, 200);
    const { body } = await call("POST", "/notifications", draft);
    assert.equal((await client.json()).id, body.id);
    await client.leave();
  },
  "No rule matches the event": async () => {
    const client = await Client.connect(servers.plain.workspaceOf("elsa"));
    const paid = event({ type: "order_paid" });
    assert.deepEqual((await call("POST", "/events", paid)).body.events[0].notifications, []);
    await client.assertQuiet();
    const { verdicts } = (await call("POST", "/rules/try", { event: paid })).body;
    assert(verdicts.every((/** @type {any} */ { outcome, reason }) => outcome === "passed" && reason));
    const rule = {
      name: "paid",
      on: { types: ["order_paid"] },
      to: { user: "'elsa'" },
      title: "T",
      message: "M",
      type: "order_paid",
    };
    assert.equal((await call("PUT", "/rules/paid", rule)).status, 200);
    const { body } = await call("POST", "/events", event({ type: "order_paid" }));
    assert.equal(body.events[0].notifications.length, 1);
    assert.equal((await client.json()).type, "order_paid");
    await client.leave();
  },
  "The user did it": async () => {
    const rule = {
      name: "moved",
      on: { types: ["order_moved"] },
      to: { users: "['flo', 'gabi']" },
      except: "actor",
      title: "T",
      message: "M",
      type: "order_moved",
    };
    assert.equal((await call("PUT", "/rules/moved", rule)).status, 200);
    const [actor, other] = [
      await Client.connect(servers.plain.workspaceOf("flo")),
      await Client.connect(servers.plain.workspaceOf("gabi")),
    ];
    await call("POST", "/events", event({ type: "order_moved", actor: "flo" }));
    assert.equal((await other.json()).type, "order_moved");
    await actor.assertQuiet();
    await call("POST", "/events", event({ type: "order_moved", actor: "gabi" }));
    assert.equal((await actor.json()).type, "order_moved");
    await Promise.all([actor.leave(), other.leave()]);
  },
  "The user was away": async () => {
    const before = await servers.plain.publish("acme", "hana");
    const missed = await servers.plain.publish("acme", "hana");
    const plain = await Client.connect(servers.plain.workspaceOf("hana"));
    await plain.assertQuiet();
    await plain.leave();
    const since = await Client.connect(servers.plain.workspaceOf("hana", `&since=${before.id}`));
    assert.equal((await since.json()).id, missed.id);
    await since.leave();
  },
  "The workspace is in real time only": async () => {
    const address = servers.plain.ws(
      `/?token=${workspaceToken("ines", { workspaces: ["live-only"] })}&workspaceSlug=live-only&replay=unread`,
    );
    const draft = { to: { user: "ines" }, title: "T", message: "M" };
    const path = "/v1/workspaces/live-only/notifications";
    const { status, body } = await call("POST", path, draft);
    assert.deepEqual([status, body.seq], [201, null]);
    const client = await Client.connect(address);
    await client.assertQuiet();
    const live = await call("POST", path, draft);
    assert.equal((await client.json()).id, live.body.id);
    await client.leave();
  },
  "It was not to be kept": async () => {
    const { seq } = await servers.plain.publish("acme", "jill", { durable: false });
    const kept = await servers.plain.publish("acme", "jill");
    assert.equal(seq, null);
    const client = await Client.connect(servers.plain.workspaceOf("jill", "&replay=unread"));
    assert.equal((await client.json()).id, kept.id);
    await client.assertQuiet();
    await client.leave();
  },
  "It was taken back or replaced": async () => {
    const { id } = await servers.plain.publish("acme", "kaya");
    assert.equal((await call("DELETE", `/notifications/${id}`)).status, 204);
    await servers.plain.publish("acme", "kaya", { collapseKey: "order:1" });
    const last = await servers.plain.publish("acme", "kaya", { collapseKey: "order:1" });
    const client = await Client.connect(servers.plain.workspaceOf("kaya", "&replay=unread"));
    assert.equal((await client.json()).id, last.id);
    await client.assertQuiet();
    await client.leave();
  },
  "The handler throws": async () => {
    // A process of its own: what it does to that process is the matter.
    const script = `
      import { WebSocket } from "ws";
      const [address, careful] = process.argv.slice(1);
      const show = ({ metadata }) => console.log(metadata.order.id);
      const socket = new WebSocket(address);
      let left = 2;
      socket.onmessage = ({ data }) => {
        left -= 1;
        if (left === 0) socket.close();
        if (!careful) return show(JSON.parse(data));
        try { show(JSON.parse(data)); } catch (error) { console.error(error.message); }
      };`;
    const before = await servers.plain.publish("acme", "mona");
    await servers.plain.publish("acme", "mona", { metadata: { note: "no order here" } });
    await servers.plain.publish("acme", "mona", { metadata: { order: { id: "4711" } } });
    const run = (/** @type {string[]} */ ...more) => {
      const address = servers.plain.workspaceOf("mona", `&since=${before.id}`);
      const command = ["--input-type=module", "-e", script, address, ...more];
      return promisify(execFile)(process.execPath, command, {
        cwd: new URL("..", import.meta.url).pathname,
        timeout: 20_000,
      });
    };
    const failed = await run().catch((error) => error);
    assert.deepEqual([failed.code, failed.stdout], [1, ""]);
    assert.match(failed.stderr, /TypeError/);
    const { stdout, stderr } = await run("careful");
    assert.deepEqual([stdout, /undefined/.test(stderr)], ["4711\n", true]);
  },
});
