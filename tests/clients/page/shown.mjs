// What the pages show. All of it goes into text nodes: a notification is never markup.

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * @param {string} tag
 * @param {string} text
 */
function node(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

/** @param {string} text */
export function showStatus(text) {
  element("status").textContent = text;
}

/** @param {string} text One more thing the socket went through. */
export function log(text) {
  element("log").append(node("li", text));
}

/** @param {CloseEvent | {code: number, reason: string, wasClean: boolean}} event */
export function logClose({ code, reason, wasClean }) {
  log(`close ${code} "${reason}" ${wasClean ? "clean" : "unclean"}`);
}

/** @param {any} notification */
export function showNotification({ title, message, type }) {
  const item = document.createElement("li");
  item.append(node("strong", title), node("span", message), node("em", type));
  element("notifications").append(item);
}

/** @param {string} text A frame that is no notification. */
export function showFrame(text) {
  element("frames").append(node("li", text));
}
