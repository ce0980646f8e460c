// The store, told what was done and what took an entry's place, in either order.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createStore } from "../dist/esm/store.js";
import { heartbeat, item, page, Rig } from "./rig.mjs";

/** @typedef {import("../dist/esm/actions.js").Action["action"]} Word */

const HELLO = new Rig(/** @type {any} */ (undefined)).hello({ seq: 8, head: 8, unread: 2 });

/** A store of a client that is live, with entries at 7 and 8. */
class Told {
  store = createStore(1_000);
  #rev = 3;

  /** @param {object} first What is to be known of the entry at 7. */
  constructor(first = {}) {
    this.heard(HELLO);
    const items = [item(8), item(7, first)];
    this.store.page(/** @type {any} */ (page(items, { head: 8, unread: 2, unseen: 2 })), {}, true, []);
  }

  /** @param {any} frame */
  heard(frame) {
    this.store.apply(frame);
    return this;
  }

  /** @param {number} seq */
  superseded(seq) {
    return this.heard({ type: "retract", seq, id: "n7", itemSeq: 7, cause: "superseded", by: "n10" });
  }

  /**
   * The answer to what was done at a head.
   *
   * @param {Word} action
   * @param {number | undefined} head
   */
  done(action, head, more = {}) {
    const what = action === "read_all" ? { upTo: 8, epoch: "9f3c" } : { id: "n7" };
    const ok = {
      type: /** @type {const} */ ("ok"),
      changed: true,
      rev: ++this.#rev,
      unread: 1,
      head,
      ...more,
    };
    this.store.commit({ key: `${this.#rev}`, action, ...what }, ok);
    return this;
  }

  /** @param {unknown[]} items */
  receipts(items = [], more = {}) {
    const known = { rev: ++this.#rev, head: 20, unread: 1, unseen: 1, readUpTo: 0, seenUpTo: 0 };
    return this.heard({ type: "receipts", ...known, items, ...more });
  }

  /** @param {string[]} expected Ids; with `!` those that are unread. */
  shows(...expected) {
    const shown = this.store.now.items.map(({ id, read }) => id + (read ? "" : "!"));
    assert.deepEqual(shown, expected);
    return this;
  }
}

const READ = { read: true, seen: true };
const LISTED = { id: "n7", seq: 7, ...READ, archived: false };

for (const action of /** @type {Word[]} */ (["read", "archive", "read_all"])) {
  const other = action === "read_all" ? "n8" : "n8!";

  test(`${action} before it was superseded keeps it, in both orders`, () => {
    new Told().done(action, 9).superseded(11).shows(other, "n7");
    const late = new Told().superseded(11).shows("n8!").done(action, 9).shows(other, "n7");
    assert.equal(late.store.now.items[1].superseded, true);
    late.receipts([LISTED]).shows(other, "n7");
  });

  test(`${action} after it was superseded does not keep it, in both orders`, () => {
    for (const head of [11, 12]) {
      new Told().done(action, head).superseded(11).shows(other);
      new Told().superseded(11).done(action, head).shows(other);
    }
  });

  test(`${action} without its head keeps what was read here first`, () => {
    new Told().done(action, undefined).superseded(11).shows(other, "n7");
    new Told().superseded(11).done(action, undefined).shows(other);
  });
}

test("what receipts or a page list as read was read in time, whatever was done later", () => {
  new Told().done("read_all", 12).receipts([LISTED], { head: 10 }).superseded(11).shows("n8", "n7");
  new Told().done("read_all", 12).superseded(11).shows("n8").receipts([LISTED]).shows("n8", "n7");
  const paged = (/** @type {object} */ more) => {
    const told = new Told().done("read_all", 12);
    told.store.page(/** @type {any} */ (page([item(8, READ), item(7, more)], { head: 12 })), {}, true, []);
    return told.superseded(11).shows("n8", "n7");
  };
  paged(READ);
  paged({ ...READ, superseded: true });
});

test("unread before it was superseded is gone, in both orders", () => {
  new Told(READ).done("unread", 9).shows("n8!", "n7!").superseded(11).shows("n8!");
  new Told(READ).superseded(11).shows("n8!", "n7").done("unread", 9).shows("n8!");
  // Also where receipts, which say nothing of it, came before the answer.
  new Told(READ).superseded(11).receipts().done("unread", 9, { rev: 4 }).shows("n8!");
});

test("unread and read again before it was superseded keeps it, in every order", () => {
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [2, 0, 1],
  ];
  for (const order of orders) {
    const told = new Told(READ);
    const steps = [() => told.done("unread", 9), () => told.done("read", 9), () => told.superseded(11)];
    for (const step of order) steps[step]();
    told.shows("n8!", "n7");
  }
});

test("what is superseded and read can't be made unread", () => {
  new Told(READ).superseded(11).done("unread", 12, { changed: false }).shows("n8!", "n7");
  new Told().superseded(11).done("unread", 9).shows("n8!");
});

test("what was retracted since does not come back", () => {
  const told = new Told().superseded(11);
  told.heard({ type: "retract", seq: 12, id: "n7", itemSeq: 7, cause: "retracted" });
  told.done("read", 9).shows("n8!");
});

test("a heartbeat ends the waiting for what was superseded by then, and not before", () => {
  const beat = (/** @type {number} */ head) => {
    const told = new Told().superseded(11);
    told.heard(heartbeat(head));
    return told.receipts([LISTED]);
  };
  beat(10).shows("n8!", "n7");
  beat(11).shows("n8!");
});

test("a head says nothing of another lineage", () => {
  const told = new Told().done("read", 12);
  told.heard({ type: "resync", epoch: "other", seq: 3, reason: "epoch" });
  told.superseded(4).shows("n8!", "n7");
});

test("what comes back read is in no count", () => {
  const told = new Told().superseded(11).done("read", 9);
  assert.deepEqual([told.store.now.unread, told.store.now.unseen], [1, 1]);
});

test("what an answer counted already is not counted again", () => {
  const told = new Told();
  told.done("archive", 11, { unread: 0 });
  told.heard({ type: "retract", seq: 11, id: "n8", itemSeq: 8, cause: "retracted" });
  assert.equal(told.store.now.unread, 0);
});
