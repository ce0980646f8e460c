// Why a connection fails.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Certificates } from "../certificates.mjs";
import { Client, Refused } from "../client.mjs";
import { Server } from "../server.mjs";
import { productToken, seconds, sign, workspaceToken } from "../token.mjs";
import { until, within } from "../waiting.mjs";
import { call, close, logged, opens, refusal, servers, symptom, UNAUTHORIZED } from "./symptom.mjs";

symptom("Connection fails", {
  "The token is missing": async () => {
    assert.deepEqual(await close(servers.plain.ws("/?workspaceSlug=acme")), UNAUTHORIZED);
    assert.deepEqual(await close(servers.plain.ws("/?token=undefined&workspaceSlug=acme")), UNAUTHORIZED);
    const required = [1008, "Access token required"];
    assert.deepEqual(await close(servers.plain.ws("/api/ws/notification")), required);
    assert.deepEqual(
      await close(servers.plain.ws(`/api/ws/notification?token=${productToken("ann")}`)),
      required,
    );
    await opens(servers.plain.workspaceOf("ann"));
    await opens(servers.plain.productOf("ann"));
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
      const address = servers.plain.ws(`/?workspaceSlug=acme&token=${token.replace(" ", "%20")}`);
      assert.deepEqual(await close(address), UNAUTHORIZED, token);
    }
    const invalid = [1008, "Access token invalid"];
    assert.deepEqual(await close(servers.plain.product(`${productToken("bea")}x`)), invalid);
    // The command that the document names tells why.
    const directory = await mkdtemp(join(tmpdir(), "campanile-token-"));
    t.after(() => rm(directory, { recursive: true }));
    await writeFile(join(directory, "token"), refused[1] ?? "");
    const verdict = await servers.plain
      .run("token", "verify", join(directory, "token"))
      .catch((error) => error);
    assert.match(verdict.stdout, /4001/);
    assert.match(verdict.stdout, /exp/);
  },
  "The token has expired": async () => {
    const exp = seconds() - 1;
    assert.deepEqual(await close(servers.plain.workspace(workspaceToken("cleo", { exp }))), [
      4003,
      "token expired",
    ]);
    const product = await close(servers.plain.product(productToken("cleo", { exp })));
    assert.deepEqual(product, [1008, "Access token expired"]);
    await opens(servers.plain.workspaceOf("cleo"));
  },
  "The token was taken back": async () => {
    const claims = { userId: "operator", workspaces: ["*"], scope: "operator", exp: seconds() + 60 };
    const token = workspaceToken("dora", { jti: "stolen" });
    await opens(servers.plain.workspace(token));
    const answer = await fetch(servers.plain.http("/v1/revocations"), {
      method: "POST",
      headers: { authorization: `Bearer ${sign(claims)}`, "content-type": "application/json" },
      body: JSON.stringify({ tokenId: "stolen" }),
    });
    assert.equal(answer.status, 201);
    assert.deepEqual(await close(servers.plain.workspace(token)), UNAUTHORIZED);
    await opens(servers.plain.workspaceOf("dora"));
    await logged("revoked");
  },
  "The ticket was used": async () => {
    const ticket = async () => {
      const headers = { authorization: `Bearer ${workspaceToken("edna")}` };
      return (await (await fetch(servers.plain.http("/v1/tickets"), { method: "POST", headers })).json())
        .ticket;
    };
    const address = servers.plain.ws(`/?ticket=${await ticket()}&workspaceSlug=acme`);
    await opens(address);
    assert.deepEqual(await close(address), UNAUTHORIZED);
    await opens(servers.plain.ws(`/?ticket=${await ticket()}&workspaceSlug=acme`));
    await logged("ticket_invalid");
  },
  "The workspace is not named": async () => {
    const missing = [4002, "workspaceSlug required"];
    for (const query of ["", "&workspaceSlug=", "&workspace=acme", "&workspaceSlug=acme&workspaceSlug=acme"])
      assert.deepEqual(
        await close(servers.plain.ws(`/?token=${workspaceToken(`fay${query}`)}${query}`)),
        missing,
      );
  },
  "The slug is wrong": async () => {
    const token = workspaceToken("gwen", { workspaces: ["*", "acme"] });
    for (const slug of ["Acme", "acme%20", "acmee", "My_Workspace"])
      assert.deepEqual(
        await close(servers.plain.ws(`/?token=${token}&workspaceSlug=${slug}`)),
        UNAUTHORIZED,
        slug,
      );
    await opens(servers.plain.workspaceOf("gwen"));
    await logged("slug_not_granted");
  },
  "The token does not grant the workspace": async () => {
    const without = workspaceToken("hope", { workspaces: ["other"] });
    assert.deepEqual(await close(servers.plain.workspace(without)), UNAUTHORIZED);
    assert.deepEqual(await close(servers.plain.workspace(productToken("hope"))), UNAUTHORIZED);
    assert.deepEqual(await close(servers.plain.product(without)), [1008, "Access token invalid"]);
    await opens(servers.plain.workspace(workspaceToken("hope", { workspaces: ["other", "acme"] })));
    await logged("slug_not_granted");
  },
  "The user's access was withdrawn": async () => {
    const client = await Client.connect(servers.plain.workspaceOf("lucy"));
    assert.equal((await call("DELETE", "/access/lucy")).status, 200);
    assert.equal((await client.json()).type, "access_withdrawn");
    assert.deepEqual(await client.closed(), UNAUTHORIZED);
    assert.deepEqual(await close(servers.plain.workspaceOf("lucy")), UNAUTHORIZED);
    assert.equal((await call("PUT", "/access/lucy")).status, 200);
    await opens(servers.plain.workspaceOf("lucy"));
  },
  "The page's origin may not connect": async () => {
    const address = servers.impatient.workspaceOf("ida");
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
    const clear = servers.plain.workspaceOf("jane").replace("ws:", "wss:");
    const error = await Client.connect(clear).catch((error) => error);
    assert(!(error instanceof Client) && !(error instanceof Refused), String(error));
    // An authority that the client does not know looks alike in a browser.
    assert.match(String(await Client.connect(address).catch((error) => error)), /certificate/);
    await opens(address, { ca: certificates.ca });
  },
  "The path is not a socket's": async () => {
    assert.equal((await refusal(servers.plain.ws(`/socket?token=${workspaceToken("kim")}`))).status, 404);
    await opens(servers.plain.ws(`/ws?token=${workspaceToken("kim")}&workspaceSlug=acme`));
  },
  "A proxy does not pass the upgrade on": async () => {
    // What is left of the request then.
    const sent = request(servers.plain.http(`/?token=${workspaceToken("lena")}&workspaceSlug=acme`)).end();
    const [answer] = await within(once(sent, "response"), "an answer");
    answer.resume();
    assert.equal(answer.statusCode, 426);
  },
  "Another client holds the user's place": async () => {
    let live = await Client.connect(servers.plain.workspaceOf("mary"));
    for (let n = 0; n < 3; n += 1) {
      const newer = await Client.connect(servers.plain.workspaceOf("mary"));
      assert.deepEqual(await live.closed(), [4009, "replaced by a newer connection"]);
      live = newer;
    }
    const { status, retryAfter } = await refusal(servers.plain.workspaceOf("mary"));
    assert.deepEqual([status, retryAfter], [409, 30]);
    await live.leave();
  },
  "A refused token came too often": async () => {
    const address = servers.plain.workspace(workspaceToken("nina", { exp: seconds() - 1 }));
    for (let n = 0; n < 5; n += 1) assert.equal((await close(address))[0], 4003);
    const { status, retryAfter } = await refusal(address);
    assert.equal(status, 429);
    assert(retryAfter > 0 && retryAfter <= 60, `${retryAfter}`);
    await opens(servers.plain.workspaceOf("nina"));
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
    await logged("overloaded", small);
  },
  "The server is not there": async () => {
    const gone = await Server.start();
    const address = gone.workspaceOf("rita");
    await gone.end();
    const error = await Client.connect(address).catch((error) => error);
    assert.equal(error.code, "ECONNREFUSED");
  },
});
