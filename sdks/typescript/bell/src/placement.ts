// Where a panel goes: beside its button, and never out of the window.

/** The block side, then the inline side that the panel shares with its button. */
export type Placement = "bottom-end" | "bottom-start" | "top-end" | "top-start";

/** Pixels between button and panel, and at least between panel and window. */
const GAP = 8;
/** A panel is not squeezed into less height than this, if the other side of the button has more. */
const LEAST_HEIGHT = 320;

/** @returns A placement for an attribute's value; `bottom-end` where it is none. */
export function placementOf(value: string | null): Placement {
  return value === "bottom-start" || value === "top-end" || value === "top-start" ? value : "bottom-end";
}

/** Puts `panel` beside `button`, on the other side where the wanted one has too little room. */
export function place(panel: HTMLElement, button: Element, placement: Placement, rightToLeft: boolean): void {
  const box = button.getBoundingClientRect();
  const width = document.documentElement.clientWidth;
  const height = window.innerHeight;
  const below = height - box.bottom - 2 * GAP;
  const above = box.top - 2 * GAP;
  const down = placement.startsWith("bottom")
    ? below >= LEAST_HEIGHT || below >= above
    : above < LEAST_HEIGHT && below > above;
  const alignRight = placement.endsWith("end") !== rightToLeft;
  const own = panel.offsetWidth;
  const left = alignRight ? box.right - own : box.left;
  const set = (name: string, value: string) => panel.style.setProperty(name, value);
  set("--_room", `${Math.max(down ? below : above, 160)}px`);
  set("top", down ? `${box.bottom + GAP}px` : "auto");
  set("bottom", down ? "auto" : `${height - box.top + GAP}px`);
  set("left", `${Math.max(GAP, Math.min(left, width - own - GAP))}px`);
  set("right", "auto");
}
