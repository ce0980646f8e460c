// The state machine and the back-off: pure, so time is a number here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { delay } from "../dist/esm/backoff.js";
import { CLOSE_CODES } from "../dist/esm/close_codes.js";
import { comeBackAfter } from "../dist/esm/connection.js";
import { IDLE, step, wakeAt } from "../dist/esm/state.js";

/** @typedef {import("../dist/esm/state.js").Happening} Happening */

const LOST = /** @type {const} */ ({ kind: "lost", code: 1006, reason: "" });
const MINUTE = 60_000;

/** A machine with a clock; chance is the middle. */
class Timeline {
  now = 1_000_000;
  machine = IDLE;

  /** @param {Happening} happening */
  happens(happening) {
    this.machine = step(this.machine, happening, this.now, () => 0.5);
    return this;
  }

  start() {
    return this.happens({ type: "anew", ready: true });
  }

  /** @param {Partial<Extract<Happening, {type: "lost"}>>} more */
  lost(more = {}) {
    return this.happens({ type: "lost", reason: LOST, comeBack: "yes", ...more });
  }

  /** @param {number} ms */
  pass(ms) {
    const end = this.now + ms;
    for (let at = wakeAt(this.machine); at !== null && at <= end; at = wakeAt(this.machine)) {
      this.now = Math.max(this.now, at);
      this.happens({ type: "time" });
    }
    this.now = end;
    return this;
  }

  get state() {
    return this.machine.state;
  }

  /** Milliseconds until it comes back. */
  get wait() {
    return /** @type {number} */ (this.machine.retryAt) - this.now;
  }
}

test("the back-off is full jitter between half a second and its cap", () => {
  for (let failures = 1; failures < 40; failures++) {
    const cap = failures < 10 ? 20_000 : failures < 20 ? 5 * MINUTE : 10 * MINUTE;
    assert.equal(delay(failures, 0), 500);
    assert.equal(delay(failures, 1), Math.min(cap, 500 + Math.min(cap, 500 * 2 ** (failures - 1))));
    for (const random of [0.1, 0.5, 0.999]) {
      const wait = delay(failures, random);
      assert(wait >= 500 && wait <= cap, `${wait} after ${failures}`);
    }
  }
});

test("failures in a row are forgotten after half a minute of life", () => {
  const one = new Timeline().start().lost();
  assert.equal(one.wait, 750);
  one.pass(750).lost();
  assert.equal(one.wait, 1_000);
  one.pass(1_000).happens({ type: "live" }).pass(29_999).lost();
  assert.equal(one.wait, 1_500);
  one.pass(1_500).happens({ type: "live" }).pass(30_000).lost();
  assert.equal(one.wait, 750);
});

test("what the server says wins, also over signs of life", () => {
  const one = new Timeline().start().happens({ type: "live" });
  one.lost({ retryAt: one.now + 45_000 });
  assert.equal(one.wait, 45_000);
  for (const type of /** @type {const} */ (["visible", "online"])) one.happens({ type });
  assert.equal(one.wait, 45_000);
  one.happens({ type: "offline" });
  assert.equal(one.state, "suspended");
  one.happens({ type: "online" });
  assert.equal(one.wait, 45_000);
  one.happens({ type: "retry" });
  assert.equal(one.state, "connecting");
});

test("a sign of life ends the waiting within a second", () => {
  for (const type of /** @type {const} */ (["visible", "online"])) {
    const one = new Timeline().start();
    for (let failure = 0; failure < 30; failure++) one.lost().pass(10 * MINUTE);
    one.lost();
    assert(one.wait > MINUTE);
    one.happens({ type });
    assert.equal(one.wait, 500);
    one.pass(500);
    assert.equal(one.state, "connecting");
  }
});

test("offline suspends, and online comes back", () => {
  for (const before of /** @type {const} */ (["connecting", "live", "waiting"])) {
    const one = new Timeline().start();
    if (before === "live") one.happens({ type: "live" });
    if (before === "waiting") one.lost();
    assert.equal(one.state, before);
    one.happens({ type: "offline" });
    assert.equal(one.state, "suspended");
    one.pass(5 * MINUTE - 1);
    assert.equal(one.state, "suspended");
    one.happens({ type: "online" });
    assert.equal(one.state, "waiting");
    one.pass(1_000);
    assert.equal(one.state, "connecting");
  }
});

test("being offline may be a mistake: it tries every five minutes", () => {
  const one = new Timeline().start().happens({ type: "live" }).happens({ type: "offline" });
  for (let n = 0; n < 3; n++) {
    one.pass(5 * MINUTE - 1);
    assert.equal(one.state, "suspended");
    one.pass(1);
    assert.equal(one.state, "connecting");
    one.pass(60 * MINUTE).lost();
    assert.equal(one.state, "suspended");
  }
  one
    .pass(5 * MINUTE)
    .happens({ type: "live" })
    .pass(60 * MINUTE);
  assert.equal(one.state, "live");
  // What the server says is not undercut.
  one.lost({ retryAt: one.now + 10 * MINUTE }).pass(10 * MINUTE - 1);
  assert.equal(one.state, "waiting");
  one.pass(1);
  assert.equal(one.state, "connecting");
});

