// Tokens: when they are asked for and why, and where none is ever seen.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Campanile } from "../dist/esm/index.js";
import { Browser } from "./fake_browser.mjs";
import { heartbeat, shows } from "./rig.mjs";
import { jwt } from "./scripted.mjs";
import { story } from "./story.mjs";
import { turns } from "./waiting.mjs";

story("tokens are asked for with the reason", async (rig) => {
  const { client, socket } = await rig.live();
  const second = await rig.resumed(client, socket);
  await shows(client, { state: "live" });
  second.socket.close(4003, "token expired");
  await shows(client, { state: "waiting" });
  await rig.clock.pass(1_500);
  const third = await rig.dialled({
    resumed: true,
    expiresAt: new Date(rig.clock.now() + 60_000).toISOString(),
  });
  await shows(client, { state: "live" });
  third.send(heartbeat(7));
  await rig.clock.pass(34_000);
  const { action, token } = JSON.parse(await third.texts.next("refresh"));
  assert.equal(action, "refresh");
  assert.match(token, /^ey/);
  assert.deepEqual(rig.asked, ["initial", "reconnect", "expired", "refresh"]);
  // Each ticket was asked for with another token.
  assert.equal(new Set(rig.server.tokens).size, 3);
});

story("a token is in no address, no storage, no channel, no error and no snapshot", async (rig) => {
  const browser = new Browser();
  const { client, socket } = await rig.live({ browser });
  assert(!("token" in socket.query));
  client.read("n7");
  await socket.texts.next("read");
  socket.cut();
  await shows(client, { state: "waiting" });
  await rig.clock.pass(2_000);
  (await rig.server.dials.next("dial")).socket.close(4001, "unauthorized");
  await shows(client, { state: "refused" });
  client.disconnect();
  const told = JSON.stringify([
    [...browser.storage.kept],
    browser.messages,
    client.getSnapshot(),
    rig.errors.map((error) => [error, error.stack]),
  ]);
  assert(browser.storage.kept.size > 0 && browser.messages.length > 0);
  for (const token of rig.server.tokens) assert(!told.includes(token), "a token is told");
  assert(!told.includes("secret-"));
});

test("tokens travel to this machine or by TLS only", () => {
  const open = (/** @type {string} */ url, more = {}) => new Campanile({ url, ...more });
  for (const url of ["http://example.com", "ws://10.0.0.1:8700", "http://localhost.example.com"])
    assert.throws(() => open(url), { code: "insecure_url" });
  for (const url of [
    "https://example.com",
    "wss://example.com/base/",
    "http://localhost:8700",
    "ws://127.0.0.1",
    "http://[::1]:1",
  ])
    open(url);
  open("http://example.com", { allowInsecure: true });
  for (const url of ["ftp://example.com", "example.com", "https://", ""])
    assert.throws(() => open(url), { name: "CampanileError", code: "bad_url" });
});

story("without a token or a workspace it is idle, and goes on when both are there", async (rig) => {
  const client = rig.connecting({ token: null, workspace: null });
  assert.equal(client.state, "idle");
  client.update({ workspace: "demo" });
  assert.equal(client.state, "idle");
  client.update({ token: rig.token() });
  assert.equal(client.state, "connecting");
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live", ids: ["n7"] });
  client.update({ token: null });
  await shows(client, { state: "idle", ids: [], unread: 0, user: null });
});

story("a token that can't be had is asked for again, and told", async (rig) => {
  let asked = 0;
  const client = rig.connecting({
    token: () => {
      asked++;
      if (asked === 1) throw new Error("the session is over");
      if (asked === 2) return new Promise(() => {});
      return asked === 3 ? null : rig.token();
    },
  });
  await shows(client, { state: "waiting", reason: { kind: "token", code: 0, reason: "token_failed" } });
  assert.deepEqual(rig.codes, ["token_failed"]);
  await rig.clock.pass(1_000);
  await shows(client, { state: "connecting" });
  await rig.clock.pass(30_000);
  await shows(client, { state: "waiting" });
  await rig.clock.pass(1_500);
  await shows(client, { state: "idle" });
  client.connect();
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live" });
});

