"use client";
// <CampanileProvider>: the client of all hooks below it.

import type { Client, Options } from "@campanile/client";
import { createContext, createElement, type ReactElement, type ReactNode, useContext, useMemo } from "react";
import { type FramedClient, framed, useOwnClient } from "./framed_client.js";

/** Exactly one of `client` and `options`. */
export type CampanileProviderProps = { readonly children?: ReactNode } & (
  | {
      /** A client that the application has: whoever made it connects and closes it. */
      readonly client: Client | undefined;
      readonly options?: undefined;
    }
  | {
      /**
       * What a client is made of. It connects while the provider is mounted. The object may be a new one with each
       * rendering; see `useOwnClient` for what a change means.
       */
      readonly options: Options;
      readonly client?: undefined;
    }
);

const Context = createContext<FramedClient | undefined>(undefined);

/** Gives a client to the hooks below. Renders on a server, where it connects to nothing. */
export function CampanileProvider({ client, options, children }: CampanileProviderProps): ReactElement {
  const own = useOwnClient(client ? undefined : options);
  const given = useMemo(() => client && framed(client), [client]);
  return createElement(Context.Provider, { value: given ?? own }, children);
}

/** The provider's client, such as to sign out with `close()`; undefined on a server, and in the first rendering. */
export function useClient(): Client | undefined {
  return useContext(Context)?.client;
}

/** The same with its snapshot. */
export function useFramedClient(): FramedClient | undefined {
  return useContext(Context);
}
