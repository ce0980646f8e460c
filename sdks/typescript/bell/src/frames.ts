// A source's snapshot, one change a frame: a burst of a thousand notifications is one rendering.

/** Whatever has a snapshot and tells when it changes. */
export interface Changing<T> {
  subscribe(listener: () => void): () => void;
  getSnapshot(): T;
}

/** Longest wait for a frame, in milliseconds: hidden pages have none. */
const LONGEST_WAIT = 500;

/**
 * Follows a source and holds its snapshot still between two animation frames. Listeners hear at most once a frame, and
 * `getSnapshot` gives the same object until they have heard. It subscribes to the source only while somebody listens;
 * without listeners `getSnapshot` is the source's own.
 */
export class FramedSnapshot<T> implements Changing<T> {
  readonly #source: Changing<T>;
  readonly #listeners = new Set<() => void>();
  #held: { readonly snapshot: T } | undefined;
  #leave: (() => void) | undefined;
  #cancel: (() => void) | undefined;

  constructor(source: Changing<T>) {
    this.#source = source;
  }

  subscribe = (listener: () => void): (() => void) => {
    const own = () => listener();
    this.#listeners.add(own);
    if (!this.#leave) {
      this.#held = { snapshot: this.#source.getSnapshot() };
      this.#leave = this.#source.subscribe(() => this.#handleChange());
    }
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.#stop();
    };
  };

  getSnapshot = (): T => (this.#held ? this.#held.snapshot : this.#source.getSnapshot());

  /** Shows what is there now, without waiting for a frame: such as when it became another user's. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#show();
  }

  #handleChange(): void {
    this.#cancel ??= nextFrame(() => {
      this.#cancel = undefined;
      this.#show();
    });
  }

  #show(): void {
    const snapshot = this.#source.getSnapshot();
    if (!this.#held || this.#held.snapshot === snapshot) return;
    this.#held = { snapshot };
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        // One listener's failure is reported as any uncaught error, and keeps nothing from the others.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#leave?.();
    this.#leave = undefined;
    this.#held = undefined;
  }
}

/** Calls `work` in the next animation frame, or after 500 ms where none comes. Returns what cancels it. */
export function nextFrame(work: () => void): () => void {
  let frame = 0;
  const cancel = () => {
    clearTimeout(timer);
    if (frame) cancelAnimationFrame(frame);
  };
  const once = () => {
    cancel();
    work();
  };
  const timer = setTimeout(once, LONGEST_WAIT);
  if (typeof requestAnimationFrame === "function") frame = requestAnimationFrame(once);
  return cancel;
}
