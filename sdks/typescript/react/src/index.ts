// What `@campanile/react` exports.

export { Bell, type BellProps } from "./bell.js";
export { type Connection, useConnection } from "./connection.js";
export { type Inbox, useUnreadCount } from "./inbox.js";
export { type DocumentedOptions, useNotifications } from "./notifications.js";
export { CampanileProvider, type CampanileProviderProps, useClient } from "./provider.js";
