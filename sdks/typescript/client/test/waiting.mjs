// Waiting for what comes by itself, with a deadline.

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {string} what
 * @returns {Promise<T>}
 */
export async function within(promise, what, ms = 20_000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms);
  });
  try {
    return /** @type {T} */ (await Promise.race([promise, late]));
  } finally {
    clearTimeout(timer);
  }
}

/**
 * What comes, one after the other, to whoever asks for the next.
 *
 * @template T
 */
export class Queue {
  /** @type {T[]} */
  left = [];
  /** @type {(() => void)[]} */
  #asked = [];

  /** @param {T} item */
  push(item) {
    this.left.push(item);
    for (const look of this.#asked.splice(0)) look();
  }

  /**
   * The first one that is wanted.
   *
   * @param {string} what
   * @param {(item: T) => boolean} wanted
   * @returns {Promise<T>}
   */
  async next(what, wanted = () => true) {
    const found = async () => {
      for (;;) {
        const at = this.left.findIndex(wanted);
        if (at >= 0) return this.left.splice(at, 1)[0];
        await new Promise((resolve) => this.#asked.push(() => resolve(undefined)));
      }
    };
    try {
      return await within(found(), what);
    } catch (error) {
      throw new Error(`${/** @type {Error} */ (error).message}; there is ${JSON.stringify(this.left)}`);
    }
  }
}

/**
 * Waits until a client shows something.
 *
 * @param {import("../dist/esm/index.js").Client} client
 * @param {(snapshot: import("../dist/esm/index.js").Snapshot) => boolean} shown
 * @param {() => string} what
 */
export async function until(client, shown, what) {
  let look = () => {};
  const done = new Promise((resolve) => {
    look = () => shown(client.getSnapshot()) && resolve(undefined);
  });
  const stop = client.subscribe(look);
  look();
  try {
    await within(done, "change").catch(() => {
      throw new Error(what());
    });
  } finally {
    stop();
  }
}

/**
 * Waits until something is so that nothing tells of.
 *
 * @param {() => unknown} isSo
 * @param {string} what
 */
export function eventually(isSo, what) {
  let over = false;
  const looking = async () => {
    while (!over && !isSo()) await new Promise(setImmediate);
  };
  return within(looking(), what).finally(() => {
    over = true;
  });
}

/** Lets everything happen that only waits for its turn. */
export async function turns() {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}
