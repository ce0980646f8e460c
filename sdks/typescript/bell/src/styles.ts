// How a bell looks. Every colour and size that a page may want to set is a custom property `--campanile-…`; what begins
// with `--_` is ours. Logical properties throughout: right-to-left needs no rules of its own.

const THEME = `
:host {
  --_accent: var(--campanile-accent, light-dark(#4f46e5, #8b8cf8));
  --_on-accent: var(--campanile-on-accent, light-dark(#fff, #14141b));
  --_surface: var(--campanile-surface, light-dark(#fff, #1a1b21));
  --_raised: var(--campanile-raised, light-dark(#f4f4f6, #26272f));
  --_hover: var(--campanile-hover, light-dark(#f7f7f9, #212229));
  --_text: var(--campanile-text, light-dark(#18181b, #f2f2f5));
  --_muted: var(--campanile-muted, light-dark(#5f6069, #a3a4b0));
  --_border: var(--campanile-border, light-dark(#e6e6ea, #31323c));
  --_badge: var(--campanile-badge, light-dark(#d92d3a, #f2555f));
  --_on-badge: var(--campanile-on-badge, light-dark(#fff, #1c0b0d));
  --_info: var(--campanile-info, light-dark(#2563c9, #78acf8));
  --_success: var(--campanile-success, light-dark(#157f3f, #5ccb88));
  --_warning: var(--campanile-warning, light-dark(#9a5b00, #efb450));
  --_error: var(--campanile-error, light-dark(#c4272f, #f78086));
  --_alert: var(--campanile-alert, light-dark(#8b3fc7, #c79bf2));
  --_shadow: var(--campanile-shadow, 0 0 0 1px light-dark(#18181b0a, #0000),
    0 2px 6px -1px light-dark(#18181b14, #0006), 0 18px 44px -10px light-dark(#18181b38, #000a));
  --_radius: var(--campanile-radius, 14px);
  --_font: var(--campanile-font, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif);
  --_width: var(--campanile-width, 400px);
  --_height: var(--campanile-height, 600px);
  --_size: var(--campanile-size, 40px);
  display: inline-block;
}
/* The button belongs to the page, and takes its colours; what opens above the page has its own. */
.panel, .toasts { color-scheme: light dark; color: var(--_text); }
:host([theme="light"]), :host([theme="light"]) :is(.panel, .toasts) { color-scheme: light; }
:host([theme="dark"]), :host([theme="dark"]) :is(.panel, .toasts) { color-scheme: dark; }
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
.root { font: 400 14px/1.45 var(--_font); letter-spacing: normal; text-align: start; }
button { font: inherit; color: inherit; background: none; border: 0; margin: 0; padding: 0; cursor: pointer;
  -webkit-tap-highlight-color: transparent; }
button:disabled { cursor: default; }
svg { display: block; width: 20px; height: 20px; fill: none; stroke: currentColor; stroke-width: 1.75;
  stroke-linecap: round; stroke-linejoin: round; }
:focus { outline: none; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
[hidden] { display: none !important; }
.spoken { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
.icon { display: grid; place-items: center; width: 32px; height: 32px; border-radius: 9px; color: var(--_muted);
  transition: background-color .12s, color .12s; }
.icon svg { width: 18px; height: 18px; }
.icon:hover:not(:disabled) { background: var(--_raised); color: var(--_text); }
.icon:disabled { opacity: .4; }
`;

const BUTTON = `
.bell { position: relative; display: grid; place-items: center; width: var(--_size); height: var(--_size);
  border-radius: 50%; color: var(--campanile-button-color, inherit); transition: background-color .12s; }
.bell:hover, .bell[aria-expanded="true"] { background: color-mix(in srgb, currentColor 9%, transparent); }
.bell svg { width: calc(var(--_size) * .55); height: calc(var(--_size) * .55); transform-origin: 50% 12%; }
.bell.ringing svg { animation: ring .9s ease-in-out; }
.badge { position: absolute; inset-block-start: 1px; inset-inline-start: 52%; min-width: 18px; height: 18px; padding-inline: 5px;
  border-radius: 9px; background: var(--_badge); color: var(--_on-badge); font: 650 11px/18px var(--_font);
  font-variant-numeric: tabular-nums; text-align: center; box-shadow: 0 0 0 2px var(--campanile-badge-ring, Canvas);
  white-space: nowrap; pointer-events: none; }
.away .bell svg { opacity: .55; }
@keyframes ring { 15% { rotate: 14deg } 35% { rotate: -11deg } 55% { rotate: 7deg } 75% { rotate: -4deg } }
`;

