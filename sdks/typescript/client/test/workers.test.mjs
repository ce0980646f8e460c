// The client in the workers of a browser: dedicated, shared, service.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { following, live, shows, story } from "./chromium.mjs";
import { item, notification } from "./rig.mjs";
import { jwt } from "./scripted.mjs";

/** @typedef {import("playwright-core").Page} Page */

// What a worker runs: no page, and so nothing hidden; told what to do by its page, and tells what it shows and is told.
const WORKER = `import { Campanile } from "/campanile.min.js";
const token = (user) => ["", btoa(JSON.stringify({ userId: user })), ""].join(".");
let client;
const run = (port) => {
  port.onmessage = ({ data: [name, value] }) => {
    if (name === "start") {
      client ??= new Campanile({ url: location.origin, workspace: "demo", token: () => token(value) });
      const tell = () => {
        const { state, unread, items } = client.getSnapshot();
        port.postMessage({ shown: state + " " + unread + " " + items.map(({ id }) => id) });
      };
      client.subscribe(tell);
      client.on("notification", ({ id }) => port.postMessage({ told: id }));
      client.on("error", (error) => port.postMessage({ error: error.code }));
      client.connect();
      tell();
    } else client[name](value);
  };
};
if ("onconnect" in self) self.onconnect = ({ ports: [port] }) => run(port);
else if ("clients" in self) {
  const port = {
    postMessage: async (said) => {
      for (const page of await clients.matchAll({ includeUncontrolled: true })) page.postMessage(said);
    },
  };
  run(port);
  self.onmessage = (event) => {
    // As long as an event lasts, so does the worker.
    event.waitUntil(new Promise(() => {}));
    port.onmessage(event);
  };
} else run(self);
`;

/** Starts a worker of the page, and gives `tell(name, value)`, `shown()` and `told` as the page itself has them. */
const START_WORKER = `async (kind) => {
  let worker, port;
  if (kind === "service") {
    await navigator.serviceWorker.register("/worker.js", { type: "module" });
    worker = (await navigator.serviceWorker.ready).active;
    port = navigator.serviceWorker;
  } else {
    worker = new (kind === "shared" ? SharedWorker : Worker)("/worker.js", { type: "module" });
    worker.onerror = ({ message }) => console.error(message ?? "the worker failed");
    worker = port = worker.port ?? worker;
  }
  let last = "";
  window.told = [];
  port.onmessage = ({ data: { shown, told, error } }) => {
    last = shown ?? last;
    if (told) window.told.push(told);
    if (error) console.error(error);
  };
  window.shown = () => last;
  window.tell = (...what) => worker.postMessage(what);
  tell("start", "alice");
}`;

for (const kind of ["dedicated", "shared", "service"])
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
      // What is told comes by a message of its own, after that of what is shown.
      await tab.waitForFunction("told.length");
      assert.deepEqual(await tab.evaluate("told"), ["n9"]);
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

story(
  "when the browser stops a service worker that leads, a page takes over",
  async (rig, open) => {
    const tab = await open();
    await tab.evaluate(`(${START_WORKER})("service")`);
    const socket = await live(rig);
    await rig.paged([item(7)]);
    await shows(tab, "live 1 n7");
    const page = await following(open);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("ServiceWorker.enable");
    await devtools.send("ServiceWorker.stopAllWorkers");
    await socket.closed;
    const next = await live(rig, { resumed: true, head: 8, unread: 2 });
    assert.equal(next.query.since, "7");
    next.send(notification(8));
    await shows(page, "live 2 n8,n7");
    // The next event starts it again, from nothing: it follows.
    await tab.evaluate("tell('start', 'alice')");
    await shows(tab, "live 2 n8,n7");
    next.send(notification(9));
    for (const each of [tab, page]) await shows(each, "live 3 n9,n8,n7");
    assert.deepEqual(rig.server.dials.left, []);
  },
  { "/worker.js": WORKER },
);

/** A service worker that tells its page what goes wrong, on a surface that would have to be loaded. */
const DOCUMENTED = `import { Campanile } from "/campanile.min.js";
self.onmessage = ({ source }) => {
  const options = { url: location.origin, workspace: "demo", token: "any", surface: "workspace" };
  const client = new Campanile(options);
  client.on("error", ({ name, code, detail }) => {
    source.postMessage([name, code, detail.cause.name]);
    client.close();
  });
  client.connect();
};
`;

story(
  "a service worker is told that it can't load a documented surface",
  async (_rig, open) => {
    const page = await open();
    const told = await page.evaluate(async () => {
      await navigator.serviceWorker.register("/worker.js", { type: "module" });
      const { active } = await navigator.serviceWorker.ready;
      const said = new Promise((resolve) => {
        navigator.serviceWorker.onmessage = ({ data }) => resolve(data);
      });
      active?.postMessage("");
      return said;
    });
    assert.deepEqual(told, ["CampanileError", "no_surface", "TypeError"]);
  },
  { "/worker.js": DOCUMENTED },
);

/** The service worker of the guide, with this server. */
const GUIDE = readFileSync(new URL("../../../../docs/guides/service-workers.md", import.meta.url), "utf8");
const PUSHED = (/^```js worker\.mjs\n(.*?)^```/ms.exec(GUIDE)?.[1] ?? "")
  .replace('"@campanile/client"', '"/campanile.min.js"')
  .replace('"https://notify.example.com"', "location.origin");

/** Sends a push to the service worker of a page. @param {Page} page */
async function push(page) {
  const devtools = await page.context().newCDPSession(page);
  /** @type {Promise<string>} */
  const registration = new Promise((resolve) =>
    devtools.on("ServiceWorker.workerRegistrationUpdated", ({ registrations: [one] }) =>
      resolve(one.registrationId),
    ),
  );
  await devtools.send("ServiceWorker.enable");
  const { origin } = new URL(page.url());
  const registrationId = await registration;
  await devtools.send("ServiceWorker.deliverPushMessage", { origin, registrationId, data: "" });
  await devtools.detach();
}

story(
  "a service worker that a push wakes shows what nobody has seen, as the guide says",
  async (rig, open) => {
    rig.server.files.set("/api/notification-token", ["text/plain", jwt({ userId: "alice" })]);
    const page = await open();
    await page.context().grantPermissions(["notifications"]);
    await page.evaluate(async () => {
      await navigator.serviceWorker.register("/worker.js", { type: "module" });
      await navigator.serviceWorker.ready;
    });
    await push(page);
    const socket = await live(rig, { workspace: "acme", unread: 2, unseen: 1 });
    assert.equal(socket.query.workspace, "acme");
    await rig.paged([item(7), item(6, { seen: true })], { unread: 2, unseen: 1 });
    await socket.closed;
    const shown = await page.evaluate(async () =>
      (await (await navigator.serviceWorker.ready).getNotifications()).map(
        ({ title, tag }) => `${tag} ${title}`,
      ),
    );
    assert.deepEqual(shown, ["n7 Order 7"]);
  },
  { "/worker.js": PUSHED },
);
