// docs/troubleshooting.md: each cause that it names is brought about here, has the sign that it says, and is cured as it
// says. A test is called as the cause's heading is, and the last one holds both lists against each other.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { Certificates } from "./certificates.mjs";
import { Client, Refused } from "./client.mjs";
import { CuttingProxy } from "./cutting_proxy.mjs";
import { Reconnecting } from "./reconnecting.mjs";
import { Server } from "./server.mjs";
import { productToken, seconds, sign, workspaceToken } from "./token.mjs";
import { until, within } from "./waiting.mjs";

const UNAUTHORIZED = [4001, "unauthorized"];
const SCOPES = "admin events:write notifications:write";

/** @type {Map<string, string[]>} What is tested, below the heading that it stands under. */
const tested = new Map();

/** @type {Server} */
let server;
/** @type {Server} One whose times are short, for pages of one origin only. */
let impatient;
before(async () => {
  server = await Server.start({ CAMPANILE_WORKSPACES__LIVE_ONLY__MODE: "realtime" });
  impatient = await Server.start({
    CAMPANILE_SERVER__ALLOWED_ORIGINS: '["https://app.example.com"]',
    CAMPANILE_SERVER__SHARDS: "1",
    CAMPANILE_CONNECTION__KEEPALIVE: "1s",
    CAMPANILE_CONNECTION__STALL_TIMEOUT: "1s",
    CAMPANILE_CONNECTION__OUTBOX_BYTES: "131072",
    CAMPANILE_SURFACES__WORKSPACE__IDLE_TIMEOUT: "2s",
  });
});
after(async () => {
  await server?.end();
  await impatient?.end();
});

/**
 * The causes below one heading of the document.
 *
 * @param {string} heading
 * @param {Record<string, import("node:test").TestFn>} causes
 */
function symptom(heading, causes) {
  tested.set(heading, Object.keys(causes));
  describe(heading, () => {
    for (const [cause, fn] of Object.entries(causes)) test(cause, fn);
  });
}

/**
 * How the server ends a connection that it has just upgraded.
 *
 * @param {string} address
 */
async function close(address) {
  return (await Client.connect(address)).closed();
}

/**
 * Opens, and is served.
 *
 * @param {string} address
 * @param {import("ws").ClientOptions} [options]
 */
async function opens(address, options) {
  const client = await Client.connect(address, options);
  client.send("PING");
  while ((await client.json()).type !== "pong");
  await client.leave();
}

/**
 * How the upgrade was refused.
 *
 * @param {string} address
 * @param {import("ws").ClientOptions} [options]
 * @returns {Promise<Refused>}
 */
async function refusal(address, options) {
  const refused = await Client.connect(address, options).catch((error) => error);
  assert(refused instanceof Refused, String(refused));
  return refused;
}

/**
 * The API's answer to the back end.
 *
 * @param {string} method
 * @param {string} path below the workspace `acme`
 * @param {unknown} [body]
 * @param {string} [scope]
 */
