// What `@campanile/client` exports.

export { Campanile } from "./client.js";
export type { Channel, Environment, Locks, Page, Socket } from "./environment.js";
export { CampanileError } from "./error.js";
export type * from "./types.js";
