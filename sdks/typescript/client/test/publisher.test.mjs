// Publishing: what is asked, what is tried again, and what the errors say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CampanileError, drainOutbox, Publisher } from "../dist/esm/publisher.js";
import { Clock } from "./clock.mjs";
import { ScriptedServer } from "./scripted.mjs";
import { eventually } from "./waiting.mjs";

const DRAFT = { to: { user: "alice" }, title: "Order shipped", message: "It is on its way." };
const PUBLISHED = {
  id: "01890a5d-ac96-774b-bcce-b302099a8057",
  seq: 7,
  timestamp: "2026-01-01T00:00:00.000Z",
};

/**
 * @param {(server: ScriptedServer, publisher: Publisher, clock: Clock) => Promise<void>} story
 * @param {Partial<import("../dist/esm/publisher.js").PublisherOptions>} options
 */
async function told(story, options = {}) {
  const server = await ScriptedServer.start();
  const clock = new Clock();
  const { setTimeout, clearTimeout, now } = clock;
  const environment = { setTimeout, clearTimeout, now, random: () => 0.5 };
  try {
    await story(
      server,
      new Publisher({ url: server.url, workspace: "demo", token: "secret", environment, ...options }),
      clock,
    );
  } finally {
    await server.end();
  }
}

/** The publisher waits for its next attempt, and for no answer. @param {Clock} clock */
const waits = (clock) => eventually(() => clock.soonest < 10_000, "pause");

test("one is published, and its place is told", () =>
  told(async ({ requests }, publisher) => {
    const answer = publisher.publish(DRAFT);
    const { method, path, headers, body, answer: give } = await requests.next("request");
    assert.deepEqual([method, path], ["POST", "/v1/workspaces/demo/notifications"]);
    assert.equal(headers.authorization, "Bearer secret");
    assert.equal(headers["content-type"], "application/json");
    assert.match(`${headers["idempotency-key"]}`, /^[!-~]{16,255}$/);
    assert.deepEqual(JSON.parse(body), DRAFT);
    give(201, PUBLISHED);
    assert.deepEqual(await answer, PUBLISHED);
  }));

test("a batch is one request, none is none, and 1,001 are too many", () =>
  told(async ({ requests }, publisher) => {
    assert.deepEqual(await publisher.publish([]), []);
    await assert.rejects(publisher.publish(Array(1_001).fill(DRAFT)), { code: "batch_too_large" });
    const answer = publisher.publish([DRAFT, DRAFT]);
    const { body, answer: give } = await requests.next("request");
    assert.equal(JSON.parse(body).length, 2);
    give(201, [PUBLISHED, PUBLISHED]);
    assert.equal((await answer).length, 2);
    assert.deepEqual(requests.left, []);
  }));

test("a token that expired on its way is exchanged once", async () => {
  let asked = 0;
  await told(
    async ({ requests }, publisher) => {
      const answer = publisher.publish(DRAFT);
      const first = await requests.next("request");
      first.answer(401, { code: "token_expired" });
      const second = await requests.next("request");
      assert.equal(second.headers.authorization, "Bearer token 2");
      assert.equal(second.headers["idempotency-key"], first.headers["idempotency-key"]);
      second.answer(201, PUBLISHED);
      assert.deepEqual(await answer, PUBLISHED);

      const refused = assert.rejects(publisher.publish(DRAFT), { code: "token_expired" });
      for (const _ of [3, 4]) (await requests.next("request")).answer(401, { code: "token_expired" });
      await refused;
      assert.equal(asked, 4);
    },
    { token: () => `token ${++asked}` },
  );
  // There is no other of a text.
  await told(async ({ requests }, publisher) => {
    const refused = assert.rejects(publisher.publish(DRAFT), { code: "token_expired" });
    (await requests.next("request")).answer(401, { code: "token_expired" });
    await refused;
    assert.deepEqual(requests.left, []);
  });
});

