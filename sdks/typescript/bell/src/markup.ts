// Elements made by calls, never from a string: what a notification says can't become markup.

/** Attributes by name; `true` sets an empty one, `false` and `undefined` none. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Makes an element with attributes and children; a string becomes text. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) mark(element, name, value);
  element.append(...children);
  return element;
}

/** Sets or removes an attribute, and only where it is not so already: needless writes make readers speak. */
export function mark(element: Element, name: string, value: string | number | boolean | undefined): void {
  if (value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Sets the text of an element, if it is another. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A button with an icon, named for screen readers and by a tooltip once `name` is called. */
export function iconButton(icon: Icon, attributes: Attributes = {}): HTMLButtonElement {
  return make("button", { type: "button", ...attributes }, draw(icon));
}

/** Names a button that shows only an icon. */
export function name(element: Element, text: string): void {
  mark(element, "aria-label", text);
  mark(element, "title", text);
}

const ICONS = {
  bell: "M18 8.5a6 6 0 1 0-12 0c0 6.5-2.5 8-2.5 8h17S18 15 18 8.5ZM13.8 20a2 2 0 0 1-3.6 0",
  check: "m5 12.5 4.5 4.5L19 7.5",
  readAll: "m2 12.5 4.5 4.5L15 8.5M11.5 16l1 1L21.5 8",
  archive: "M4 8.5V18a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V8.5M3 4h18v4.5H3ZM10 12.5h4",
  unread: "M12 12m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0",
  close: "m6.5 6.5 11 11M17.5 6.5l-11 11",
  retry: "M20 12a8 8 0 1 1-2.400-5.700L20 8.700M20 4v4.700h-4.700",
  info: "M12 11v5.5M12 7.6v.1",
  success: "m7 12.5 3.5 3.5L17 8.5",
  warning: "M12 7.5v5M12 16.2v.1",
  error: "m8 8 8 8M16 8l-8 8",
  alert: "M12 6.5v7M12 17.2v.1",
  inbox:
    "M3 13.5h5l1.5 3h5l1.5-3h5M3 13.5V18a2 2 0 0 0 2 2h14a2 2 0 0 0 2-2v-4.5l-3-8A2 2 0 0 0 16.100 4H7.900A2 2 0 0 0 6 5.500Z",
} as const;

/** The name of a drawing. */
export type Icon = keyof typeof ICONS;

const SVG = "http://www.w3.org/2000/svg";

/** A drawing in the colour of its text, hidden from screen readers. */
export function draw(icon: Icon): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({
    viewBox: "0 0 24 24",
    "aria-hidden": "true",
    focusable: "false",
  }))
    svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[icon]);
  svg.append(path);
  return svg;
}
