// What happens before there is a socket: tickets that are refused, and dials that nobody answers.

import assert from "node:assert/strict";
import { shows } from "./rig.mjs";
import { story } from "./story.mjs";
import { turns } from "./waiting.mjs";

story("a refused ticket says what to do", async (rig) => {
  rig.server.tickets = false;
  const client = rig.connecting();
  (await rig.ticket()).answer(401, { code: "token_expired" });
  await shows(client, { state: "waiting", reason: { kind: "http", code: 401, reason: "token_expired" } });
  await rig.clock.pass(1_000);
  (await rig.ticket()).answer(503, { code: "overloaded" }, { "retry-after": "5" });
  await shows(client, { state: "waiting", retryAt: rig.clock.now() + 5_000 });
  await rig.clock.pass(4_999);
  assert.equal(client.state, "waiting");
  await rig.clock.pass(1);
  (await rig.ticket()).answer(401, { code: "token_invalid" });
  await shows(client, { state: "refused" });
  assert.deepEqual(rig.asked, ["initial", "expired", "reconnect"]);
});

story("whoever stands in between is no reason to stay away", async (rig) => {
  rig.server.tickets = false;
  const client = rig.connecting();
  const html = { "content-type": "text/html" };
  (await rig.ticket()).answer(403, "log in here", { ...html, "retry-after": "5" });
  const reason = { kind: /** @type {const} */ ("http"), code: 403, reason: "http" };
  await shows(client, { state: "waiting", reason, retryAt: rig.clock.now() + 5_000 });
  await rig.clock.pass(5_000);
  (await rig.ticket()).answer(401, { code: "token_invalid" }, { "content-type": "application/json" });
  await shows(client, { state: "waiting", reason: { ...reason, code: 401 } });
  await rig.clock.pass(2_000);
  (await rig.ticket()).answer(401, {});
  await shows(client, { state: "waiting", reason: { ...reason, code: 401 } });
  await rig.clock.pass(3_000);
  (await rig.ticket()).answer(403, { code: "workspace_refused" });
  await shows(client, { state: "refused" });
});

story("a refused ticket may say when by a date, in each of its three forms", async (rig) => {
  rig.server.tickets = false;
  const client = rig.connecting();
  const zone = process.env.TZ;
  // Where a time without a zone is not Greenwich's.
  process.env.TZ = "Asia/Tokyo";
  try {
    for (const date of [
      "Thu, 01 Jan 2026 00:10:00 GMT",
      "Thursday, 01-Jan-26 00:20:00 GMT",
      "Thu Jan  1 00:30:00 2026",
    ]) {
      (await rig.ticket()).answer(503, { code: "overloaded" }, { "retry-after": date });
      const minutes = Number(/00:(\d0):00/.exec(date)?.[1]);
      const retryAt = Date.parse("2026-01-01T00:00:00Z") + minutes * 60_000;
      await shows(client, { state: "waiting", retryAt });
      await rig.clock.pass(retryAt - rig.clock.now());
    }
  } finally {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  }
});

for (const said of ["Wed, 31 Dec 2025 23:59:59 GMT", "soon", "-5", "1.5", "2025-12-31T00:00:00Z", ""])
  story(`a time to come back that is none ("${said}") leaves it to the back-off`, async (rig) => {
    rig.server.tickets = false;
    const client = rig.connecting({ environment: { random: () => 0.5 } });
    (await rig.ticket()).answer(503, { code: "overloaded" }, { "retry-after": said });
    await shows(client, { state: "waiting", retryAt: rig.clock.now() + 750 });
  });

story("a ticket that is not answered is given up with its dial", async (rig) => {
  rig.server.tickets = false;
  const client = rig.connecting();
  await rig.ticket();
  await rig.clock.pass(10_000);
  await shows(client, { state: "waiting" });
  client.disconnect();
  await rig.clock.pass(20_000);
  await turns();
  assert.equal(rig.clock.soonest, Number.POSITIVE_INFINITY);
});

story("dialling is given up after ten seconds", async (rig) => {
  const client = rig.connecting();
  await rig.server.dials.next("dial");
  await rig.clock.pass(9_999);
  assert.equal(client.state, "connecting");
  await rig.clock.pass(1);
  assert.equal(client.state, "waiting");
});