async function call(method, path, body, scope = SCOPES) {
  const claims = { userId: "backend", workspaces: ["acme", "live-only"], scope, exp: seconds() + 60 };
  const answer = await fetch(server.http(path.startsWith("/v1") ? path : `/v1/workspaces/acme${path}`), {
    method,
    headers: { authorization: `Bearer ${sign(claims)}`, "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) };
}

/** @param {Record<string, unknown>} fields */
const event = (fields) => ({
  specversion: "1.0",
  id: crypto.randomUUID(),
  source: "/shop",
  data: {},
  ...fields,
});

symptom("Connection fails", {
  "The token is missing": async () => {
    assert.deepEqual(await close(server.ws("/?workspaceSlug=acme")), UNAUTHORIZED);
    assert.deepEqual(await close(server.ws("/?token=undefined&workspaceSlug=acme")), UNAUTHORIZED);
    const required = [1008, "Access token required"];
    assert.deepEqual(await close(server.ws("/api/ws/notification")), required);
    assert.deepEqual(await close(server.ws(`/api/ws/notification?token=${productToken("ann")}`)), required);
    await opens(server.workspaceOf("ann"));
    await opens(server.productOf("ann"));
  },
  "The token is not valid": async (t) => {
    const refused = [
      sign(
        { userId: "bea", workspaces: ["acme"], exp: seconds() + 60 },
        "another-secret-of-32-bytes-or-more",
      ),
      workspaceToken("bea", { exp: undefined }),
      workspaceToken("bea", { userId: undefined }),
      workspaceToken("bea", { nbf: seconds() + 60 }),
      `Bearer ${workspaceToken("bea")}`,
      `${workspaceToken("bea")}&token=${workspaceToken("bea")}`,
    ];
    for (const token of refused) {
      const address = server.ws(`/?workspaceSlug=acme&token=${token.replace(" ", "%20")}`);
      assert.deepEqual(await close(address), UNAUTHORIZED, token);
    }
    const invalid = [1008, "Access token invalid"];
    assert.deepEqual(await close(server.product(`${productToken("bea")}x`)), invalid);
    // The command that the document names tells why.
    const directory = await mkdtemp(join(tmpdir(), "campanile-token-"));
    t.after(() => rm(directory, { recursive: true }));
    await writeFile(join(directory, "token"), refused[1] ?? "");
    const verdict = await server.run("token", "verify", join(directory, "token")).catch((error) => error);
    assert.match(verdict.stdout, /4001/);
    assert.match(verdict.stdout, /exp/);
  },
  "The token has expired": async () => {
    const exp = seconds() - 1;
    assert.deepEqual(await close(server.workspace(workspaceToken("cleo", { exp }))), [4003, "token expired"]);
    const product = await close(server.product(productToken("cleo", { exp })));
    assert.deepEqual(product, [1008, "Access token expired"]);
    await opens(server.workspaceOf("cleo"));
  },
  "The token was taken back": async () => {
    const claims = { userId: "operator", workspaces: ["*"], scope: "operator", exp: seconds() + 60 };
    const token = workspaceToken("dora", { jti: "stolen" });
    await opens(server.workspace(token));
    const answer = await fetch(server.http("/v1/revocations"), {
      method: "POST",
      headers: { authorization: `Bearer ${sign(claims)}`, "content-type": "application/json" },
      body: JSON.stringify({ tokenId: "stolen" }),
    });
    assert.equal(answer.status, 201);
    assert.deepEqual(await close(server.workspace(token)), UNAUTHORIZED);
    await opens(server.workspaceOf("dora"));
  },
  "The ticket was used": async () => {
    const ticket = async () => {
      const headers = { authorization: `Bearer ${workspaceToken("edna")}` };
      return (await (await fetch(server.http("/v1/tickets"), { method: "POST", headers })).json()).ticket;
    };
    const address = server.ws(`/?ticket=${await ticket()}&workspaceSlug=acme`);
    await opens(address);
    assert.deepEqual(await close(address), UNAUTHORIZED);
    await opens(server.ws(`/?ticket=${await ticket()}&workspaceSlug=acme`));
  },
  "The workspace is not named": async () => {
    const missing = [4002, "workspaceSlug required"];
    for (const query of ["", "&workspaceSlug=", "&workspace=acme", "&workspaceSlug=acme&workspaceSlug=acme"])
      assert.deepEqual(await close(server.ws(`/?token=${workspaceToken(`fay${query}`)}${query}`)), missing);
  },
  "The slug is wrong": async () => {
    const token = workspaceToken("gwen", { workspaces: ["*", "acme"] });
    for (const slug of ["Acme", "acme%20", "acmee", "My_Workspace"])
      assert.deepEqual(await close(server.ws(`/?token=${token}&workspaceSlug=${slug}`)), UNAUTHORIZED, slug);
    await opens(server.workspaceOf("gwen"));
  },
  "The token does not grant the workspace": async () => {
    const without = workspaceToken("hope", { workspaces: ["other"] });
    assert.deepEqual(await close(server.workspace(without)), UNAUTHORIZED);
    assert.deepEqual(await close(server.workspace(productToken("hope"))), UNAUTHORIZED);
    assert.deepEqual(await close(server.product(without)), [1008, "Access token invalid"]);
    await opens(server.workspace(workspaceToken("hope", { workspaces: ["other", "acme"] })));
  },
  "The user's access was withdrawn": async () => {
    const client = await Client.connect(server.workspaceOf("lucy"));
    assert.equal((await call("DELETE", "/access/lucy")).status, 200);
    assert.equal((await client.json()).type, "access_withdrawn");
    assert.deepEqual(await client.closed(), UNAUTHORIZED);
    assert.deepEqual(await close(server.workspaceOf("lucy")), UNAUTHORIZED);
    assert.equal((await call("PUT", "/access/lucy")).status, 200);
    await opens(server.workspaceOf("lucy"));
  },
  "The page's origin may not connect": async () => {
    const address = impatient.workspaceOf("ida");
    for (const origin of ["https://app.example.com.evil.example", "http://app.example.com", "null"])
      assert.equal((await refusal(address, { origin })).status, 403, origin);
    await opens(address, { origin: "https://app.example.com" });
  },
  "`ws://` and `wss://` are mistaken": async (t) => {
    const certificates = await Certificates.make();
    t.after(() => certificates.remove());
    const secured = await Server.start(certificates.environment);
    t.after(() => secured.end());
    const address = secured.workspaceOf("jane");
    assert.equal((await refusal(address.replace("wss:", "ws:"))).status, 400);
    const clear = server.workspaceOf("jane").replace("ws:", "wss:");
    const error = await Client.connect(clear).catch((error) => error);
    assert(!(error instanceof Client) && !(error instanceof Refused), String(error));
    // An authority that the client does not know looks alike in a browser.
    assert.match(String(await Client.connect(address).catch((error) => error)), /certificate/);
    await opens(address, { ca: certificates.ca });
  },
  "The path is not a socket's": async () => {
    assert.equal((await refusal(server.ws(`/socket?token=${workspaceToken("kim")}`))).status, 404);
    await opens(server.ws(`/ws?token=${workspaceToken("kim")}&workspaceSlug=acme`));
  },
  "A proxy does not pass the upgrade on": async () => {
    // What is left of the request then.
    const sent = request(server.http(`/?token=${workspaceToken("lena")}&workspaceSlug=acme`)).end();
    const [answer] = await within(once(sent, "response"), "an answer");
    answer.resume();
    assert.equal(answer.statusCode, 426);
  },
  "Another client holds the user's place": async () => {
    let live = await Client.connect(server.workspaceOf("mary"));
    for (let n = 0; n < 3; n += 1) {
      const newer = await Client.connect(server.workspaceOf("mary"));
      assert.deepEqual(await live.closed(), [4009, "replaced by a newer connection"]);
      live = newer;
    }
    const { status, retryAfter } = await refusal(server.workspaceOf("mary"));
    assert.deepEqual([status, retryAfter], [409, 30]);
    await live.leave();
  },
  "A refused token came too often": async () => {
    const address = server.workspace(workspaceToken("nina", { exp: seconds() - 1 }));
    for (let n = 0; n < 5; n += 1) assert.equal((await close(address))[0], 4003);
    const { status, retryAfter } = await refusal(address);
    assert.equal(status, 429);
    assert(retryAfter > 0 && retryAfter <= 60, `${retryAfter}`);
    await opens(server.workspaceOf("nina"));
  },
  "The server is full": async (t) => {
    const small = await Server.start({
      CAMPANILE_SERVER__MAX_CONNECTIONS: "1",
      CAMPANILE_SERVER__SHARDS: "1",
    });
    t.after(() => small.end());
    const first = await Client.connect(small.workspaceOf("olga"));
    const { status, retryAfter } = await refusal(small.workspaceOf("pia"));
    assert.deepEqual([status, retryAfter], [503, 5]);
    await first.assertQuiet();
    await first.leave();
    const isFree = () =>
      opens(small.workspaceOf("pia")).then(
        () => true,
        () => false,
      );
    await until(isFree, "there is room");
  },
  "The server is not there": async () => {
    const gone = await Server.start();
    const address = gone.workspaceOf("rita");
    await gone.end();
    const error = await Client.connect(address).catch((error) => error);
    assert.equal(error.code, "ECONNREFUSED");
  },
});

symptom("Not receiving notifications", {
  "The connection is not open": async () => {
    // It was, for a moment: a refusal is a close that follows an open.
    const socket = await Client.connect(server.workspace(workspaceToken("amy", { exp: seconds() - 1 })));
    assert.deepEqual(await socket.closed(), [4003, "token expired"]);
    await server.publish("acme", "amy");
    assert.equal(socket.socket.readyState, 3);
  },
  "The publish was refused": async () => {
    const draft = { to: { user: "bess" }, title: "T", message: "M" };
    const client = await Client.connect(server.workspaceOf("bess"));
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
    const client = await Client.connect(server.workspaceOf("cora"));
    await server.publish("acme", "Cora");
    await server.publish("other", "cora");
    await client.assertQuiet();
    await server.publish("acme", "cora");
    await client.json();
    await client.leave();
  },
  "The user is subscribed to no topic": async () => {
    const client = await Client.connect(server.workspaceOf("demi"));
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
    const client = await Client.connect(server.workspaceOf("elsa"));
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
      await Client.connect(server.workspaceOf("flo")),
      await Client.connect(server.workspaceOf("gabi")),
    ];
    await call("POST", "/events", event({ type: "order_moved", actor: "flo" }));
    assert.equal((await other.json()).type, "order_moved");
    await actor.assertQuiet();
    await call("POST", "/events", event({ type: "order_moved", actor: "gabi" }));
    assert.equal((await actor.json()).type, "order_moved");
    await Promise.all([actor.leave(), other.leave()]);
  },
  "The user was away": async () => {
    const before = await server.publish("acme", "hana");
    const missed = await server.publish("acme", "hana");
    const plain = await Client.connect(server.workspaceOf("hana"));
    await plain.assertQuiet();
    await plain.leave();
    const since = await Client.connect(server.workspaceOf("hana", `&since=${before.id}`));
    assert.equal((await since.json()).id, missed.id);
    await since.leave();
  },
  "The workspace is in real time only": async () => {
    const address = server.ws(
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
    const { seq } = await server.publish("acme", "jill", { durable: false });
    const kept = await server.publish("acme", "jill");
    assert.equal(seq, null);
    const client = await Client.connect(server.workspaceOf("jill", "&replay=unread"));
    assert.equal((await client.json()).id, kept.id);
    await client.assertQuiet();
    await client.leave();
  },
  "It was taken back or replaced": async () => {
    const { id } = await server.publish("acme", "kaya");
    assert.equal((await call("DELETE", `/notifications/${id}`)).status, 204);
    await server.publish("acme", "kaya", { collapseKey: "order:1" });
    const last = await server.publish("acme", "kaya", { collapseKey: "order:1" });
    const client = await Client.connect(server.workspaceOf("kaya", "&replay=unread"));
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
    const before = await server.publish("acme", "mona");
    await server.publish("acme", "mona", { metadata: { note: "no order here" } });
    await server.publish("acme", "mona", { metadata: { order: { id: "4711" } } });
    const run = (/** @type {string[]} */ ...more) => {
      const address = server.workspaceOf("mona", `&since=${before.id}`);
      const command = ["--input-type=module", "-e", script, address, ...more];
      return promisify(execFile)(process.execPath, command, {
        cwd: new URL(".", import.meta.url).pathname,
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
    const proxy = await CuttingProxy.start(server.ws("/"));
    t.after(() => proxy.end());
    const client = await Client.connect(proxy.address(server.productOf("cati")));
    await client.json();
    proxy.cut();
    assert.deepEqual(await client.closed(), [1006, ""]);
    const again = await Client.connect(proxy.address(server.productOf("cati")));
    await again.json();
    // Half open: whatever is said vanishes, and nothing says so. Only the pong that does not come tells.
    proxy.swallow();
    again.send("PING");
    const silent = await within(again.next(), "a pong", 500).catch((error) => error);
    assert(silent instanceof Error && again.socket.readyState === 1);
    again.socket.terminate();
    assert.equal((await again.closed())[0], 1006);
    await opens(server.productOf("cati"));
  },
  "A proxy ends quiet connections": async (t) => {
    const idle = { idle: 1500 };
    const slow = await CuttingProxy.start(server.ws("/"), idle);
    const quick = await CuttingProxy.start(impatient.ws("/"), idle);
    t.after(() => Promise.all([slow.end(), quick.end()]));
    const cut = await Client.connect(slow.address(server.productOf("dina")));
    await cut.json();
    const kept = await Client.connect(quick.address(impatient.productOf("dina")));
    await kept.json();
    assert.deepEqual(await cut.closed(), [1006, ""]);
    // A ping each second: by the fourth the proxy would have cut it twice.
    for (let n = 0; n < 4; n += 1) await within(once(kept.socket, "ping"), "a ping");
    await kept.assertQuiet();
    await kept.leave();
  },
  "Nothing was said for five minutes": async () => {
    const quiet = await Client.connect(impatient.workspaceOf("emmy"));
    const talking = await Client.connect(impatient.workspaceOf("fini"));
    // The server's pings, a second apart, set the pace.
    const talk = () => talking.send("PING");
    talking.socket.on("ping", talk);
    assert.deepEqual(await quiet.closed(), [4008, "idle timeout"]);
    for (let n = 0; n < 3; n += 1) assert.deepEqual(await talking.json(), { type: "pong" });
    assert.equal(talking.socket.readyState, 1);
    talking.socket.terminate();
  },
  "Two tabs take the place from each other": async () => {
    const first = await Client.connect(server.workspaceOf("gina"));
    const second = await Client.connect(server.workspaceOf("gina"));
    assert.deepEqual(await first.closed(), [4009, "replaced by a newer connection"]);
    // Whoever does not come back on 4009 leaves the other in peace.
    const { id } = await server.publish("acme", "gina");
    assert.equal((await second.json()).id, id);
    await second.leave();
    const tabs = [
      await Client.connect(server.productOf("gina")),
      await Client.connect(server.productOf("gina")),
    ];
    for (const tab of tabs) await tab.json();
    for (const tab of tabs) await tab.assertQuiet();
    await Promise.all(tabs.map((tab) => tab.leave()));
  },
  "The user has too many connections": async () => {
    const clients = [];
    for (let n = 0; n < 17; n += 1) {
      const client = await Client.connect(server.productOf("hedi"));
      await client.json();
      clients.push(client);
    }
    const gone = await within(Promise.race(clients.map((client) => client.closed())), "a close");
    assert.deepEqual(gone, [1008, "Too many connections"]);
    for (const client of clients) client.socket.terminate();
  },
  "The token ends while connected": async () => {
    const exp = seconds() + 2;
    const workspace = await Client.connect(server.workspace(workspaceToken("inga", { exp })));
    const product = await Client.connect(server.product(productToken("inga", { exp })));
    await product.json();
    assert.deepEqual(await workspace.closed(), [4003, "token expired"]);
    assert.deepEqual(await product.closed(), [1008, "Access token expired"]);
    await opens(server.workspaceOf("inga"));
  },
  "The client reads too slowly": async () => {
    const client = await Client.connect(impatient.productOf("jule"));
    await client.json();
    const other = await Client.connect(impatient.productOf("kato"));
    await other.json();
    client.socket.pause();
    // More than the system keeps for a connection, before it can be thought dead: at once.
    const note = { to: { user: "jule" }, title: "T", message: "y".repeat(60_000) };
    const batches = Array.from({ length: 6 }, () => impatient.tryPublish("default", Array(60).fill(note)));
    for (const answer of await Promise.all(batches)) assert.equal(answer.status, 201);
    // What comes after them has been handed out: so have they.
    const { id } = await impatient.publish("default", "kato");
    assert.equal((await other.json()).id, id);
    await other.leave();
    client.socket.resume();
    let happened = await client.next();
    while (happened.kind === "text") happened = await client.next();
    assert.deepEqual(happened, { kind: "close", code: 1013, reason: "reader too slow" });
  },
  "The client sends what is not taken": async () => {
    const big = await Client.connect(server.workspaceOf("kira"));
    big.send("x".repeat(65_537));
    assert.deepEqual(await big.closed(), [1009, "message too big"]);
    const binary = await Client.connect(server.productOf("kira"));
    await binary.json();
    binary.send(Buffer.from("PING"));
    assert.deepEqual(await binary.closed(), [1003, "binary frames are not accepted"]);
    const many = await Client.connect(server.workspaceOf("lara"));
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

test("each cause of the document is tested, and each tested cause is in the document", async () => {
  const text = await readFile(new URL("../../../docs/troubleshooting.md", import.meta.url), "utf8");
  /** @type {Map<string, string[]>} */
  const written = new Map();
  for (const section of text.split(/^## /m).slice(1)) {
    const [heading = "", ...causes] = section.split(/^### /m);
    for (const cause of causes)
      for (const part of ["**Sign:**", "**Cause:**", "**Cure:**"])
        assert(cause.includes(part), `${cause}: ${part}`);
    const names = causes.map((cause) => cause.split("\n")[0] ?? "");
    if (names.length > 0) written.set(heading.split("\n")[0] ?? "", names);
  }
  assert.deepEqual(written, tested);
});