test("a hidden page does not try whether it is offline", () => {
  const one = new Timeline().start().happens({ type: "live" }).happens({ type: "offline" });
  one.happens({ type: "hidden" }).pass(60 * MINUTE);
  assert.equal(one.state, "suspended");
  one.happens({ type: "visible" }).pass(1_000);
  assert.equal(one.state, "connecting");
  const other = new Timeline().start().happens({ type: "live" }).happens({ type: "hidden" }).pass(MINUTE);
  other.happens({ type: "offline" }).pass(60 * MINUTE);
  assert.equal(other.state, "suspended");
});

test("a machine without a network tries once, and then waits for it", () => {
  const one = new Timeline().happens({ type: "offline" }).start();
  assert.equal(one.state, "connecting");
  one.lost();
  assert.equal(one.state, "suspended");
});

test("a hidden page stops retrying after half a minute", () => {
  const one = new Timeline()
    .start()
    .happens({ type: "live" })
    .happens({ type: "hidden" })
    .pass(29_000)
    .lost();
  assert.equal(one.state, "waiting");
  one.pass(1_000);
  assert.equal(one.state, "suspended");
  one.pass(60 * MINUTE).happens({ type: "online" });
  assert.equal(one.state, "suspended");
  one.happens({ type: "visible" });
  assert.equal(one.wait, 500);
  one.pass(500);
  assert.equal(one.state, "connecting");
});

test("who comes back though nobody sees the page has half a minute for it", () => {
  const one = new Timeline()
    .start()
    .happens({ type: "hidden" })
    .pass(60 * MINUTE);
  assert.equal(one.state, "suspended");
  one.happens({ type: "retry" }).pass(29_999);
  assert.equal(one.state, "connecting");
  const other = new Timeline();
  Object.assign(other, one);
  assert.equal(one.pass(1).state, "suspended");
  assert.equal(other.happens({ type: "live" }).pass(4 * MINUTE).state, "live");
});

test("a hidden page hangs up after five minutes, not before", () => {
  const one = new Timeline()
    .start()
    .happens({ type: "live" })
    .happens({ type: "hidden" })
    .pass(5 * MINUTE - 1);
  assert.equal(one.state, "live");
  one.pass(1);
  assert.equal(one.state, "suspended");
  const seen = new Timeline()
    .start()
    .happens({ type: "live" })
    .happens({ type: "hidden" })
    .pass(4 * MINUTE);
  seen.happens({ type: "visible" }).pass(60 * MINUTE);
  assert.equal(seen.state, "live");
});

test("a refusal is left by retry or another token", () => {
  const refused = () => new Timeline().start().lost({ comeBack: "no" });
  const one = refused();
  assert.equal(one.state, "refused");
  for (const type of /** @type {const} */ (["online", "visible", "time", "hidden", "offline"]))
    one.happens({ type });
  one.pass(60 * MINUTE);
  assert.equal(one.state, "refused");
  assert.equal(one.happens({ type: "retry" }).state, "connecting");
  assert.equal(refused().happens({ type: "anew", ready: true }).state, "connecting");
  assert.equal(refused().happens({ type: "anew", ready: false }).state, "idle");
});

test("nothing leaves closed", () => {
  const one = new Timeline().start().happens({ type: "close" });
  for (const type of /** @type {const} */ (["retry", "live", "online", "visible"])) one.happens({ type });
  one.start().lost().happens({ type: "anew", ready: true });
  assert.equal(one.state, "closed");
});

test("there is always a way on but from idle, refused and closed", () => {
  // Every state that is reached by chance either connects by itself, or by the end of what it waits for.
  let seed = 7;
  const random = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  /** @type {Happening[]} */
  const happenings = [
    { type: "online" },
    { type: "offline" },
    { type: "visible" },
    { type: "hidden" },
    { type: "time" },
    { type: "live" },
    { type: "lost", reason: LOST, comeBack: "yes" },
    { type: "lost", reason: LOST, comeBack: "with_new_token" },
  ];
  for (let run = 0; run < 500; run++) {
    const one = new Timeline().start();
    for (let n = 0; n < 30; n++) {
      const happening = /** @type {Happening} */ (happenings[Math.floor(random() * happenings.length)]);
      if (happening.type === "live" && one.state !== "connecting") continue;
      one.happens(happening).pass(random() * MINUTE);
      assert(!["idle", "refused", "closed"].includes(one.state));
    }
    one.happens({ type: "visible" }).happens({ type: "online" }).pass(1_000);
    assert(["connecting", "live"].includes(one.state), `stuck in ${one.state}`);
  }
});

test("what a close means is what the registry says", () => {
  for (const { code, reason, comeBack } of CLOSE_CODES)
    assert.equal(
      comeBackAfter(code, reason),
      comeBack === "as_it_likes" ? "yes" : comeBack,
      `${code} ${reason}`,
    );
  for (const code of [1005, 1006, 1012, 3000, 4000, 4010, 4999]) assert.equal(comeBackAfter(code, ""), "yes");
  // Words that are not documented, where an original system closes for an expired token.
  assert.equal(comeBackAfter(1008, "something else"), "with_new_token");
});
