// Where the rows of a long list are, though most of them were never shown.

/** Heights by key, measured or guessed, and the places that follow from them. All in pixels. */
export class Heights {
  readonly #measured = new Map<string, number>();
  #sum = 0;
  #keys: readonly string[] = [];
  /** Where each row begins; one more than there are rows: the last is the end of all. */
  #starts = new Float64Array(1);
  #fresh = false;

  /** @param guess The height of a row as long as none was measured. */
  constructor(readonly guess: number) {}

  set keys(keys: readonly string[]) {
    this.#keys = keys;
    this.#fresh = false;
    // Rows that are gone may come back, but not for ever.
    if (this.#measured.size > 2 * keys.length + 1000) this.forget();
  }

  get total(): number {
    return this.#placed()[this.#keys.length] ?? 0;
  }

  start(index: number): number {
    return this.#placed()[index] ?? 0;
  }

  /** @returns Whether it changes anything. */
  measure(key: string, height: number): boolean {
    const before = this.#measured.get(key);
    if (before !== undefined && Math.abs(before - height) < 0.5) return false;
    this.#measured.set(key, height);
    this.#sum += height - (before ?? 0);
    this.#fresh = false;
    return true;
  }

  /** Forgets every measurement, such as when the width changed. */
  forget(): void {
    this.#measured.clear();
    this.#sum = 0;
    this.#fresh = false;
  }

  /** @returns The index of the row at `offset`; the nearest one where there is none. */
  at(offset: number): number {
    const starts = this.#placed();
    let low = 0;
    let high = this.#keys.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #placed(): Float64Array {
    if (this.#fresh) return this.#starts;
    const count = this.#keys.length;
    if (this.#starts.length < count + 1) this.#starts = new Float64Array(2 * count + 1);
    const usual = this.#measured.size ? this.#sum / this.#measured.size : this.guess;
    let start = 0;
    for (let index = 0; index < count; index++) {
      this.#starts[index] = start;
      start += this.#measured.get(this.#keys[index] ?? "") ?? usual;
    }
    this.#starts[count] = start;
    this.#fresh = true;
    return this.#starts;
  }
}
