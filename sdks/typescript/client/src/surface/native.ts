// Campanile's own surface: opened by a ticket, alive by heartbeats, and its frames are the client's.

import { comeBackFrom, type Ear, PATIENCE, type Talk, type Wire } from "../connection.js";
import type { CampanileError } from "../error.js";
import type { Frame } from "../frame.js";
import { request } from "../request.js";

export function native(wire: Wire): Talk {
  const { environment } = wire;
  const { epoch, seq, rev } = wire.since;
  let socket: Ear | undefined;
  let lastFrame = 0;
  let heartbeatMs = 0;
  let drainAt: number | undefined;

  const send = (message: object) => socket?.send(JSON.stringify(message)) ?? false;

  const check = () => {
    if (!heartbeatMs) return;
    const left = lastFrame + heartbeatMs + PATIENCE - environment.now();
    if (left <= 0) wire.dead("no heartbeat");
    else wire.after("heartbeat", left, check);
  };

  const heard = (frame: Frame) => {
    lastFrame = environment.now();
    if (frame.type === "drain") {
      drainAt = lastFrame + frame.retryAfterMs;
      return;
    }
    const refresh = "ref" in frame && frame.ref === "refresh";
    if (frame.type === "hello") {
      wire.after("dial");
      heartbeatMs = frame.heartbeatMs ?? 25_000;
      check();
    } else if (refresh && frame.type === "error") {
      wire.exchange();
    }
    if ("expiresAt" in frame) wire.expires(Date.parse(frame.expiresAt ?? ""));
    if (!refresh) wire.onFrame(frame);
  };

  return {
    async dial(token) {
      try {
        const { ticket } = (await request(environment, "POST", `${wire.base}/v1/tickets`, token)) as {
          ticket: string;
        };
        const query = {
          workspace: wire.workspace,
          ticket,
          ...(epoch !== undefined && { since: `${epoch ? seq : 0}`, rev: `${rev}` }),
          ...(epoch && { epoch }),
        };
        const told = {
          frame: (frame: unknown) => heard(frame as Frame),
          close: (code: number, reason: string) => wire.closed(code, reason, drainAt),
        };
        socket = wire.open("/v1/connect", query, told, ["campanile.v1"]);
      } catch (error) {
        const { code: reason = "failed", detail = {} } = error as Partial<CampanileError>;
        const { status: code = 0, retryAfterMs } = detail;
        const retryAt = retryAfterMs === undefined ? undefined : environment.now() + retryAfterMs;
        wire.lost({ kind: code ? "http" : "lost", code, reason }, comeBackFrom(reason, code), retryAt);
      }
    },
    refresh(token) {
      send({ action: "refresh", token, ref: "refresh" });
      // Unless an answer plans it anew.
      wire.exchange(PATIENCE);
    },
    act: ({ key, action, id, upTo }) => send({ action, id, upTo, key, ref: key }),
    check,
    close: () => socket?.close(),
  };
}
