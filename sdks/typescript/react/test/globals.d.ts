// What the pages of the tests offer to `page.evaluate`.

import type { Inbox } from "../src/inbox.js";
import type { FakeClient } from "./page/fake_client.mjs";

declare global {
  const app: {
    FakeClient: typeof FakeClient;
    renders: Record<string, number>;
    client: FakeClient;
    show(page: string, props: object, strict?: boolean): void;
    end(): void;
  };
  /** What `documented.test.mjs` imports into a page. */
  const pasted: { signIn(token: string): void; mount(strict: boolean): void; unmount(): void };
  const actions: Pick<Inbox, "read" | "markUnread" | "archive" | "readAll" | "seen" | "loadMore">;
}
