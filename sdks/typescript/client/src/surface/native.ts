// Campanile's own surface: opened by a ticket, alive by heartbeats, and its frames are the client's.

import { type Ear, PATIENCE, type Talk, type Wire } from "../connection.js";
import type { CampanileError } from "../error.js";
import type { Frame, Hello } from "../frame.js";
import { request } from "../request.js";

export function native(wire: Wire): Talk {
  const { environment } = wire;
  const { epoch, seq, rev } = wire.store.now;
  let socket: Ear | undefined;
  let lastFrame = 0;
  let heartbeatMs = Infinity;
  let drainAt: number | undefined;

  const send = (message: object) => socket?.send(JSON.stringify(message));

  const check = () => {
    const left = lastFrame + heartbeatMs + PATIENCE - environment.now();
    if (left <= 0) wire.dead("no heartbeat");
    else wire.after("heartbeat", left, check);
  };

  const heard = (frame: Frame) => {
    lastFrame = environment.now();
    if (frame.type === "drain") drainAt = lastFrame + frame.retryAfterMs;
    if (frame.type === "hello") {
      wire.after("dial");
      heartbeatMs = frame.heartbeatMs as number;
      check();
    }
    wire.expires(Date.parse((frame as Hello).expiresAt as string));
    if (frame.type === "error" && frame.ref === "refresh") wire.exchange();
    else wire.onFrame(frame);
  };

  return {
    async dial(token) {
      try {
        const url = `${wire.base}/v1/tickets`;
        const { ticket } = (await request(environment, url, token, { method: "POST" })) as { ticket: string };
        const query = new URLSearchParams({
          workspace: wire.options.workspace as string,
          ticket,
          ...(epoch !== undefined && { since: epoch ? seq : 0, rev }),
          ...(epoch && { epoch }),
        } as never);
        socket = wire.open(
          `/v1/connect?${query}`,
          { frame: heard, close: (how) => wire.closed(how, drainAt) },
          ["campanile.v1"],
        );
      } catch (error) {
        const { code: reason = "failed", detail = {} } = error as Partial<CampanileError>;
        const { status: code = 0, retryAfterMs } = detail;
        // What has no code of ours (`http`) was refused by somebody in between.
        const refused = reason !== "http" && (code === 401 || code === 403);
        const comeBack = reason === "token_expired" ? "with_new_token" : refused ? "no" : "yes";
        const retryAt = retryAfterMs === undefined ? undefined : environment.now() + retryAfterMs;
        wire.dead(reason, code ? "http" : "lost", code, comeBack, retryAt);
      }
    },
    refresh(token) {
      send({ action: "refresh", token, ref: "refresh" });
      // Unless an answer plans it anew.
      wire.exchange(PATIENCE);
    },
    act({ key, action, id, upTo }) {
      send({ action, id, upTo, key, ref: key });
      return true;
    },
    check,
    close: () => socket?.close(),
  };
}
