// Waiting for what must come. The limit is generous: it only ends tests that fail.

const LIMIT_MS = 20_000;

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {string} what
 * @param {number} limit in milliseconds
 * @returns {Promise<T>}
 */
export function within(promise, what, limit = LIMIT_MS) {
  /** @type {NodeJS.Timeout} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${limit} ms for ${what}`)), limit);
  });
  return /** @type {Promise<T>} */ (Promise.race([promise, late])).finally(() => clearTimeout(timer));
}

/**
 * Asks again and again until the answer is yes: for effects that nothing announces.
 *
 * @param {() => Promise<boolean>} isSo
 * @param {string} what
 */
export async function until(isSo, what) {
  const end = Date.now() + LIMIT_MS;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`waited ${LIMIT_MS} ms until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
