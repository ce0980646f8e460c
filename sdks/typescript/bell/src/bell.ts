// <campanile-bell>: a bell that connects by itself, with address, workspace and token.

import { Campanile, type Options, type TokenSource } from "@campanile/client";
import { BellElement } from "./element.js";
import { mark } from "./markup.js";
import type { NotificationSource } from "./source.js";

type Surface = NonNullable<Options["surface"]>;
/** What frameworks say to a property that is given no more. */
type None = null | undefined;

/**
 * A bell with a client of its own, from attributes: `url`, `workspace`, and `token` as an attribute or, better, as a
 * property: a function that is asked before each connection, and before a token expires. It connects while it is in the
 * document. A `client` that is given takes its place.
 */
export class CampanileBell extends BellElement {
  static override readonly observedAttributes: readonly string[] = [
    ...BellElement.observedAttributes,
    "url",
    "workspace",
    "token",
    "surface",
  ];

  #given: NotificationSource | undefined;
  #own: { readonly client: Campanile; readonly url: string; readonly surface: Surface } | undefined;
  #token: TokenSource;

  /** The server's address, such as `https://notifications.example.com`. */
  get url(): string {
    return this.getAttribute("url") ?? "";
  }

  set url(url: string | None) {
    mark(this, "url", url ?? undefined);
  }

  /** The workspace's slug. */
  get workspace(): string {
    return this.getAttribute("workspace") ?? "";
  }

  set workspace(workspace: string | None) {
    mark(this, "workspace", workspace ?? undefined);
  }

  /** The protocol: `native`, or one of the documented `workspace` and `product`. Default: `native`. */
  get surface(): Surface {
    const surface = this.getAttribute("surface");
    return surface === "workspace" || surface === "product" ? surface : "native";
  }

  set surface(surface: Surface | None) {
    mark(this, "surface", surface ?? undefined);
  }

  /** A token, or what gives one. As a property it is in no attribute, and so in no copy of the page. */
  get token(): TokenSource {
    return this.#token ?? this.getAttribute("token");
  }

  set token(token: TokenSource) {
    this.#token = token;
    this.#own?.client.update({ token: this.token });
    this.flush();
    this.#connect();
  }

  override get client(): NotificationSource | undefined {
    return super.client;
  }

  override set client(client: NotificationSource | null | undefined) {
    this.#given = client ?? undefined;
    if (this.#given) {
      this.#own?.client.disconnect();
      this.#own = undefined;
    }
    super.client = this.#given;
    this.#connect();
  }

  /** Ends the connection, and erases whatever was kept of this user, in every tab. Another token signs in again. */
  signOut(): void {
    const own = this.#own;
    this.#own = undefined;
    this.#token = undefined;
    this.removeAttribute("token");
    if (!own) return;
    super.client = undefined;
    own.client.close();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#connect();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    // An element that is only moved is back by then.
    queueMicrotask(() => {
      if (!this.isConnected) this.#own?.client.disconnect();
    });
  }

  override attributeChangedCallback(attribute: string, before: string | null, value: string | null): void {
    super.attributeChangedCallback(attribute, before, value);
    if (before === value) return;
    if (attribute === "workspace") this.#own?.client.update({ workspace: value });
    else if (attribute === "token") this.#own?.client.update({ token: this.token });
    // Nothing of a former user or workspace is shown, not for a frame.
    this.flush();
    if (!BellElement.observedAttributes.includes(attribute)) this.#connect();
  }

  protected override get properties(): readonly string[] {
    return [...super.properties, "url", "workspace", "token", "surface"];
  }

  #connect(): void {
    if (this.#given || !this.isConnected) return;
    const { url, workspace, token, surface } = this;
    if (this.#own && (this.#own.url !== url || this.#own.surface !== surface)) {
      this.#own.client.disconnect();
      this.#own = undefined;
      super.client = undefined;
    }
    if (!this.#own) {
      // The product surface has a workspace of its own.
      if (!url || !token || !(workspace || surface === "product")) return;
      this.#own = { client: new Campanile({ url, workspace, token, surface }), url, surface };
    }
    super.client = this.#own.client;
    this.#own.client.connect();
  }
}

/** Defines `<campanile-bell>`, once; on a server nothing happens. */
export function define(): void {
  if (typeof customElements !== "undefined" && !customElements.get("campanile-bell"))
    customElements.define("campanile-bell", CampanileBell);
}