test("what passes is tried again under the same key, when the server says", () =>
  told(async ({ requests }, publisher, clock) => {
    const answer = publisher.publish(DRAFT);
    const first = await requests.next("request");
    first.answer(429, { code: "too_many" }, { "retry-after": "3" });
    await waits(clock);
    await clock.pass(2_900);
    assert.deepEqual(requests.left, []);
    await clock.pass(100);
    const second = await requests.next("request");
    assert.equal(second.headers["idempotency-key"], first.headers["idempotency-key"]);
    second.answer(503, { code: "overloaded" });
    await waits(clock);
    // The second failure in a row: 0.5 s, and half of 1 s.
    await clock.pass(1_000);
    const third = await requests.next("request");
    assert.equal(third.headers["idempotency-key"], first.headers["idempotency-key"]);
    third.answer(201, PUBLISHED);
    assert.deepEqual(await answer, PUBLISHED);
  }));

test("the server may say by a date when to try again", () =>
  told(async ({ requests }, publisher, clock) => {
    const answer = publisher.publish(DRAFT);
    const date = new Date(clock.now() + 7_000).toUTCString();
    (await requests.next("request")).answer(503, { code: "overloaded" }, { "retry-after": date });
    await waits(clock);
    assert.equal(clock.soonest, 7_000);
    await clock.pass(7_000);
    (await requests.next("request")).answer(201, PUBLISHED);
    assert.deepEqual(await answer, PUBLISHED);
  }));

test("each publish has a key of its own, unless one is given", () =>
  told(async ({ requests }, publisher) => {
    const keys = [];
    for (const options of [{}, {}, { idempotencyKey: "order-4711" }]) {
      const answer = publisher.publish(DRAFT, options);
      const { headers, answer: give } = await requests.next("request");
      keys.push(headers["idempotency-key"]);
      give(201, PUBLISHED);
      await answer;
    }
    assert.equal(new Set(keys).size, 3);
    assert.equal(keys[2], "order-4711");
  }));

test("a token is asked for at every attempt", () => {
  let asked = 0;
  return told(
    async ({ requests }, publisher, clock) => {
      const answer = publisher.publish(DRAFT);
      const first = await requests.next("request");
      assert.equal(first.headers.authorization, "Bearer token-1");
      first.answer(500, {});
      await waits(clock);
      await clock.pass(1_000);
      const second = await requests.next("request");
      assert.equal(second.headers.authorization, "Bearer token-2");
      second.answer(201, PUBLISHED);
      await answer;
    },
    { token: async () => `token-${++asked}` },
  );
});

test("a success that is cut short is asked for again under the same key", () =>
  told(async ({ requests }, publisher, clock) => {
    const answer = publisher.publish(DRAFT);
    const first = await requests.next("request");
    first.cutShort(201);
    await waits(clock);
    await clock.pass(1_000);
    const again = await requests.next("request");
    assert.equal(again.headers["idempotency-key"], first.headers["idempotency-key"]);
    again.answer(201, PUBLISHED);
    assert.deepEqual(await answer, PUBLISHED);
  }));

test("a token that does not come is waited for for 30 s", () =>
  told(
    async ({ requests }, publisher, clock) => {
      const refused = assert.rejects(publisher.publish(DRAFT), { code: "token_failed" });
      assert.equal(clock.soonest, 30_000);
      await clock.pass(30_000);
      await refused;
      assert.deepEqual(requests.left, []);
    },
    { token: () => new Promise(() => {}) },
  ));

test("a token callback that throws is told with what it threw", () => {
  const cause = new Error("logged out");
  const token = () => {
    throw cause;
  };
  return told(
    async ({ requests }, publisher) => {
      await assert.rejects(publisher.publish(DRAFT), { code: "token_failed", detail: { cause } });
      assert.deepEqual(requests.left, []);
    },
    { token },
  );
});

test("a refusal is told as what it is, at once, and holds no token", () =>
  told(async ({ requests }, publisher) => {
    const answer = publisher.publish([DRAFT, { ...DRAFT, title: "" }]);
    const problem = {
      code: "invalid_request",
      detail: "title is blank",
      index: 1,
      field: "title",
      status: 422,
    };
    (await requests.next("request")).answer(422, problem);
    const error = await answer.then(
      () => assert.fail("it was refused"),
      (/** @type {unknown} */ refused) => refused,
    );
    assert(error instanceof CampanileError);
    assert.equal(error.code, "invalid_request");
    assert.equal(error.message, "title is blank");
    assert.deepEqual([error.detail.status, error.detail.index, error.detail.field], [422, 1, "title"]);
    assert(!JSON.stringify(error).includes("secret") && !`${error.stack}`.includes("secret"));
    assert.deepEqual(requests.left, []);
  }));

