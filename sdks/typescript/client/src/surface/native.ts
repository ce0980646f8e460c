// Campanile's own surface: its frames are the client's.

import type { Frame } from "../frame.js";
import { object, type Surface } from "./surface.js";

export const native: Surface = {
  native: true,
  silent: false,
  protocols: ["campanile.v1"],
  address({ workspace, secret, epoch, since, rev }) {
    const query: Record<string, string> = { workspace, ticket: secret };
    if (since !== null) {
      if (epoch !== null) query.epoch = epoch;
      query.since = `${since}`;
      query.rev = `${rev}`;
    }
    return ["/v1/connect", query];
  },
  frame: (text) => object(text) as Frame | undefined,
  command: ({ key, action, id, upTo }) => JSON.stringify({ action, id, upTo, key, ref: key }),
};
