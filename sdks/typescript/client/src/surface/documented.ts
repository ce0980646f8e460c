// The two documented surfaces. Only what their documents say is relied on: neither has places, and neither has to answer.

import type { Frame, Item } from "../frame.js";
import { greeting, object, type Surface } from "./surface.js";

const LEVELS = ["info", "success", "warning", "error", "alert"];

/** One socket for a user in a workspace; notifications, and nothing else, come by it. */
export const workspace: Surface = {
  native: false,
  silent: true,
  protocols: undefined,
  pingMs: 120_000,
  address: ({ workspace, secret }) => ["/", { token: secret, workspaceSlug: workspace }],
  frame(text) {
    const frame = object(text);
    return frame?.type === "pong" && !frame.id ? { type: "pong" } : notification(frame);
  },
  command,
};

/** A greeting, then notifications of products; `PING` is answered. */
export const product: Surface = {
  native: false,
  silent: false,
  protocols: undefined,
  pingMs: 25_000,
  pongMs: 10_000,
  address: ({ secret }) => ["/api/ws/notification", { access_token: secret }],
  frame(text) {
    const frame = object(text);
    switch (frame?.type) {
      case "CONNECTION_ESTABLISHED":
        return greeting(typeof frame.userId === "string" ? frame.userId : null);
      case "pong":
        return { type: "pong" };
      case "error":
        if (frame.code) return frame as unknown as Frame;
    }
    return notification(frame);
  },
  command,
};

function command({ action, id }: { action: string; id?: string }): string | undefined {
  return action === "read" || action === "archive" ? JSON.stringify({ action: "mark_read", id }) : undefined;
}

/** A frame with an id and a text is a notification. */
function notification(frame: Record<string, unknown> | undefined): Frame | undefined {
  if (!frame || typeof frame.id !== "string" || typeof frame.message !== "string") return undefined;
  const { type = "info", title, productName, timestamp, created_at: created } = frame;
  const item = {
    title: productName ?? "",
    ...frame,
    ...(title === undefined ? {} : { title }),
    seq: null,
    type,
    level: LEVELS.includes(type as string) ? type : "info",
    timestamp: timestamp ?? created ?? "",
    seen: !!frame.read,
    read: !!frame.read,
    archived: false,
  };
  return { type: "notification", seq: null, item: item as unknown as Item };
}
