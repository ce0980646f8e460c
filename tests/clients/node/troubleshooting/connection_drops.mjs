// Why a connection does not last.

import assert from "node:assert/strict";
import { once } from "node:events";
import { Client } from "../client.mjs";
import { Reconnecting } from "../reconnecting.mjs";
import { Server } from "../server.mjs";
import { productToken, seconds, workspaceToken } from "../token.mjs";
import { until, within } from "../waiting.mjs";
import { CuttingProxy } from "./cutting_proxy.mjs";
import { opens, servers, symptom } from "./symptom.mjs";

symptom("Connection drops frequently", {
  "Nobody comes back": async (t) => {
    const restarted = await Server.start();
    t.after(() => restarted.end());
    const address = (/** @type {string} */ token) => restarted.workspace(token);
    const coming = new Reconnecting({ address, token: () => workspaceToken("alba") });
    t.after(() => coming.disconnect());
    await coming.connect();
    await coming.reached("open", 1);
    const plain = await Client.connect(restarted.workspaceOf("bibi"));
    await restarted.stop();
    await restarted.boot();
    assert.equal((await plain.closed())[0], 1001);
    await coming.reached("open", 2);
    const { id } = await restarted.publish("acme", "alba");
    assert.equal((await coming.reached("notification", 1)).notification.id, id);
    assert.equal(plain.socket.readyState, 3);
  },
  "The network breaks": async (t) => {
    const proxy = await CuttingProxy.start(servers.plain.ws("/"));
    t.after(() => proxy.end());
    const client = await Client.connect(proxy.address(servers.plain.productOf("cati")));
    await client.json();
    proxy.cut();
    assert.deepEqual(await client.closed(), [1006, ""]);
    const again = await Client.connect(proxy.address(servers.plain.productOf("cati")));
    await again.json();
    // Half open: whatever is said vanishes, and nothing says so. Only the pong that does not come tells.
    proxy.swallow();
    again.send("PING");
    const silent = await within(again.next(), "a pong", 500).catch((error) => error);
    assert(silent instanceof Error && again.socket.readyState === 1);
    again.socket.terminate();
    assert.equal((await again.closed())[0], 1006);
    await opens(servers.plain.productOf("cati"));
  },
  "A proxy ends quiet connections": async (t) => {
    const idle = { idle: 3000 };
    const slow = await CuttingProxy.start(servers.plain.ws("/"), idle);
    const quick = await CuttingProxy.start(servers.impatient.ws("/"), idle);
    t.after(() => Promise.all([slow.end(), quick.end()]));
    const cut = await Client.connect(slow.address(servers.plain.productOf("dina")));
    await cut.json();
    const kept = await Client.connect(quick.address(servers.impatient.productOf("dina")));
    await kept.json();
    assert.deepEqual(await cut.closed(), [1006, ""]);
    // A ping each second: by the fifth the proxy would have cut it.
    for (let n = 0; n < 5; n += 1) await within(once(kept.socket, "ping"), "a ping");
    await kept.assertQuiet();
    await kept.leave();
  },
  "Nothing was said for five minutes": async (t) => {
    const quiet = await Client.connect(servers.impatient.workspaceOf("emmy"));
    const talking = await Client.connect(servers.impatient.workspaceOf("fini"));
    // Eight times as often as it has to.
    const talk = setInterval(() => talking.send("PING"), 250);
    t.after(() => clearInterval(talk));
    assert.deepEqual(await quiet.closed(), [4008, "idle timeout"]);
    // Three seconds in all: longer than it would have had in silence.
    for (let n = 0; n < 12; n += 1) assert.deepEqual(await talking.json(), { type: "pong" });
    assert.equal(talking.socket.readyState, 1);
    clearInterval(talk);
    talking.socket.terminate();
  },
  "Two tabs take the place from each other": async () => {
    const first = await Client.connect(servers.plain.workspaceOf("gina"));
    const second = await Client.connect(servers.plain.workspaceOf("gina"));
    assert.deepEqual(await first.closed(), [4009, "replaced by a newer connection"]);
    // Whoever does not come back on 4009 leaves the other in peace.
    const { id } = await servers.plain.publish("acme", "gina");
    assert.equal((await second.json()).id, id);
    await second.leave();
    const tabs = [
      await Client.connect(servers.plain.productOf("gina")),
      await Client.connect(servers.plain.productOf("gina")),
    ];
    for (const tab of tabs) await tab.json();
    for (const tab of tabs) await tab.assertQuiet();
    await Promise.all(tabs.map((tab) => tab.leave()));
  },
  "The user has too many connections": async () => {
    const clients = [];
    for (let n = 0; n < 17; n += 1) {
      const client = await Client.connect(servers.plain.productOf("hedi"));
      await client.json();
      clients.push(client);
    }
    const gone = await within(Promise.race(clients.map((client) => client.closed())), "a close");
    assert.deepEqual(gone, [1008, "Too many connections"]);
    for (const client of clients) client.socket.terminate();
  },
  "The token ends while connected": async () => {
    const exp = seconds() + 2;
    const workspace = await Client.connect(servers.plain.workspace(workspaceToken("inga", { exp })));
    const product = await Client.connect(servers.plain.product(productToken("inga", { exp })));
    await product.json();
    assert.deepEqual(await workspace.closed(), [4003, "token expired"]);
    assert.deepEqual(await product.closed(), [1008, "Access token expired"]);
    await opens(servers.plain.workspaceOf("inga"));
  },
  "The client reads too slowly": async () => {
    const client = await Client.connect(servers.impatient.productOf("jule"));
    await client.json();
    client.socket.pause();
    // The system keeps some megabytes for a connection: more and more, until the server has had enough.
    const note = { to: { user: "jule" }, title: "T", message: "y".repeat(60_000), durable: false };
    await until(async () => {
      const answer = await servers.impatient.tryPublish("default", Array(20).fill(note));
      assert.equal(answer.status, 201);
      return servers.impatient.log.includes("reader too slow");
    }, "the server has had enough");
    client.socket.resume();
    let happened = await client.next();
    while (happened.kind === "text") happened = await client.next();
    assert.deepEqual(happened, { kind: "close", code: 1013, reason: "reader too slow" });
  },
  "The client sends what is not taken": async () => {
    const big = await Client.connect(servers.plain.workspaceOf("kira"));
    big.send("x".repeat(65_537));
    assert.deepEqual(await big.closed(), [1009, "message too big"]);
    const binary = await Client.connect(servers.plain.productOf("kira"));
    await binary.json();
    binary.send(Buffer.from("PING"));
    assert.deepEqual(await binary.closed(), [1003, "binary frames are not accepted"]);
    const many = await Client.connect(servers.plain.workspaceOf("lara"));
    for (let n = 0; n < 200; n += 1) many.send("PING");
    for (let n = 0; n < 200; n += 1) assert.deepEqual(await many.json(), { type: "pong" });
    await many.leave();
  },
  "The server is restarted": async (t) => {
    const planned = await Server.start();
    t.after(() => planned.end());
    const client = await Client.connect(planned.workspaceOf("mila"));
    // A signal, as an operator or a service manager gives it; nothing is said before.
    await planned.stop();
    assert.deepEqual(await client.closed(), [1001, "server shutting down"]);
    await planned.boot();
    const told = await Client.connect(planned.workspaceOf("mila"));
    await planned.publish("acme", "mila");
    await told.json();
    const url = ["--url", planned.http("")];
    await planned.run("drain", "--in", "10m", ...url);
    const { type } = await told.json();
    assert.equal(type, "drain_planned");
    await planned.run("drain", "--cancel", ...url);
    assert.equal((await told.json()).type, "drain_cancelled");
    await told.leave();
  },
});
