// A blog: posts and comments are records, and a rule tells a post's author of comments. No libraries.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const CAMPANILE = process.env.CAMPANILE_BIN ?? "campanile";
const data = await mkdtemp(join(tmpdir(), "campanile-blog-"));

// A server of our own, on a free port. A real blog would have the address of one that runs.
const server = spawn(CAMPANILE, ["serve", "--listen", "127.0.0.1:0", "--data", data], {
  stdio: ["ignore", "ignore", "pipe"],
});
const gone = once(server, "exit");
const address = await new Promise((resolve, reject) => {
  server.once("error", reject);
  server.once("exit", () => reject(new Error("the server ended")));
  createInterface({ input: server.stderr }).on("line", (line) => {
    const entry = line.startsWith("{") ? JSON.parse(line) : {};
    if (entry.message === "listening") resolve(entry.address);
  });
});

/** A token, signed with the server's local key. A real blog signs its own, for whoever has logged in. */
function token(user, scope = "") {
  const command = ["token", "--user", user, "--workspace", "blog", "--scope", scope, "--data", data];
  return execFileSync(CAMPANILE, command, { encoding: "utf8" }).trim();
}

/** Calls the API on behalf of a user. */
async function call(bearer, method, path, body) {
  const answer = await fetch(`http://${address}/v1/workspaces/blog${path}`, {
    method,
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text && JSON.parse(text);
}

const POSTS = "/collections/posts/records";
const COMMENTS = "/collections/comments/records";

/** Somebody writes a post. */
function post(author, title) {
  return call(author.token, "POST", POSTS, { data: { author: author.name, title } });
}

/** Somebody comments on one. The comment says whose post it is on, so that the rule can tell them. */
async function comment(author, postId, text) {
  const { data } = await call(author.token, "GET", `${POSTS}/${postId}`);
  const { author: postAuthor, title: postTitle } = data;
  console.log(`${author.name} writes about “${postTitle}”`);
  await call(author.token, "POST", COMMENTS, { data: { postId, postAuthor, postTitle, text } });
}

/** Listens as the user's browser would; `next` is the next notification. */
async function listen(user) {
  const socket = new WebSocket(`ws://${address}/?token=${user.token}&workspaceSlug=blog`);
  const arrived = [];
  let wake = () => {};
  socket.addEventListener("message", ({ data }) => {
    const notification = JSON.parse(data);
    console.log(`  → ${user.name} was told: ${notification.title}: ${notification.message}`);
    arrived.push(notification);
    wake();
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", () => reject(new Error(`${user.name} can't connect`)), { once: true });
  });
  const until = async (count) => {
    while (arrived.length < count) await new Promise((resolve) => (wake = resolve));
  };
  return { arrived, until, close: () => socket.close() };
}

try {
  const ada = { name: "ada", token: token("ada", "records:write") };
  const grace = { name: "grace", token: token("grace", "records:write") };

  const rule = JSON.parse(await readFile(new URL("rule.json", import.meta.url), "utf8"));
  await call(token("editor", "admin"), "PUT", `/rules/${rule.name}`, rule);

  const adas = await listen(ada);
  const graces = await listen(grace);
  const { id } = await post(ada, "On engines");
  await comment(grace, id, "A fine machine.");
  await adas.until(1);
  await comment(ada, id, "Thank you!");
  await comment(grace, id, "When will it be built?");
  // Notifications come in order: had there been one of her own comment, it would be the second.
  await adas.until(2);
  const told = adas.arrived.map((notification) => notification.message);
  if (told.join() !== "A fine machine.,When will it be built?") throw new Error(`ada was told: ${told}`);
  if (graces.arrived.length > 0) throw new Error("grace was told of something");
  console.log(`ada was told of ${told.length} comments of 3: not of her own`);
  adas.close();
  graces.close();
} finally {
  server.kill();
  await gone;
  await rm(data, { recursive: true, force: true });
}