const PANEL = `
.panel { position: fixed; inset: auto; z-index: 2147483000; margin: 0; padding: 0; border: 1px solid var(--_border);
  border-radius: var(--_radius); background: var(--_surface); color: var(--_text); box-shadow: var(--_shadow);
  width: min(var(--_width), 100vw - 16px); height: min(var(--_height), var(--_room, 100dvh - 16px));
  overflow: hidden; flex-direction: column; display: none; overscroll-behavior: contain; }
.panel.open { display: flex; animation: appear .14s cubic-bezier(.2, .8, .3, 1); }
.panel:focus-visible { outline-offset: -2px; }
@keyframes appear { from { opacity: 0; translate: 0 -6px; } }
.header { display: flex; align-items: center; gap: 2px; padding: 12px 10px 8px 10px; padding-inline-start: 18px; }
.heading { margin: 0; font-size: 16px; font-weight: 650; letter-spacing: -.012em; }
.status { display: inline-flex; align-items: center; gap: 6px; margin-inline: 10px auto; font-size: 12px; color: var(--_muted);
  min-width: 0; }
.status .icon { width: 26px; height: 26px; margin-inline-start: -2px; }
.status .icon svg { width: 15px; height: 15px; }
.status .text { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.dot { flex: none; width: 7px; height: 7px; border-radius: 50%; background: var(--_muted); }
[data-state="live"] .dot { background: var(--_success); }
[data-state="connecting"] .dot, [data-state="waiting"] .dot { background: var(--_warning); animation: pulse 1.4s infinite; }
[data-state="refused"] .dot { background: var(--_error); }
@keyframes pulse { 50% { opacity: .3; } }
.retry { padding: 2px 8px; border-radius: 7px; color: var(--_accent); font-weight: 600; white-space: nowrap; }
.retry:hover { background: var(--_raised); }
.filters { display: flex; gap: 2px; margin: 0 14px 10px; padding: 3px; border-radius: 10px; background: var(--_raised); }
.filter { flex: 1 1 auto; padding: 4px 10px; border-radius: 7px; font-size: 13px; font-weight: 550; color: var(--_muted);
  white-space: nowrap; transition: color .12s; }
.filter:hover { color: var(--_text); }
.filter[aria-selected="true"] { background: light-dark(var(--_surface), #3a3b46); color: var(--_text);
  box-shadow: 0 1px 2px light-dark(#18181b1f, #0006); }
.filter .count { margin-inline-start: 5px; padding-inline: 5px; border-radius: 6px; font-size: 11px; font-weight: 650;
  font-variant-numeric: tabular-nums; color: var(--_text); background: color-mix(in srgb, var(--_accent) 18%, transparent); }
.list { position: relative; flex: 1 1 auto; min-height: 0; overflow-y: auto; overflow-x: hidden; overflow-anchor: none;
  overscroll-behavior: contain; border-top: 1px solid var(--_border); scrollbar-width: thin;
  scrollbar-color: color-mix(in srgb, var(--_muted) 45%, transparent) transparent; }
.list:focus-visible { outline-offset: -3px; }
.feed { position: relative; }
.more { display: flex; align-items: center; justify-content: center; gap: 8px; min-height: 52px; padding: 8px 16px; font-size: 13px;
  color: var(--_muted); text-align: center; }
.spinner { width: 16px; height: 16px; border-radius: 50%; border: 2px solid var(--_border); border-block-start-color: var(--_accent);
  animation: spin .8s linear infinite; }
@keyframes spin { to { rotate: 1turn; } }
.empty { position: absolute; inset: 0; display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 4px; padding: 32px;
  text-align: center; color: var(--_muted); font-size: 13px; }
.empty svg { width: 26px; height: 26px; }
.empty .picture { display: grid; place-items: center; width: 60px; height: 60px; margin-bottom: 10px; border-radius: 50%;
  background: var(--_raised); color: var(--_muted); }
.empty .retry { margin-top: 8px; }
.empty strong { font-size: 15px; font-weight: 600; color: var(--_text); }
@media (max-width: 480px) {
  .panel { inset: auto 8px max(8px, env(safe-area-inset-bottom)) 8px !important; width: auto; height: min(var(--_height), 100dvh - 72px); }
}
`;

