// The client in the workers of a browser: dedicated and shared.

import assert from "node:assert/strict";
import { live, shows, story } from "./chromium.mjs";
import { item, notification } from "./rig.mjs";

// What a worker runs: no page, and so nothing hidden; told what to do by its page, and tells what it shows.
const WORKER = `import { Campanile } from "/campanile.min.js";
const token = (user) => ["", btoa(JSON.stringify({ userId: user })), ""].join(".");
let client;
const run = (port) => {
  port.onmessage = ({ data: [name, value] }) => {
    if (name === "start") {
      client ??= new Campanile({ url: location.origin, workspace: "demo", token: () => token(value) });
      const tell = () => {
        const { state, unread, items } = client.getSnapshot();
        port.postMessage(state + " " + unread + " " + items.map(({ id }) => id));
      };
      client.subscribe(tell);
      client.on("error", (error) => port.postMessage("error " + error.code));
      client.connect();
      tell();
    } else client[name](value);
  };
};
if ("onconnect" in self) self.onconnect = ({ ports: [port] }) => run(port);
else run(self);
`;

/** Starts a worker of the page, and gives `tell(name, value)` and `shown()` as the page itself has them. */
const START_WORKER = `(kind) => {
  const worker = new (kind === "shared" ? SharedWorker : Worker)("/worker.js", { type: "module" });
  const port = worker.port ?? worker;
  let told = "";
  port.onmessage = ({ data }) => {
    if (data.startsWith("error")) console.error(data);
    else told = data;
  };
  worker.onerror = ({ message }) => console.error(message ?? "the worker failed");
  window.shown = () => told;
  window.tell = (...what) => port.postMessage(what);
  tell("start", "alice");
}`;

for (const kind of ["dedicated", "shared"])
  story(
    `a ${kind} worker connects, receives, reads, and shares with a page`,
    async (rig, open) => {
      const tab = await open();
      await tab.evaluate(`(${START_WORKER})("${kind}")`);
      const socket = await live(rig);
      await rig.paged([item(7)]);
      await shows(tab, "live 1 n7");
      socket.send(notification(9));
      await shows(tab, "live 2 n9,n7");
      await tab.evaluate("tell('read', 'n9')");
      const { id, ref } = JSON.parse(await socket.texts.next("read"));
      assert.equal(id, "n9");
      socket.send({ type: "ok", ref, changed: true, rev: 4, unread: 1 });
      await shows(tab, "live 1 n9,n7");
      // Locks, channels and the database are the browser's: a page of the same user has no socket of its own.
      const page = await open();
      await page.evaluate("start('alice')");
      await shows(page, "live 1 n9,n7");
      assert.deepEqual(rig.server.dials.left, []);
      await page.evaluate("client.close()");
      await shows(tab, "closed 0 ");
      await socket.closed;
    },
    { "/worker.js": WORKER },
  );
