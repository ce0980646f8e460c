// The workspace surface through Node's `ws`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, Refused } from "./client.mjs";
import { Server } from "./server.mjs";
import { seconds, sign, workspaceToken } from "./token.mjs";
import { until } from "./waiting.mjs";

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** @type {Server} */
let server;
before(async () => {
  server = await Server.start();
});
after(() => server?.end());

test("a notification arrives as documented, and nothing before it", async () => {
  const client = await Client.connect(server.workspaceOf("alice"));
  const metadata = { order: 12345, nested: [1, { a: null }] };
  const fields = { title: "New Order", message: "Order #12345", type: "record_created", metadata };
  const { id } = await server.publish("acme", "alice", fields);
  const frame = await client.json();
  assert.match(frame.timestamp, RFC3339);
  const { timestamp, ...rest } = frame;
  assert.deepEqual(rest, { id, read: false, ...fields });
  await server.publish("acme", "bob");
  await client.assertQuiet();
  await client.leave();
});

test("what is published once a client is open arrives, however soon", async () => {
  const users = Array.from({ length: 64 }, (_, n) => `early ${n}`);
  await Promise.all(
    users.map(async (user) => {
      const client = await Client.connect(server.workspaceOf(user));
      const { id } = await server.publish("acme", user);
      assert.equal((await client.json()).id, id);
      await client.leave();
    }),
  );
});

test("notifications arrive at /ws too", async () => {
  const client = await Client.connect(server.ws(`/ws?workspaceSlug=acme&token=${workspaceToken("ws")}`));
  const { id } = await server.publish("acme", "ws");
  assert.equal((await client.json()).id, id);
  await client.leave();
});

test("`campanile token` makes a token that opens, `campanile send` publishes", async () => {
  const token = await server.run("token", "--user", "carol", "--workspace", "acme");
  const client = await Client.connect(server.workspace(token));
  const to = ["--workspace", "acme", "--user", "carol"];
  const url = ["--url", server.http("")];
  const sent = JSON.parse(await server.run("send", ...to, "--title", "Hi", "--message", "There", ...url));
  const frame = await client.json();
  assert.deepEqual([frame.id, frame.title, frame.message, frame.type], [sent.id, "Hi", "There", "info"]);
  await client.leave();
});

test("everybody in the workspace, and characters of every length", async () => {
  // In a workspace of their own: later tests' users would find it in their inboxes.
  const address = (/** @type {string} */ user) =>
    server.ws(`/?token=${workspaceToken(user, { workspaces: ["town"] })}&workspaceSlug=town`);
  const clients = await Promise.all(["u1", "ü2", "user 3"].map((user) => Client.connect(address(user))));
  const message = "line\nbreak \u0000 \u2028 \u{1f514} ß 漢";
  const body = { to: { workspace: true }, title: "All", message };
  const { id } = await (await server.tryPublish("town", body)).json();
  for (const client of clients) {
    const frame = await client.json();
    assert.deepEqual([frame.id, frame.message], [id, message]);
    await client.leave();
  }
});

test("PING is answered; what is not understood is not", async () => {
  const client = await Client.connect(server.workspaceOf("dave"));
  for (const nonsense of ["", "null", "[]", "{}", '{"action":"dance"}', "ping", Buffer.from([0, 1])]) {
    client.send(nonsense);
  }
  await client.assertQuiet();
  client.socket.send("PI", { fin: false });
  client.socket.ping();
  client.socket.send("NG", { fin: true });
  assert.deepEqual(await client.json(), { type: "pong" });
  assert.equal(await client.ping(), "are you there?");
  await client.leave();
});

test("mark_read is done without a word", async () => {
  const client = await Client.connect(server.workspaceOf("erin"));
  const { id } = await server.publish("acme", "erin");
  await server.publish("acme", "erin");
  assert.equal((await client.json()).id, id);
  await client.json();
  assert.equal((await server.inbox("erin")).unread, 2);
  client.send({ action: "mark_read", id });
  await until(async () => (await server.inbox("erin")).unread === 1, "one is read");
  await client.assertQuiet();
  await client.leave();
});

test("what came while away stays away unless asked for", async () => {
  const client = await Client.connect(server.workspaceOf("frank"));
  const ids = [];
  for (let n = 0; n < 3; n += 1) {
    if (n === 1) await client.leave();
    ids.push((await server.publish("acme", "frank")).id);
    if (n === 0) assert.equal((await client.json()).id, ids[0]);
  }
  const plain = await Client.connect(server.workspaceOf("frank"));
  await plain.assertQuiet();
  await plain.leave();

  const since = await Client.connect(server.workspaceOf("frank", `&since=${ids[0]}`));
  assert.deepEqual([(await since.json()).id, (await since.json()).id], ids.slice(1));
  await since.assertQuiet();
  await since.leave();

  const unread = await Client.connect(server.workspaceOf("frank", "&replay=unread"));
  for (const id of ids) {
    const frame = await unread.json();
    assert.deepEqual([frame.id, frame.read], [id, false]);
  }
  await unread.assertQuiet();
  await unread.leave();

  const lost = await Client.connect(
    server.workspaceOf("frank", "&since=01890a5d-ac96-774b-bcce-b302099a8057"),
  );
  const frame = await lost.json();
  assert.deepEqual([frame.metadata, typeof frame.title], [{ event: "resync" }, "string"]);
  await lost.leave();
});

