// A page with one socket: connects where it is told, shows what comes, sends what is typed.

import { log, logClose, showFrame, showNotification, showStatus } from "./shown.mjs";

/** @type {WebSocket} */
let socket;

/** @param {string} address */
function connect(address) {
  socket = new WebSocket(address);
  showStatus("connecting");
  socket.onopen = () => {
    showStatus("connected");
    log("open");
  };
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    if (typeof frame.id === "string" && typeof frame.message === "string") showNotification(frame);
    else showFrame(data);
  };
  socket.onerror = () => log("error");
  socket.onclose = (event) => {
    showStatus("disconnected");
    logClose(event);
  };
}

/**
 * @param {string} form
 * @param {(value: string) => void} handle
 */
function onSubmit(form, handle) {
  document.forms.namedItem(form)?.addEventListener("submit", (event) => {
    event.preventDefault();
    const input = /** @type {HTMLFormElement} */ (event.target).querySelector("input");
    handle(input?.value ?? "");
  });
}

onSubmit("connect", connect);
onSubmit("send", (message) => socket.send(message));
