// What a user does with a bell, by pointer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes } from "./browser.mjs";
import { calls, opened, pages, titles } from "./pages.mjs";

const site = pages();

test("the badge counts unread entries, says 99+ beyond, and is not there for none", () =>
  site.on(async (page) => {
    const badge = page.locator(".badge");
    await page.evaluate(() => void fixture.start(fixture.inbox(7)));
    assert.equal(await badge.textContent(), "3");
    assert.equal(await page.locator("button.bell").getAttribute("aria-label"), "Notifications: 3 unread");
    await page.evaluate(() => void fixture.start(fixture.inbox(99, 1)));
    assert.equal(await badge.textContent(), "99");
    await page.evaluate(() => void fixture.start(fixture.inbox(100, 1)));
    assert.equal(await badge.textContent(), "99+");
    await page.evaluate(() => void fixture.start(fixture.inbox(0)));
    await badge.waitFor({ state: "hidden" });
    assert.equal(await page.locator("button.bell").getAttribute("aria-label"), "Notifications");
  }));

test("opens by its button, marks seen, closes by the button, outside, and its own button", () =>
  site.on(async (page) => {
    const dialog = page.getByRole("dialog", { name: "Notifications" });
    await page.evaluate(() => {
      fixture.start(fixture.inbox(5));
      fixture.source.arrive({ id: "fresh", title: "Fresh", read: false });
    });
    await page.locator("button.bell").click();
    await dialog.waitFor();
    await becomes(page, "fixture.source.calls", ["seen"]);
    await page.locator("button.bell").click();
    await dialog.waitFor({ state: "hidden" });
    await page.locator("button.bell").click();
    await page.locator("h1").click();
    await dialog.waitFor({ state: "hidden" });
    await page.locator("button.bell").click();
    await dialog.getByRole("button", { name: "Close" }).click();
    await dialog.waitFor({ state: "hidden" });
    assert.deepEqual(await calls(page), ["seen"]);
  }));

test("read, unread, archive, read all; the filters show what is left", () =>
  site.on(async (page) => {
    await opened(page, 6);
    const first = page.locator("article").first();
    await first.hover();
    await first.getByRole("button", { name: "Mark as read" }).click();
    await first.getByRole("button", { name: "Mark as unread" }).waitFor();
    await first.getByRole("button", { name: "Mark as unread" }).click();
    await first.getByRole("button", { name: "Archive" }).click();
    await becomes(page, "fixture.source.calls", ["read n6", "unread n6", "archive n6"]);
    await becomes(
      page,
      "document.querySelector('campanile-bell').shadowRoot.querySelectorAll('article').length",
      5,
    );

    await page.getByRole("tab", { name: "Archived" }).click();
    await page.locator("article").waitFor();
    assert.deepEqual(await titles(page), ["Deployment finished"]);
    assert.equal(await page.getByRole("button", { name: "Archive" }).count(), 0);

    await page.getByRole("tab", { name: "Unread" }).click();
    await page.locator("article", { hasText: "Payment failed" }).waitFor();
    assert.deepEqual(await titles(page), ["Payment failed"]);
    await page.getByRole("button", { name: "Mark all as read" }).click();
    await page.getByText("All caught up").waitFor();
    assert(await page.getByRole("button", { name: "Mark all as read" }).isDisabled());
    await page.locator(".badge").waitFor({ state: "hidden" });
  }));

test("an entry that is activated tells the page, is read, and follows its link unless the page says no", () =>
  site.on(async (page) => {
    await opened(page, 8);
    await page.evaluate(() => {
      Object.assign(window, { opened: [], keep: true });
      document.addEventListener("campanile-open", (event) => {
        // @ts-expect-error globals of this page
        window.opened.push(event.detail.item.id);
        // @ts-expect-error globals of this page
        if (window.keep) event.preventDefault();
      });
    });
    const order = page.locator("article", { hasText: "New order" });
    await order.locator(".message").click();
    await order.getByRole("link", { includeHidden: true }).click();
    assert.deepEqual(await page.evaluate("opened"), ["n3", "n3"]);
    assert.deepEqual(await calls(page), []);
    assert.equal(new URL(page.url()).pathname, "/");

    await page.evaluate("keep = false");
    await page.locator("article", { hasText: "Deployment" }).click();
    assert.deepEqual(await calls(page), ["read n8"]);
    await order.locator(".message").click();
    await page.waitForURL("**/orders/12345");
  }));

