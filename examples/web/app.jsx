// A React application: the bell in its header, and a list of its own.

import { Bell, CampanileProvider, useNotifications } from "@campanile/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

const root = document.querySelector("#root");
const token = () => fetch("/token").then((answer) => answer.text());

function Latest() {
  const { items, connected, read } = useNotifications({ unread: true });
  return (
    <section>
      <h2>{connected ? "Unread" : "Connecting…"}</h2>
      <ul>
        {items.map(({ id, title, message }) => (
          <li key={id}>
            <b>{title}</b> {message}{" "}
            <button type="button" onClick={() => read(id)}>
              Read
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

createRoot(root).render(
  <StrictMode>
    <CampanileProvider options={{ url: root.dataset.url, workspace: "web", token }}>
      <header>
        <strong>Orders</strong>
        <Bell />
      </header>
      <main>
        <button type="button" id="notify" onClick={() => fetch("/notify", { method: "POST" })}>
          Something happens
        </button>
        <Latest />
      </main>
    </CampanileProvider>
  </StrictMode>,
);