test("after the last attempt the failure is told", () =>
  told(
    async ({ requests }, publisher, clock) => {
      const answer = publisher.publish(DRAFT);
      (await requests.next("request")).answer(503, { code: "overloaded" });
      await waits(clock);
      await clock.pass(1_000);
      (await requests.next("request")).answer(503, { code: "overloaded" });
      await assert.rejects(answer, { code: "overloaded" });
    },
    { attempts: 2 },
  ));

test("no answer is tried again too", () =>
  told(async ({ requests }, publisher, clock) => {
    const answer = publisher.publish(DRAFT);
    (await requests.next("request")).cut();
    await waits(clock);
    await clock.pass(1_000);
    (await requests.next("request")).answer(201, PUBLISHED);
    await answer;
    const last = new Publisher({
      url: "http://127.0.0.1:1",
      workspace: "demo",
      token: "secret",
      attempts: 1,
    });
    await assert.rejects(last.publish(DRAFT), { code: "network" });
  }));

test("an attempt without an answer is given up, and made again", () =>
  told(async ({ requests }, publisher, clock) => {
    const answer = publisher.publish(DRAFT);
    const first = await requests.next("request");
    await clock.pass(30_000);
    await waits(clock);
    await clock.pass(1_000);
    const second = await requests.next("request");
    assert.equal(second.headers["idempotency-key"], first.headers["idempotency-key"]);
    second.answer(201, PUBLISHED);
    await answer;
  }));

test("an abort ends the waiting", () =>
  told(async ({ requests }, publisher, clock) => {
    const abort = new AbortController();
    const answer = publisher.publish(DRAFT, { signal: abort.signal });
    (await requests.next("request")).answer(503, {});
    await waits(clock);
    abort.abort();
    await assert.rejects(answer, { code: "aborted" });
    assert.deepEqual(requests.left, []);
  }));

test("an outbox is sent in order, each row under its key; what is refused is put aside", () =>
  told(async ({ requests }, publisher) => {
    const rows = ["a", "b", "c"].map((key) => ({ key, draft: DRAFT }));
    /** @type {string[]} */
    const sent = [];
    /** @type {string[]} */
    const refused = [];
    const drained = drainOutbox(
      rows,
      publisher,
      ({ key }) => sent.push(key),
      ({ key }) => refused.push(key),
    );
    for (const status of [201, 422, 201]) {
      const { headers, answer } = await requests.next("request");
      assert.equal(headers["idempotency-key"], ["a", "b", "c"][sent.length + refused.length]);
      answer(status, status === 201 ? PUBLISHED : { code: "invalid_request" });
      const before = sent.length + refused.length;
      await eventually(() => sent.length + refused.length > before, "verdict");
    }
    assert.equal(await drained, 2);
    assert.deepEqual([sent, refused], [["a", "c"], ["b"]]);
  }));

test("an outbox that can't be noted puts no row aside", () =>
  told(async ({ requests }, publisher) => {
    const drained = drainOutbox(
      [{ key: "a", draft: DRAFT }],
      publisher,
      () => {
        throw new CampanileError("no_such_row", "it can't be deleted", { status: 422 });
      },
      () => assert.fail("it was sent"),
    );
    (await requests.next("request")).answer(201, PUBLISHED);
    await assert.rejects(drained, { code: "no_such_row" });
  }));

for (const [what, status, body, code] of /** @type {const} */ ([
  ["the token is refused", 401, { code: "token_invalid" }, "token_invalid"],
  ["a proxy answers", 404, {}, "http"],
]))
  test(`an outbox waits where ${what}`, () =>
    told(async ({ requests }, publisher) => {
      const drained = drainOutbox(
        [{ key: "a", draft: DRAFT }],
        publisher,
        () => assert.fail("it was not sent"),
        () => assert.fail("the row is not at fault"),
      );
      (await requests.next("request")).answer(status, body);
      await assert.rejects(drained, { code });
    }));

test("tokens don't travel in the clear", () => {
  const options = { workspace: "demo", token: "secret" };
  assert.throws(() => new Publisher({ ...options, url: "http://example.com" }), { code: "insecure_url" });
  new Publisher({ ...options, url: "http://example.com", allowInsecure: true });
  new Publisher({ ...options, url: "http://127.0.0.1:8700" });
});
