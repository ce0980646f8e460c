// The reconnecting client that the documents of the workspace surface describe, written from that description:
//
// - it asks its token provider for a token and connects with it;
// - on each notification it calls its handler;
// - when the socket opens, its count of attempts and its delay start again;
// - when the socket closes with 4001 it stops: the token is no good;
// - when it closes in any other way, 4003 (expired) among them, it tries again with a fresh token from the
//   provider: first after 1 s, then after twice as long each time, 30 s at most;
// - after 5 attempts in a row without an open it gives up.
//
// It knows nothing that the documents don't say: no 4009, no Retry-After. It runs in Node and in a page.

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
const MOST_ATTEMPTS = 5;

/**
 * @typedef {{what: "connecting", at: number} | {what: "open", at: number}
 *   | {what: "stopped", at: number} | {what: "gave up", at: number}
 *   | {what: "closed", at: number, code: number, reason: string, wasClean: boolean}
 *   | {what: "notification", at: number, notification: any}} Event
 */

/**
 * @typedef {object} Options
 * @property {(token: string) => string} address Where to connect with a token.
 * @property {() => string | Promise<string>} token The token provider.
 * @property {any} Socket The constructor of sockets: the browser's, or one like it.
 * @property {(event: Event) => void} [onevent] Called for each event.
 */

export class ReconnectingClient {
  /** @type {Event[]} What happened, oldest first. */
  events = [];
  /** @type {Options} */
  #options;
  #delay = FIRST_DELAY_MS;
  #attempts = 0;
  /** @type {WebSocket | undefined} */
  #socket;
  #isWanted = true;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
  }

  async connect() {
    const token = await this.#options.token();
    this.#tell({ what: "connecting", at: Date.now() });
    /** @type {WebSocket} */
    const socket = new this.#options.Socket(this.#options.address(token));
    this.#socket = socket;
    socket.onopen = () => {
      this.#attempts = 0;
      this.#delay = FIRST_DELAY_MS;
      this.#tell({ what: "open", at: Date.now() });
    };
    socket.onmessage = ({ data }) => {
      this.#tell({ what: "notification", at: Date.now(), notification: JSON.parse(data) });
    };
    socket.onclose = ({ code, reason, wasClean }) => {
      this.#tell({ what: "closed", at: Date.now(), code, reason, wasClean });
      this.#handleClose(code);
    };
    // A close follows each error.
    socket.onerror = () => {};
  }

  /** Leaves, and does not come back. */
  disconnect() {
    this.#isWanted = false;
    this.#socket?.close();
  }

  /**
   * The events of one kind.
   *
   * @template {Event["what"]} W
   * @param {W} what
   * @returns {Extract<Event, {what: W}>[]}
   */
  all(what) {
    return /** @type {Extract<Event, {what: W}>[]} */ (this.events.filter((event) => event.what === what));
  }

  /** @param {number} code */
  #handleClose(code) {
    if (code === 4001 || !this.#isWanted) {
      this.#tell({ what: "stopped", at: Date.now() });
    } else if (this.#attempts === MOST_ATTEMPTS) {
      this.#tell({ what: "gave up", at: Date.now() });
    } else {
      this.#attempts += 1;
      setTimeout(() => this.connect(), this.#delay);
      this.#delay = Math.min(this.#delay * 2, LONGEST_DELAY_MS);
    }
  }

  /** @param {Event} event */
  #tell(event) {
    this.events.push(event);
    this.#options.onevent?.(event);
  }
}
