"use client";
// <Bell>: <campanile-bell>, fed by the provider's client.

import type { BellEventDetail, CampanileBell, CustomStrings } from "@campanile/bell";
import type { Client, Options, TokenSource } from "@campanile/client";
import { createElement, type ForwardedRef, forwardRef, type HTMLAttributes, useEffect, useRef } from "react";
import { useBeforePaint } from "./framed_client.js";
import { useClient } from "./provider.js";

/** Attributes of any element, and those of a bell. */
export interface BellProps extends HTMLAttributes<HTMLElement> {
  /** What feeds it. Default: the provider's client. */
  readonly client?: Client;
  /** Without a provider: the server's address, the workspace and the token, for a client of its own. */
  readonly url?: string;
  readonly workspace?: string;
  readonly token?: TokenSource;
  /** The protocol of that client. Default: `native`. */
  readonly surface?: NonNullable<Options["surface"]>;
  /** Default: `auto`, by `prefers-color-scheme`. */
  readonly theme?: "auto" | "light" | "dark";
  /** Where the panel opens. Default: `bottom-end`. */
  readonly placement?: "bottom-end" | "bottom-start" | "top-end" | "top-start";
  /** `off`, or how long toasts stay, in milliseconds. Default: 6,000. */
  readonly toasts?: "off" | number;
  /** Texts in place of the shipped ones. */
  readonly strings?: CustomStrings;
  /** An entry was activated. `preventDefault()` keeps it unread, and its link from being followed. */
  readonly onOpen?: (event: CustomEvent<BellEventDetail>) => void;
  /** One arrived. `preventDefault()` prevents its toast. */
  readonly onNotification?: (event: CustomEvent<BellEventDetail>) => void;
  /** The panel opened or closed. */
  readonly onPanelToggle?: (event: CustomEvent<{ readonly open: boolean }>) => void;
}

/** The bell. On a server it is an empty element; the code of the bell is loaded when it is mounted. */
export const Bell = forwardRef(function Bell(props: BellProps, ref: ForwardedRef<CampanileBell>) {
  const { client, token, strings, onOpen, onNotification, onPanelToggle, className, ...attributes } = props;
  const provided = useClient();
  const feeding = client ?? provided;
  const own = useRef<CampanileBell | null>(null);
  useEffect(() => {
    void import("@campanile/bell");
  }, []);
  useBeforePaint(() => {
    // Also before the element is defined: it takes its properties when it is.
    if (own.current && feeding) own.current.client = feeding;
    return () => {
      if (own.current && feeding) own.current.client = undefined;
    };
  }, [feeding]);
  useBeforePaint(() => {
    if (own.current) own.current.token = token ?? null;
  }, [token]);
  useBeforePaint(() => {
    if (own.current) own.current.strings = strings ?? {};
  }, [strings]);
  const given = useRef<Record<string, unknown>>({});
  useBeforePaint(() => {
    // React says `undefined` to a property of the element that is given no more, and HTML's own make a text of it.
    const now: Record<string, unknown> = attributes;
    for (const name of Object.keys(given.current))
      if ((now[name] ?? null) === null) own.current?.removeAttribute(name);
    given.current = now;
  });
  useListener(own, "campanile-open", onOpen);
  useListener(own, "campanile-notification", onNotification);
  useListener(own, "campanile-toggle", onPanelToggle);
  return createElement("campanile-bell", {
    ...attributes,
    // Before version 19 React knows no `className` of custom elements.
    class: className,
    ref: (element: CampanileBell | null) => {
      own.current = element;
      if (typeof ref === "function") ref(element);
      else if (ref) ref.current = element;
    },
  });
});

function useListener<Name extends "campanile-open" | "campanile-notification" | "campanile-toggle">(
  element: { readonly current: HTMLElement | null },
  name: Name,
  listener: ((event: HTMLElementEventMap[Name]) => void) | undefined,
): void {
  useEffect(() => {
    const target = element.current;
    if (!target || !listener) return;
    target.addEventListener(name, listener);
    return () => target.removeEventListener(name, listener);
  }, [element, name, listener]);
}