const ENTRY = `
.entry { --_level: var(--_info); position: absolute; inset-inline: 0; top: 0; display: grid;
  grid-template-columns: 34px minmax(0, 1fr); column-gap: 12px; padding: 13px 18px 13px 18px; cursor: pointer; contain: layout style;
  border-bottom: 1px solid color-mix(in srgb, var(--_border) 65%, transparent); }
.entry:hover { background: var(--_hover); }
.entry:focus-visible { outline-offset: -3px; border-radius: 10px; }
.entry[data-level="success"], .toast[data-level="success"] { --_level: var(--_success); }
.entry[data-level="warning"], .toast[data-level="warning"] { --_level: var(--_warning); }
.entry[data-level="error"], .toast[data-level="error"] { --_level: var(--_error); }
.entry[data-level="alert"], .toast[data-level="alert"] { --_level: var(--_alert); }
.level { display: grid; place-items: center; width: 34px; height: 34px; border-radius: 50%; color: var(--_level);
  background: color-mix(in srgb, var(--_level) 12%, transparent); }
.level svg { width: 20px; height: 20px; stroke-width: 2; }
.words { min-width: 0; text-align: left; }
.words:dir(rtl) { text-align: right; }
.top { display: flex; align-items: baseline; gap: 10px; }
.title { flex: 1 1 auto; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 500; color: color-mix(in srgb, var(--_text) 78%, var(--_surface)); unicode-bidi: plaintext; }
.entry.unread .title { font-weight: 650; color: var(--_text); }
.title a { color: inherit; text-decoration: none; }
.entry:hover .title a { text-decoration: underline; text-underline-offset: 2px; text-decoration-thickness: 1px; }
.time { flex: none; font-size: 12px; color: var(--_muted); white-space: nowrap; }
.message { margin: 1px 0 0; font-size: 13px; color: var(--_muted); overflow: hidden; overflow-wrap: anywhere; display: -webkit-box;
  -webkit-box-orient: vertical; -webkit-line-clamp: 2; unicode-bidi: plaintext; }
.entry.unread .message { color: color-mix(in srgb, var(--_text) 82%, var(--_surface)); }
.mark { position: absolute; inset-inline-start: 6px; inset-block-start: 27px; width: 7px; height: 7px; border-radius: 50%;
  background: var(--_accent); display: none; }
.entry.unread .mark { display: block; }
.actions { position: absolute; inset-inline-end: 12px; inset-block-start: 8px; display: flex; gap: 1px; opacity: 0; }
.actions .icon { width: 28px; height: 28px; border-radius: 8px; }
.actions .icon:hover { background: color-mix(in srgb, var(--_text) 9%, transparent); }
.entry:hover .actions, .entry:focus-visible .actions, .entry:has(:focus-visible) .actions { opacity: 1; }
.entry:hover .time, .entry:focus-visible .time, .entry:has(:focus-visible) .time { opacity: 0; }
@media (hover: none) {
  .actions { opacity: 1; }
  .entry .time { opacity: 1 !important; margin-inline-end: 66px; }
}
`;

const TOASTS = `
.toasts { position: fixed; inset: auto; inset-block-end: 16px; inset-inline-end: 16px; z-index: 2147483001; margin: 0; padding: 0; border: 0;
  background: none; overflow: visible; width: min(372px, 100vw - 32px); display: flex; flex-direction: column; gap: 10px;
  color: var(--_text); }
.toasts:not(.any) { display: none; }
.toast { --_level: var(--_info); position: relative; display: grid; grid-template-columns: 34px minmax(0, 1fr) auto; column-gap: 12px;
  align-items: start; padding: 13px 10px 13px 14px; padding-inline: 14px 10px; border: 1px solid var(--_border);
  border-radius: var(--_radius); background: var(--_surface); box-shadow: var(--_shadow); cursor: pointer;
  animation: arrive .28s cubic-bezier(.2, .9, .3, 1.1); }
.toast.leaving { opacity: 0; translate: 0 8px; transition: opacity .16s, translate .16s; }
.toast .title { color: var(--_text); font-weight: 650; white-space: normal; overflow-wrap: anywhere; }
.toast .message { -webkit-line-clamp: 3; }
.toast .icon { width: 28px; height: 28px; }
.further { align-self: center; padding: 4px 12px; border-radius: 99px; font-size: 12px; font-weight: 600; background: var(--_surface);
  border: 1px solid var(--_border); box-shadow: var(--_shadow); }
@keyframes arrive { from { opacity: 0; translate: 0 16px; scale: .97; } }
@media (max-width: 480px) { .toasts { inset-inline: 16px; width: auto; } }
`;

const PREFERENCES = `
@media (prefers-reduced-motion: reduce) {
  *, *::before { animation: none !important; transition: none !important; scroll-behavior: auto !important; }
}
@media (forced-colors: active) {
  .badge, .filter[aria-selected="true"], .toast { border: 1px solid CanvasText; }
  .mark, .dot { background: Highlight; forced-color-adjust: none; }
  .filter[aria-selected="true"] { color: Highlight; }
}
`;

let sheet: CSSStyleSheet | undefined;

/**
 * Gives a shadow root its styles: one sheet for every bell of a page. No style element, so a strict content security
 * policy has nothing to object to.
 */
export function dress(root: ShadowRoot): void {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(THEME + BUTTON + PANEL + ENTRY + TOASTS + PREFERENCES);
  }
  root.adoptedStyleSheets = [sheet];
}
