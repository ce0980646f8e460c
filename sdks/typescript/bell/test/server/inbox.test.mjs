// A bell and the real server: what is done in one is so in the other.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { workspaceToken } from "../../../../../tests/clients/node/token.mjs";
import { until } from "../../../../../tests/clients/node/waiting.mjs";
import { badge, connected, open } from "./tabs.mjs";

const at = connected();

/** The user's inbox by REST: unread, and the entries' titles by what they are. @param {string} user */
async function inbox(user) {
  const headers = { authorization: `Bearer ${workspaceToken(user)}` };
  const answer = await fetch(at.server.http("/v1/workspaces/acme/inbox?archived=any&limit=100"), { headers });
  /** @type {{unread: number, items: {title: string, read: boolean, archived: boolean, seen: boolean}[]}} */
  const { unread, items } = await answer.json();
  return {
    unread,
    unseen: items.filter(({ seen }) => !seen).length,
    read: items.filter(({ read, archived }) => read && !archived).map(({ title }) => title),
    archived: items.filter(({ archived }) => archived).map(({ title }) => title),
  };
}

test("read, archived, all read: in the panel, in the badge, and on the server", () =>
  at.within(async (context) => {
    for (const title of ["One", "Two", "Three"]) await at.server.publish("acme", "alice", { title });
    const page = await at.tab(context, "alice");
    await badge(page).getByText("3").waitFor();
    await open(page);
    await until(async () => (await inbox("alice")).unseen === 0, "all are seen");
    const entry = (/** @type {string} */ title) => page.locator("article", { hasText: title });
    await entry("Two").hover();
    await entry("Two").getByRole("button", { name: "Mark as read" }).click();
    await badge(page).getByText("2").waitFor();
    await entry("One").hover();
    await entry("One").getByRole("button", { name: "Archive" }).click();
    await badge(page).getByText("1").waitFor();
    await until(async () => (await inbox("alice")).unread === 1, "the server knows");
    assert.deepEqual(await inbox("alice"), { unread: 1, unseen: 0, read: ["Two"], archived: ["One"] });
    await page.getByRole("tab", { name: "Archived" }).click();
    await entry("One").waitFor();
    assert.equal(await page.locator("article").count(), 1);
    await page.getByRole("tab", { name: "Unread" }).click();
    await entry("Three").waitFor();
    assert.equal(await page.locator("article").count(), 1);
    await page.getByRole("button", { name: "Mark all as read" }).click();
    await page.getByText("All caught up").waitFor();
    await until(async () => (await inbox("alice")).unread === 0, "the server knows");
  }));

test("what arrives is a toast, and what is read elsewhere leaves badge and toast", () =>
  at.within(async (context) => {
    const page = await at.tab(context, "bob");
    const { id } = await at.server.publish("acme", "bob", { title: "Alarm", type: "alert" });
    await page.locator(".toast", { hasText: "Alarm" }).waitFor();
    await badge(page).getByText("1").waitFor();
    const read = await fetch(at.server.http(`/v1/workspaces/acme/inbox/${id}/read`), {
      method: "POST",
      headers: { authorization: `Bearer ${workspaceToken("bob")}` },
    });
    assert.equal(read.status, 200);
    await badge(page).waitFor({ state: "hidden" });
    await page.locator(".toast").waitFor({ state: "detached" });
  }));

test("the page of the README: three lines, and the files of dist/browser", () =>
  at.within(async (context) => {
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    const [, html] = /```html\n([^`]+)```/.exec(readme) ?? [];
    assert(html && html.trim().split("\n").length === 3, "three lines");
    const files = new URL("../../dist/browser/", import.meta.url);
    for (const name of await readdir(files))
      at.site.routes.set(`/bell/${name}`, async (_request, response) => {
        response.setHeader("content-type", "text/javascript").end(await readFile(new URL(name, files)));
      });
    at.site.routes.set("/three.html", (_request, response) => {
      const page = html.replace("https://notifications.example.com", at.server.http(""));
      response.setHeader("content-type", "text/html; charset=utf-8").end(page);
    });
    const page = await context.newPage();
    await page.goto(`${at.site.origin}/three.html`);
    await at.server.publish("acme", "somebody", { title: "It works" });
    await badge(page).getByText("1").waitFor();
    await open(page);
    await page.locator("article", { hasText: "It works" }).waitFor();
    await page.getByRole("status").getByText("Live").waitFor();
  }));

test("an inbox of 10,000: all of it is loaded, page by page, while it scrolls smoothly", (t) =>
  at.within(async (context) => {
    for (let batch = 0; batch < 10; batch++) {
      const many = Array.from({ length: 1000 }, (_, index) => ({
        to: { user: "dora" },
        title: `Entry ${batch * 1000 + index}`,
        message: "A message",
        type: "info",
      }));
      const answer = await at.server.tryPublish("acme", many);
      assert.equal(answer.status, 201, await answer.text());
    }
    const page = await at.tab(context, "dora");
    await badge(page).getByText("99+").waitFor();
    await open(page);
    await page.locator("article").first().waitFor();
    const { times, top, loaded, most } = await page.evaluate(async () => {
      const bell = document.querySelector("campanile-bell");
      const list = bell?.shadowRoot?.querySelector(".list");
      if (!bell?.client || !list) throw new Error("there is no list");
      const frame = () => new Promise(requestAnimationFrame);
      /** @type {number[]} */
      const times = [];
      let most = 0;
      let last = await frame();
      const end = performance.now() + 150_000;
      while (bell.client.list({}).items.length < 10_000 && performance.now() < end) {
        list.scrollTop += 400;
        const now = await frame();
        times.push(now - last);
        last = now;
        most = Math.max(most, list.querySelectorAll("article").length);
      }
      return {
        times: times.sort((a, b) => a - b),
        top: list.scrollTop,
        loaded: bell.client.list({}).items.length,
        most,
      };
    });
    const median = times[Math.floor(times.length / 2)] ?? 0;
    const p99 = times[Math.floor(times.length * 0.99)] ?? 0;
    t.diagnostic(
      `${loaded} entries in ${times.length} frames, ${(times.reduce((a, b) => a + b, 0) / 1000).toFixed(0)} s: median ${median.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
    );
    assert.equal(loaded, 10_000, `scrolled to ${top}`);
    assert(most <= 40, `${most} entries in the document`);
    assert(median < 50, `median ${median} ms`);
    assert(p99 < 250, `p99 ${p99} ms`);
  }));