test("texts are text, and a link is http or https", () =>
  site.on(async (page) => {
    const markup = "<img src=x onerror=alert(1)><b>bold</b>";
    await page.evaluate((title) => {
      const urls = [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//other.example/x",
        " https://a.example/",
        7,
      ];
      fixture.start(
        urls.map((url, index) => ({
          id: String(index),
          title,
          message: title,
          type: title,
          read: false,
          metadata: { url },
        })),
      );
      fixture.source.arrive({ id: "toast", title, message: title, read: false });
    }, markup);
    await page.locator(".toast").waitFor();
    assert.equal(await page.locator(".toast .title > :last-child").textContent(), markup);
    await page.locator("button.bell").click();
    await page.locator("article").first().waitFor();
    assert.deepEqual(new Set(await titles(page)), new Set([markup]));
    assert.equal(await page.locator("campanile-bell img, campanile-bell b").count(), 0);
    const links = page.locator("article a");
    assert.deepEqual(
      await links.evaluateAll((found) => found.map((link) => /** @type {HTMLAnchorElement} */ (link).href)),
      ["http://other.example/x", "https://a.example/"],
    );
  }));

test("says what the connection is, and offers to try again", () =>
  site.on(async (page) => {
    await opened(page, 3);
    const status = page.locator(".status");
    assert.equal(await status.getByRole("status").textContent(), "Live");
    for (const [state, text] of /** @type {const} */ ([
      ["connecting", "Connecting…"],
      ["waiting", "Reconnecting…"],
      ["suspended", "Offline"],
      ["refused", "Not signed in"],
    ])) {
      await page.evaluate((state) => fixture.source.is(state), state);
      await status.getByText(text).waitFor();
    }
    await status.getByRole("button", { name: "Try again" }).click();
    assert.deepEqual(await calls(page), ["retry"]);
    await page.evaluate(() => fixture.source.is("live"));
    await status.getByText("Live").waitFor();
    assert.equal(await status.getByRole("button").count(), 0);
  }));

test("empty, loading, failed and unavailable are told apart", () =>
  site.on(async (page) => {
    await opened(page, 0);
    await page.getByText("Nothing here yet").waitFor();
    await page.getByRole("tab", { name: "Archived" }).click();
    await page.getByText("Nothing archived").waitFor();
    await page.getByRole("tab", { name: "All" }).click();
    await page.evaluate(() => fixture.source.is("suspended"));
    await page.getByText("Notifications are not available right now.").waitFor();
    await page.evaluate(() => fixture.source.is("connecting"));
    await page.locator(".spinner").waitFor();

    await page.evaluate(() => {
      fixture.start(fixture.inbox(60), 0).failures = 1;
    });
    const alert = page.getByRole("dialog").getByRole("alert");
    await alert.getByText("Notifications are not available right now.").waitFor();
    await alert.getByRole("button", { name: "Try again" }).click();
    await page.locator("article").first().waitFor();
    assert.equal(await alert.count(), 0);
    await becomes(page, "fixture.source.list({}).items.length", 50);
    await page.evaluate(() => {
      fixture.source.failures = 1;
    });
    await page.locator("article").first().focus();
    await page.keyboard.press("End");
    await alert.getByText("Older notifications could not be loaded.").waitFor();
    await alert.getByRole("button", { name: "Try again" }).click();
    await becomes(page, "fixture.source.list({}).items.length", 60);
    assert.equal(await alert.count(), 0);
  }));

test("another source takes the place of the former, which is left", () =>
  site.on(async (page) => {
    await opened(page, 4);
    const left = await page.evaluate(() => {
      const former = fixture.source;
      fixture.start([{ id: "b", title: "Of another", read: true }]);
      former.arrive({ id: "late", title: "Late", read: false });
      return former.listeners;
    });
    assert.equal(left, 0);
    await page.locator("article", { hasText: "Of another" }).waitFor();
    assert.deepEqual(await titles(page), ["Of another"]);
    assert.equal(await page.locator(".toast").count(), 0);
    await page.evaluate(() => {
      const { bell, source } = fixture;
      bell.remove();
      Object.assign(window, { left: source.listeners });
      document.querySelector("header")?.append(bell);
    });
    assert.equal(await page.evaluate("left"), 0);
    await page.locator("button.bell").click();
    await page.locator("article").waitFor();
    await page.evaluate(() => {
      fixture.bell.client = undefined;
    });
    assert.deepEqual(await titles(page), []);
    await page.getByText("Notifications are not available right now.").waitFor();
    await page.evaluate(() => {
      fixture.bell.client = fixture.source;
      fixture.bell.hide();
    });
    await page.locator("button.bell").click();
    await page.locator("article", { hasText: "Of another" }).waitFor();
  }));

test("properties that are set before the element is defined count", () =>
  site.on(async (page) => {
    const label = await page.evaluate(() => {
      const early = /** @type {any} */ (document.createElement("campanile-late"));
      const source = new fixture.FakeSource(fixture.inbox(4));
      early.client = source;
      early.strings = { notifications: "Inbox" };
      document.body.append(early);
      const Bell = /** @type {typeof HTMLElement} */ (customElements.get("campanile-bell"));
      customElements.define("campanile-late", class extends Bell {});
      return early.shadowRoot.querySelector("button.bell").getAttribute("aria-label");
    });
    assert.equal(label, "Inbox: 2 unread");
  }));
