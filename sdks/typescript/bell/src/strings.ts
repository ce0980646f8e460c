// The words of a bell. English is built in; other languages are modules of their own, loaded when they are asked for.

/** A text for each plural form of a language; `{count}` stands for the number. */
export type Plural = { readonly other: string } & { readonly [Form in Intl.LDMLPluralRule]?: string };

/** Every text of a bell. */
export interface Strings {
  readonly notifications: string;
  /** Of the badge, for screen readers. */
  readonly unreadCount: Plural;
  readonly all: string;
  readonly unread: string;
  readonly archived: string;
  readonly filters: string;
  readonly readAll: string;
  readonly markRead: string;
  readonly markUnread: string;
  readonly archive: string;
  readonly close: string;
  readonly dismiss: string;
  readonly retry: string;
  readonly loading: string;
  readonly loadFailed: string;
  /** There is nothing to show, and no connection that could bring something. */
  readonly unavailable: string;
  readonly emptyAll: string;
  readonly emptyAllHint: string;
  readonly emptyUnread: string;
  readonly emptyUnreadHint: string;
  readonly emptyArchived: string;
  readonly emptyArchivedHint: string;
  readonly live: string;
  readonly connecting: string;
  readonly waiting: string;
  readonly suspended: string;
  readonly refused: string;
  readonly idle: string;
  /** Before the title of an unread entry, for screen readers. */
  readonly unreadMark: string;
  /** Names of the levels, for screen readers. */
  readonly info: string;
  readonly success: string;
  readonly warning: string;
  readonly error: string;
  readonly alert: string;
  /** More toasts came than are shown. */
  readonly moreArrived: Plural;
  /** Several came at once, for screen readers. */
  readonly newCount: Plural;
  readonly justNow: string;
}

/** Sets whatever a page wants to say in its own words. */
export type CustomStrings = Partial<Strings>;

export const english: Strings = {
  notifications: "Notifications",
  unreadCount: { one: "{count} unread", other: "{count} unread" },
  all: "All",
  unread: "Unread",
  archived: "Archived",
  filters: "Show",
  readAll: "Mark all as read",
  markRead: "Mark as read",
  markUnread: "Mark as unread",
  archive: "Archive",
  close: "Close",
  dismiss: "Dismiss",
  retry: "Try again",
  loading: "Loading…",
  loadFailed: "Older notifications could not be loaded.",
  unavailable: "Notifications are not available right now.",
  emptyAll: "Nothing here yet",
  emptyAllHint: "New notifications appear here as they happen.",
  emptyUnread: "All caught up",
  emptyUnreadHint: "You have read everything.",
  emptyArchived: "Nothing archived",
  emptyArchivedHint: "What you put away is kept here.",
  live: "Live",
  connecting: "Connecting…",
  waiting: "Reconnecting…",
  suspended: "Offline",
  refused: "Not signed in",
  idle: "Not connected",
  unreadMark: "Unread",
  info: "Info",
  success: "Success",
  warning: "Warning",
  error: "Error",
  alert: "Alert",
  moreArrived: { one: "{count} more notification", other: "{count} more notifications" },
  newCount: { one: "{count} new notification", other: "{count} new notifications" },
  justNow: "just now",
};

const shipped: Record<string, () => Promise<{ default: Strings }>> = {
  ar: () => import("./locales/ar.js"),
  de: () => import("./locales/de.js"),
  es: () => import("./locales/es.js"),
  fr: () => import("./locales/fr.js"),
  he: () => import("./locales/he.js"),
  ja: () => import("./locales/ja.js"),
};

/** Languages with a translation of their own, English included. */
export const languages: readonly string[] = ["en", ...Object.keys(shipped)];

/** @returns Whether there are texts for a language tag such as `de-AT`. */
export function isShipped(tag: string): boolean {
  return languages.includes(base(tag));
}

/** The texts for a language tag such as `de-AT`, as they are shipped: English where there are none. */
export async function translation(language: string): Promise<Strings> {
  const load = shipped[base(language)];
  return load ? (await load()).default : english;
}

function base(tag: string): string {
  return tag.toLowerCase().split("-")[0] ?? "";
}
