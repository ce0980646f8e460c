// Campanile's own surface: opened by a ticket, alive by heartbeats, and its frames are the client's.

import type { Action } from "../actions.js";
import { Connection, comeBackAfter, comeBackFrom, PATIENCE, parsed } from "../connection.js";
import type { Frame } from "../frame.js";
import { type RequestError, request } from "../request.js";

export class Native extends Connection {
  #lastFrame = 0;
  #heartbeatMs = 0;
  #drainAt: number | undefined;

  protected async dial(token: string): Promise<void> {
    const { environment, base, workspace, since } = this.line;
    try {
      const { ticket } = (await request(environment.fetch, "POST", `${base}/v1/tickets`, token)) as {
        ticket: string;
      };
      if (this.over) return;
      const query: Record<string, string> = { workspace, ticket };
      if (since) {
        if (since.epoch !== null) query.epoch = since.epoch;
        query.since = `${since.seq}`;
        query.rev = `${since.rev}`;
      }
      this.socket = this.open("/v1/connect", query, ["campanile.v1"], {
        text: (text) => this.#take((parsed(text) ?? {}) as Frame),
        // 1006 is no code of a server: no close came.
        close: (code, reason) =>
          this.lost(
            { kind: code === 1006 ? "lost" : "close", code, reason },
            comeBackAfter(code, reason),
            this.#drainAt,
          ),
      });
    } catch (error) {
      const { code, retryAfterMs, detail } = error as RequestError;
      const { status: at = 0 } = detail ?? {};
      const retryAt = retryAfterMs === undefined ? undefined : environment.now() + retryAfterMs;
      this.lost(
        { kind: at ? "http" : "lost", code: at, reason: code },
        comeBackFrom(error as RequestError),
        retryAt,
      );
    }
  }

  refresh(token: string): void {
    this.send(JSON.stringify({ action: "refresh", token, ref: "refresh" }));
    // Unless an answer plans it anew.
    this.refreshIn(PATIENCE);
  }

  act({ key, action, id, upTo }: Action): boolean {
    return this.send(JSON.stringify({ action, id, upTo, key, ref: key }));
  }

  override check(): void {
    if (!this.#heartbeatMs) return;
    const left = this.#lastFrame + this.#heartbeatMs + PATIENCE - this.line.environment.now();
    if (left <= 0) this.dead("no heartbeat");
    else this.after("heartbeat", left, () => this.check());
  }

  #take(frame: Frame): void {
    const { now } = this.line.environment;
    this.#lastFrame = now();
    switch (frame.type) {
      case "hello":
        this.after("dial", 0);
        this.#heartbeatMs = frame.heartbeatMs ?? 25_000;
        this.check();
        this.expires(Date.parse(frame.expiresAt ?? ""));
        break;
      case "drain":
        this.#drainAt = now() + frame.retryAfterMs;
        return;
      case "ok":
        if (frame.ref !== "refresh") break;
        this.expires(Date.parse(frame.expiresAt ?? ""));
        return;
      case "error":
        if (frame.ref !== "refresh") break;
        this.again();
        return;
    }
    this.line.onFrame(frame);
  }
}