test("the newest connection wins; a fourth newcomer within ten seconds does not", async () => {
  let live = await Client.connect(server.workspaceOf("grace"));
  for (let n = 0; n < 3; n += 1) {
    const newer = await Client.connect(server.workspaceOf("grace"));
    assert.deepEqual(await live.closed(), [4009, "replaced by a newer connection"]);
    live = newer;
  }
  const refused = await Client.connect(server.workspaceOf("grace")).catch((error) => error);
  assert(refused instanceof Refused, String(refused));
  assert.deepEqual([refused.status, refused.retryAfter], [409, 30]);
  const { id } = await server.publish("acme", "grace");
  assert.equal((await live.json()).id, id);
  await live.leave();
});

test("messages of 65,536 bytes, both ways, and not one more", async () => {
  const client = await Client.connect(server.workspaceOf("heidi"));
  client.send("x".repeat(65_536));
  await client.assertQuiet();

  const { id } = await server.publish("acme", "heidi", { message: "y".repeat(65_000) });
  const frame = await client.json();
  assert.deepEqual([frame.id, frame.message.length], [id, 65_000]);
  const body = { to: { user: "heidi" }, title: "T", message: "y".repeat(65_536) };
  assert.equal((await server.tryPublish("acme", body)).status, 413);

  client.send("x".repeat(65_537));
  assert.equal((await client.closed())[0], 1009);
  const fragments = await Client.connect(server.workspaceOf("heidi"));
  for (let n = 0; n < 17; n += 1) fragments.socket.send("z".repeat(4096), { fin: false });
  assert.equal((await fragments.closed())[0], 1009);
});

test("a token that ends closes the live socket with 4003", async () => {
  const exp = seconds() + 2;
  const client = await Client.connect(server.workspace(workspaceToken("ivan", { exp })));
  await client.assertQuiet();
  assert.deepEqual(await client.closed(), [4003, "token expired"]);
  const late = Date.now() - exp * 1000;
  // Promised within 1 s; a second more for a machine that is busy with the other clients.
  assert(late >= 0 && late < 2000, `${late} ms`);
});

test("refusals are closes, after an upgrade that is always completed", async () => {
  // No token, or none that is clear: each of these counts as the same caller, who may come five times.
  const fine = workspaceToken("judy");
  const unauthorized = [4001, "unauthorized"];
  const cases = new Map([
    ["/?workspaceSlug=acme", unauthorized],
    ["/?token=&workspaceSlug=acme", unauthorized],
    ["/", unauthorized],
    [`/?token=${fine}&token=${fine}&workspaceSlug=acme`, unauthorized],
    ["/?token=garbage&workspaceSlug=acme", unauthorized],
    [
      `/?token=${sign({ userId: "judy", workspaces: ["acme"], exp: seconds() + 60 }, "x".repeat(32))}`,
      unauthorized,
    ],
    [`/?token=${workspaceToken("judy", { exp: undefined })}&workspaceSlug=acme`, unauthorized],
    [`/?token=${workspaceToken("judy", { nbf: seconds() + 60 })}&workspaceSlug=acme`, unauthorized],
    [`/?token=${workspaceToken("")}&workspaceSlug=acme`, unauthorized],
    [`/?token=${workspaceToken("not granted")}&workspaceSlug=other`, unauthorized],
    [`/?token=${workspaceToken("not there", { workspaces: ["*"] })}&workspaceSlug=nowhere`, unauthorized],
    [
      `/?token=${workspaceToken("late", { exp: seconds() - 60 })}&workspaceSlug=acme`,
      [4003, "token expired"],
    ],
    [`/?token=${fine}`, [4002, "workspaceSlug required"]],
    [`/?token=${fine}&workspaceSlug=`, [4002, "workspaceSlug required"]],
    [`/?token=${fine}&workspaceSlug=acme&workspaceSlug=acme`, [4002, "workspaceSlug required"]],
  ]);
  for (const [path, close] of cases) {
    const start = Date.now();
    const client = await Client.connect(server.ws(path));
    assert.deepEqual(await client.closed(), close, path);
    assert(Date.now() - start < 2000, `${path} took ${Date.now() - start} ms`);
  }
});

test("who keeps coming with a refused token is turned away before the upgrade", async () => {
  const address = server.workspace(workspaceToken("karl", { exp: seconds() - 1 }));
  for (let n = 0; n < 5; n += 1) {
    const client = await Client.connect(address);
    assert.equal((await client.closed())[0], 4003);
  }
  const refused = await Client.connect(address).catch((error) => error);
  assert(refused instanceof Refused, String(refused));
  assert.equal(refused.status, 429);
  assert(refused.retryAfter > 50 && refused.retryAfter <= 60, `${refused.retryAfter}`);
});
