// Takes over what a server rendered.

import { createElement } from "react";
import { hydrateRoot } from "react-dom/client";
import { Application } from "./hydrated.mjs";

const root = /** @type {HTMLElement} */ (document.querySelector("#root"));
const { url = "", token = "" } = root.dataset;
hydrateRoot(root, createElement(Application, { url, token }));