story("a token that is a text and has expired is not tried again", async (rig) => {
  const client = rig.connecting({ token: rig.token() });
  (await rig.server.dials.next("dial")).socket.close(4003, "token expired");
  await shows(client, { state: "refused", reason: { kind: "close", code: 4003, reason: "token expired" } });
  client.update({ token: rig.token() });
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live" });
});

story("another token of the same user is shown on the living connection", async (rig) => {
  const { client, socket } = await rig.live({ token: rig.token() });
  const token = rig.token();
  client.update({ token });
  assert.equal(JSON.parse(await socket.texts.next("refresh")).token, token);
  assert.equal(client.state, "live");
  assert.deepEqual(rig.server.dials.left, []);
});

story("a text that is given while it connects is the one that it connects with", async (rig) => {
  const client = rig.client({ token: rig.token("alice") });
  rig.server.tickets = false;
  client.connect();
  await rig.ticket();
  rig.server.tickets = true;
  const fresh = rig.token("alice");
  client.update({ token: fresh });
  await rig.dialled();
  await rig.paged();
  await shows(client, { state: "live", user: "alice" });
  assert.equal(rig.server.tokens.at(-1), fresh);
});

story("a text that is exchanged without an answer is no reason to end", async (rig) => {
  const { client, socket } = await rig.live({ token: rig.token() });
  client.update({ token: rig.token() });
  await socket.texts.next("refresh");
  await rig.clock.pass(30_000);
  await shows(client, { state: "live", ids: ["n7"] });
  assert.deepEqual(socket.texts.left, []);
});

story("a name that is not ASCII and an opaque token are names and tokens too", async (rig) => {
  const user = "Ærøskøbing 🔔";
  const client = rig.connecting({ token: () => jwt({ sub: user, exp: 4e9 }) });
  await rig.dialled({ user });
  await rig.paged();
  await shows(client, { user, state: "live", ids: ["n7"] });
  const opaque = rig.connecting({ token: () => "opaque" });
  await rig.dialled();
  await rig.paged();
  await shows(opaque, { user: "alice", state: "live", ids: ["n7"] });
});

story("a text that is given while the former one ends is tried before it is refused", async (rig) => {
  const { client, socket } = await rig.live({ token: rig.token() });
  const next = rig.token();
  client.update({ token: next });
  // The server had closed before it heard of it.
  socket.socket.close(4003, "token expired");
  await shows(client, { state: "waiting" });
  await rig.clock.pass(1_000);
  const second = await rig.dialled({ resumed: true });
  await shows(client, { state: "live" });
  assert.equal(rig.server.tokens.at(-1), next);
  second.socket.close(4003, "token expired");
  await shows(client, { state: "refused" });
});

story("a clock that is far ahead asks for no token every few seconds", async (rig) => {
  const client = rig.connecting();
  const past = new Date(rig.clock.now() - 3_600_000).toISOString();
  const socket = await rig.dialled({ expiresAt: past });
  await rig.paged();
  await shows(client, { state: "live", ids: ["n7"] });
  await rig.clock.pass(30_000);
  await turns();
  assert.deepEqual(rig.asked, ["initial"]);
  // The server says when it is over.
  socket.socket.close(4003, "token expired");
  await shows(client, { state: "waiting" });
  await rig.clock.pass(1_000);
  await rig.dialled({ resumed: true, expiresAt: past });
  await shows(client, { state: "live" });
  assert.deepEqual(rig.asked, ["initial", "expired"]);
});

story("a clock that goes ahead on a living connection is believed once", async (rig) => {
  const client = rig.connecting();
  const socket = await rig.dialled({ expiresAt: new Date(rig.clock.now() + 60_000).toISOString() });
  await rig.paged();
  await shows(client, { state: "live", ids: ["n7"] });
  await rig.clock.pass(34_000);
  await socket.texts.next("refresh");
  socket.send({
    type: "ok",
    ref: "refresh",
    expiresAt: new Date(rig.clock.now() - 3_600_000).toISOString(),
  });
  socket.send(heartbeat(7, { unread: 3 }));
  await shows(client, { unread: 3 });
  await rig.clock.pass(10_500);
  await turns();
  assert.deepEqual(rig.asked, ["initial", "refresh"]);
});
