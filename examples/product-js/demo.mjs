// A server of its own, a shop that tells of its products, and the client of client.mjs.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pass } from "node:timers/promises";
import { Notifications } from "./client.mjs";

const CAMPANILE = process.env.CAMPANILE_BIN ?? "campanile";
// Node.js 20 has no WebSocket of its own.
const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;

/** What the back end does: gives tokens, and tells alice of her products. */
class Shop {
  constructor(data, address) {
    this.data = data;
    this.address = address;
  }

  /** A token, signed with the server's local key. A real shop signs its own, for whoever has logged in. */
  token(...options) {
    return execFileSync(CAMPANILE, ["token", ...options, "--data", this.data], { encoding: "utf8" }).trim();
  }

  /** Publishes one notification to alice. */
  async tell(product, message) {
    const token = this.token("--user", "shop", "--workspace", "default", "--scope", "notifications:write");
    const to = { user: "alice" };
    const note = { to, title: product, message, type: "warning", productName: product };
    await this.call("/v1/workspaces/default/notifications", token, note);
  }

  /** Calls the API. */
  async call(path, token, body) {
    const answer = await fetch(`http://${this.address}${path}`, {
      method: body ? "POST" : "GET",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }
}

/** Alice opens the page, deals with one notification, and leaves. */
async function visit(shop) {
  await new Promise((resolve, reject) => {
    const notifications = new Notifications({
      url: `ws://${shop.address}`,
      token: () => shop.token("--user", "alice", "--product"),
      WebSocket,
      onrefused: (reason) => reject(new Error(reason)),
      onnotification(notification) {
        console.log(`  ${notifications.user} is told: ${notification.message} (${notification.productName})`);
        notifications.markRead(notification.id);
        notifications.close();
        resolve();
      },
    });
    notifications.connect();
  });
}

/** Her list, once everything in it is read: marking has no answer in the documents, so this looks a few times. */
async function readList(shop) {
  const token = shop.token("--user", "alice", "--product");
  for (let looks = 0; ; looks += 1) {
    const { notifications } = await shop.call("/api/notification/list", token);
    if (looks === 50 || notifications.every(({ isRead }) => isRead)) return notifications;
    await pass(100);
  }
}

/** What the README shows. */
async function story(shop) {
  console.log("alice is there, and the shop tells of milk");
  const visiting = visit(shop);
  await shop.tell("Milk", "Milk expires tomorrow");
  await visiting;
  console.log("alice is away, and the shop tells of bread");
  await shop.tell("Bread", "Bread has expired");
  console.log("alice is back");
  await visit(shop);
  const list = await readList(shop);
  const read = list.filter(({ isRead }) => isRead).length;
  console.log(`her list has ${list.length} notifications, and she has read ${read}`);
}

const data = await mkdtemp(join(tmpdir(), "campanile-product-"));
const server = spawn(CAMPANILE, ["serve", "--listen", "127.0.0.1:0", "--data", data], {
  stdio: ["ignore", "ignore", "pipe"],
});
const gone = once(server, "exit");
try {
  const address = await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("exit", () => reject(new Error("the server ended")));
    createInterface({ input: server.stderr }).on("line", (line) => {
      const entry = line.startsWith("{") ? JSON.parse(line) : {};
      if (entry.message === "listening") resolve(entry.address);
    });
  });
  await story(new Shop(data, address));
} finally {
  server.kill();
  await gone;
  await rm(data, { recursive: true, force: true });
}
