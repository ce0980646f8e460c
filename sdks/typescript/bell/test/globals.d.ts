// What the pages of the tests offer to `page.evaluate`.

import type { BellElement } from "../src/element.js";
import type {} from "../src/index.js";
import type { BellItem } from "../src/source.js";
import type { Strings } from "../src/strings.js";
import type { FakeSource } from "./page/fake_source.mjs";

declare global {
  const fixture: {
    FakeSource: typeof FakeSource;
    inbox(count: number, unreadEach?: number, now?: number): BellItem[];
    start(inbox?: BellItem[], loaded?: number): FakeSource;
    source: FakeSource;
    texts(): Promise<Record<string, Strings>>;
    readonly bell: BellElement;
  };
}
