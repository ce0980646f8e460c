// What an entry's own data may decide: its colour, its time, and where it leads.

import type { BellItem, Level } from "./source.js";

const LEVELS: readonly string[] = ["info", "success", "warning", "error", "alert"] satisfies Level[];

/** @returns The first of `level`, `type` and `metadata.level` that is a level; else `info`. */
export function levelOf(item: BellItem): Level {
  const found = [item.level, item.type, member(item.metadata, "level")].find(
    (word) => typeof word === "string" && LEVELS.includes(word),
  );
  return (found ?? "info") as Level;
}

/**
 * Where an entry leads: `metadata.url`, else `metadata.link`, resolved against the page. Anything but http and https is
 * no address: `javascript:` and its kin never become a link.
 */
export function linkOf(item: BellItem): string | undefined {
  for (const key of ["url", "link"]) {
    const address = member(item.metadata, key);
    if (typeof address !== "string" || address === "") continue;
    try {
      const { protocol, href } = new URL(address, document.baseURI);
      if (protocol === "http:" || protocol === "https:") return href;
    } catch {
      // Not an address: the entry leads nowhere by it.
    }
  }
  return undefined;
}

/** @returns When it happened, in milliseconds since 1970, if the entry says so. */
export function timeOf(item: BellItem): number | undefined {
  const time = Date.parse(item.timestamp ?? "");
  return Number.isNaN(time) ? undefined : time;
}

function member(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}
