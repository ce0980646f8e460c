// What `@campanile/bell` exports. Importing it defines <campanile-bell>.

import { type CampanileBell, define } from "./bell.js";
import type { BellEventDetail } from "./element.js";

export { CampanileBell } from "./bell.js";
export type { BellEventDetail } from "./element.js";
export type * from "./source.js";
export { type CustomStrings, languages, type Plural, type Strings } from "./strings.js";

define();

/** The events of a bell. */
export interface BellEvents {
  "campanile-notification": CustomEvent<BellEventDetail>;
  "campanile-open": CustomEvent<BellEventDetail>;
  "campanile-toggle": CustomEvent<{ readonly open: boolean }>;
}

declare global {
  interface HTMLElementTagNameMap {
    "campanile-bell": CampanileBell;
  }
  interface HTMLElementEventMap extends BellEvents {}
  interface DocumentEventMap extends BellEvents {}
}
