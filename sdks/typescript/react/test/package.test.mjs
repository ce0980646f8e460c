// The package as it would be published: packed, installed into an empty project, used there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Project } from "../../bell/test/project.mjs";

const RENDER = `function Page() {
  const { items, connected } = useNotifications();
  return createElement("p", {}, items.length, " ", String(connected));
}
const page = createElement(CampanileProvider, { options: { url: "https://a.example", workspace: "w", token: "t" } },
  createElement(Page), createElement(Bell));
console.log(version.split(".")[0], renderToString(page));`;
const RENDERED = "<p>0<!-- --> <!-- -->false</p><campanile-bell></campanile-bell>";

for (const version of ["18.3.1", "19.3.1"]) {
  test(`React ${version}: installs, renders on a server from ESM and CommonJS, and has types`, async () => {
    const project = await Project.with("client", "bell", "react");
    try {
      await project.install(
        `react@${version}`,
        `react-dom@${version}`,
        `@types/react@${version.split(".")[0]}`,
      );
      const major = version.split(".")[0];
      const esm = `import { createElement, version } from "react";
        import { renderToString } from "react-dom/server";
        import { Bell, CampanileProvider, useNotifications } from "@campanile/react";
        ${RENDER}`;
      assert.equal(await project.says("esm.mjs", esm), `${major} ${RENDERED}`);
      const cjs = `const { createElement, version } = require("react");
        const { renderToString } = require("react-dom/server");
        const { Bell, CampanileProvider, useNotifications } = require("@campanile/react");
        ${RENDER}`;
      assert.equal(await project.says("cjs.cjs", cjs), `${major} ${RENDERED}`);
      const typed = `import { Bell, CampanileProvider, useClient, useConnection, useNotifications, useUnreadCount } from "@campanile/react";
        import type { Client } from "@campanile/client";
        export function Page() {
          const { items, unread, read, loadMore } = useNotifications({ unread: true });
          const { notifications, connected } = useNotifications("token", "acme");
          const count: number = useUnreadCount();
          const { state, retry } = useConnection();
          return <button onClick={() => { read(items[0]?.id ?? ""); retry(); void loadMore(); useClient()?.close(); }}>
            {notifications.map(({ id, title }) => <b key={id}>{title}</b>)} {count} {unread} {state} {String(connected)}
          </button>;
        }
        export const app = (
          <CampanileProvider options={{ url: "https://a.example", workspace: "w", token: async () => "t" }}>
            <Page /><Bell className="mine" theme="dark" toasts="off" onOpen={(event) => event.detail.item.id} />
          </CampanileProvider>
        );
        // @ts-expect-error a client or options, not both
        export const both = <CampanileProvider client={{} as Client} options={{ url: "" }} />;
        export const alone = (
          <Bell url="https://a.example" workspace="w" surface="product" token={null} theme="auto" placement="top-start"
            toasts={0} lang="ar" dir="rtl" strings={{ all: "Everything" }} />
        );
        // @ts-expect-error no such surface
        export const foreign = <Bell surface="other" />;
        // @ts-expect-error no such theme
        export const dressed = <Bell theme="blue" />;`;
      await project.types("typed.tsx", typed, { jsx: "react-jsx" });
    } finally {
      await project.end();
    }
  });
}
