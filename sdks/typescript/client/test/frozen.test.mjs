// Tabs in Chromium that hang: another one takes over.

import assert from "node:assert/strict";
import { following, leading, live, shows, story } from "./chromium.mjs";
import { notification } from "./rig.mjs";

/** Options of a tab that loses its patience with other tabs 20 times as soon. */
const IMPATIENT =
  "{ environment: { setTimeout: (then, ms) => setTimeout(then, ms > 10_000 ? ms / 20 : ms) } }";

story("when the tab that leads hangs, another one takes over", async (rig, open) => {
  const { page: first, socket } = await leading(rig, open);
  const second = await following(open, IMPATIENT);
  const asked = first.waitForEvent("dialog");
  await first.evaluate("void setTimeout(() => alert('It waits for an answer.'))");
  const dialog = await asked;
  const next = await live(rig, { resumed: true, seq: 7, head: 8, unread: 2 });
  next.send(notification(8));
  await shows(second, "live 2 n8,n7");
  await dialog.accept();
  await socket.closed;
  await shows(first, "live 2 n8,n7");
  next.send(notification(9));
  for (const tab of [first, second]) await shows(tab, "live 3 n9,n8,n7");
  assert.deepEqual(rig.server.dials.left, []);
});
