// The public client: options, lifecycle, events.

import { MOST_ACTIONS } from "./actions.js";
import { alarm } from "./alarm.js";
import { type Connection, connect, type Line, type Loss, lost } from "./connection.js";
import type { Channel } from "./environment.js";
import { CampanileError } from "./error.js";
import type { Frame } from "./frame.js";
import { platform } from "./globals.js";
import { createInbox, type Inbox, type Reader } from "./inbox.js";
import { createListeners } from "./listeners.js";
import { createSession, type Owner, type Session, type Status, userKey } from "./session.js";
import { type Happening, IDLE, type Machine, step, wakeAt } from "./state.js";
import { native } from "./surface/native.js";
import { identity } from "./token.js";
import type { Client, Options, State, TokenReason, TokenSource } from "./types.js";
import { checkedBase } from "./url.js";
import { createView } from "./view.js";
import { within } from "./within.js";

/** How long a token is waited for. */
const TOKEN_PATIENCE = 30_000;

/** The answer to what no server answers. */
const DONE = { type: "ok", rev: Infinity } as const;

/** A client of one user in one workspace. See `Client` for what its methods promise; each of them may be handed on without the client. */
export class Campanile implements Client {
  declare readonly connect: Client["connect"];
  declare readonly disconnect: Client["disconnect"];
  declare readonly close: Client["close"];
  declare readonly retry: Client["retry"];
  declare readonly update: Client["update"];
  declare readonly subscribe: Client["subscribe"];
  declare readonly getSnapshot: Client["getSnapshot"];
  declare readonly list: Client["list"];
  declare readonly loadMore: Client["loadMore"];
  declare readonly read: Client["read"];
  declare readonly unread: Client["unread"];
  declare readonly archive: Client["archive"];
  declare readonly readAll: Client["readAll"];
  declare readonly seen: Client["seen"];
  declare readonly on: Client["on"];

  /** Connects to nothing yet. Throws `CampanileError` `insecure_url` if tokens would travel in the clear. */
  constructor(options: Options) {
    Object.assign(this, createClient(options));
  }

  get state(): State {
    return this.getSnapshot().state;
  }
}

/** What a client does, but for its state, which is a member. */
function createClient(given: Options): Omit<Client, "state"> {
  const options = { ...given };
  const { surface = "native" } = options;
  const base = checkedBase(options.url, options.allowInsecure);
  const environment = { ...platform(), ...options.environment };
  environment.WebSocket = options.WebSocket ?? environment.WebSocket;
  if (options.storage !== undefined) environment.storage = options.storage;

  const isNative = surface === "native";
  const { on, tell } = createListeners();
  const waking = alarm(environment);
  let machine: Machine = IDLE;
  /** `connect` was called. */
  let started = false;
  let session: Session | undefined;
  let connection: Connection | undefined;
  let inbox: Inbox | undefined;
  /** The token in use, for requests. */
  let token = "";
  /** Whose token it is is not known yet: nothing is shown. */
  let concealed = false;
  let toldStatus = "";
  let deaf: (() => void) | undefined;
  /** Whom this client is of, as far as is known: who is signed out by `close`. */
  let user: string | undefined;
  /** Where the sign-out of this user is told, in whichever workspace, connected or not. */
  let farewell: Channel | undefined;

  /** The connection as it is shown: that of the tab that leads, if another one does. */
  const status = (): Status => {
    const { state, reason, retryAt } = machine;
    return session?.mirror ?? { state, reason, retryAt: state === "waiting" ? retryAt : null };
  };
  // Who follows hears no greeting: the tab that leads did.
  const visible = () => (concealed && session?.mirror?.state !== "live" ? undefined : session);
  const view = createView(visible, status, isNative);
  const { list, getSnapshot } = view;

  const changed = () => {
    view.changed();
    const is = status();
    const text = JSON.stringify(is);
    const news = text !== toldStatus;
    toldStatus = text;
    if (news) session?.announce({ type: "Status", status: is });
    tell("change");
    if (news) tell("state", getSnapshot());
  };

  /** The workspace, where there are any. */
  const place = () => (surface === "product" ? "-" : options.workspace);
  const ready = () => started && !!options.token && !!place();

  const happens = (type: Happening["type"], more?: { ready: boolean } | Loss) => {
    const was = machine;
    const happening = { type, ready: ready(), ...more } as Happening;
    machine = step(was, happening, environment.now(), environment.random);
    const { state, attempt, why } = machine;
    waking(wakeAt(machine) - environment.now(), () => happens("time"));
    const again = attempt !== was.attempt;
    if (again || (state !== "live" && state !== "connecting")) {
      connection?.close();
      inbox?.close();
      connection = inbox = undefined;
      session?.sent.clear();
    }
    if (state === "idle" || state === "refused" || (state === "suspended" && machine.hiddenSince < Infinity))
      session?.resign();
    changed();
    if (again) void open(attempt, why);
  };

  const leave = () => {
    session?.leave();
    session = undefined;
  };

  /** Whose a token is: the application's word, else the token's. Where they differ, something that is neither's. */
  const whose = (token: TokenSource) => {
    const { user } = options;
    const said = identity(token);
    return user && said && user !== said ? JSON.stringify([user, said]) : (user ?? said);
  };

  /** One attempt: a token, the session of its user, the lead among the tabs, a connection. */
  const open = async (attempt: number, why: TokenReason) => {
    const current = () => machine.attempt === attempt && machine.state === "connecting";
    try {
      if (!environment.WebSocket) throw new CampanileError("no_websocket", "give a WebSocket as an option");
      // What is named needs no token, unless there is reason to doubt it.
      const { token: source } = options;
      const early = whose(source);
      const same = !concealed && (session?.identity ?? early) === early;
      // Whoever was told of it may have ended it, or begun another one.
      if (early && same && current()) await enter(source);
      if (!current()) return;
      const given = await ask(why);
      if (!current()) return;
      if (!given) {
        accepts(given);
        return;
      }
      token = given;
      const entered = await enter(token);
      if (!current()) return;
      const { store } = entered;
      // Once, and unless another tab knows better: then the list that was kept is of another place.
      if (options.resume && !entered.mirror) Object.assign(store.now, options.resume, { stale: true });
      delete options.resume;
      const since = environment.now();
      if (!(await entered.lead()) || !current()) return;
      // Who followed another tab for a while has an old token by now.
      if (environment.now() - since > TOKEN_PATIENCE) {
        const other = await ask("reconnect");
        if (!current() || !accepts(other)) return;
      }
      const talk = isNative ? native : (await documented())[surface];
      if (!current()) return;
      const { epoch } = store.now;
      const line: Line = {
        ...owner,
        store,
        onFrame: (frame) => onFrame(entered, frame, epoch !== undefined),
        onLost(how) {
          // The same text would be refused again.
          const vain = how.comeBack === "with_new_token" && options.token === given;
          happens("lost", vain ? { ...how, comeBack: "no" } : how);
        },
      };
      if (isNative) inbox = createInbox(owner, entered);
      connection = connect(line, talk);
    } catch (error) {
      if (!current()) return;
      const { code } = error as CampanileError;
      happens("lost", lost(code, "token", 0, why === "expired" ? "with_new_token" : "yes"));
      tell("error", error as CampanileError);
    }
  };

  /** Exchanges the token in use. */
  const renew = async () => {
    const here = connection;
    const asked = await ask("refresh");
    if (here === connection && accepts(asked)) here?.refresh(asked);
  };

  /** A text can't be exchanged. */
  const renews = () => typeof options.token === "function";

  /** Hears from now on when this user signs out in another tab. */
  const attend = (who: string | null | undefined) => {
    if (!who || who === user) return;
    farewell?.close();
    user = who;
    farewell = environment.channel?.(userKey(base, who));
    if (farewell) heed(farewell, new WeakRef(end));
  };

  /** The session of a token's user, the present one if it is the same. */
  const enter = async (token: TokenSource): Promise<Session> => {
    const who = whose(token);
    const said = identity(token);
    // What a token says is more than a name alone.
    if (said || !user) attend(who);
    const next = sessionOf(who);
    const other = next !== session;
    if (other) leave();
    session = next;
    // Without a name, or with two, only the server's greeting tells whose it is.
    concealed = !who || (said !== who && (concealed || (other && !!said)));
    const opened = next.open();
    // Whoever is told may leave it again.
    changed();
    await opened;
    return next;
  };

  const sessionOf = (who: string | undefined): Session => {
    const user = userKey(base, who);
    const key = `${user} ${surface} ${place()} `;
    return session?.key === key ? session : createSession(owner, user, key, who);
  };

  /** What it gives; rejects with an error of ours. */
  const orFail = async <T>(code: string, message: string, give: () => T | Promise<T>): Promise<T> => {
    try {
      return await give();
    } catch (cause) {
      throw new CampanileError(code, message, { cause });
    }
  };

  /** A token, or what stands for none. */
  const ask = (why: TokenReason) =>
    orFail("token_failed", "the token callback failed or is late", () => {
      const { token } = options;
      return typeof token === "function" ? within(environment, TOKEN_PATIENCE, token(why)) : token;
    });

  const documented = () =>
    orFail("no_surface", "the surface can't be loaded", () => import("./surface/documented.js"));

  /** Whether another token is of the same user. One of another begins anew. */
  const accepts = (asked: string | null | undefined): asked is string => {
    if (asked && whose(asked) === session?.identity) {
      token = asked;
      return true;
    }
    if (!asked) leave();
    concealed = true;
    happens("anew", { ready: !!asked });
    return false;
  };

  const onFrame = (session: Session, frame: Frame, resumes: boolean) => {
    const { store } = session;
    const { stale, user } = store.now;
    const here = connection;
    const hello = frame.type === "hello";
    if (hello) {
      attend(session.identity ?? frame.user);
      concealed = false;
    }
    // Answers were dropped, too.
    if (frame.type === "resync" && frame.reason === "overflow") session.sent.clear();
    session.do(frame);
    // Whoever was told of it may have ended it.
    if (here !== connection) return;
    // Of a greeting that does not resume, a resync follows.
    const begins = hello
      ? frame.resumed || !resumes || (user && user !== frame.user)
      : !stale || frame.type === "resync";
    // Whoever sees that it is live sees what is under way.
    if (store.now.stale && begins) inbox?.reload();
    if (hello) happens("live");
    flush();
  };

  const act: Line["act"] = (action, id) => {
    // What is not shown is nobody's to mark: it may be another user's.
    const session = visible();
    if (!session) return;
    if (session.queue.length >= MOST_ACTIONS) {
      tell("error", new CampanileError("queue_full", "too many actions wait", { action, id }));
      return;
    }
    const { now } = session.store;
    const upTo = Math.max(now.seq, now.items.find((one) => one.seq !== null)?.seq ?? 0);
    const change = {
      type: "Act" as const,
      act: {
        key: environment.uuid(),
        action,
        ...(id === undefined ? { upTo, epoch: now.epoch } : { id }),
      },
    };
    session.do(change);
    session.wish(change);
    flush();
  };

  /** Sends what waits. */
  const flush = () => {
    const here = session;
    for (const action of here?.queue ?? []) {
      const { key, id } = action;
      // Whoever is told of one may end it.
      if (machine.state !== "live" || here?.sent.has(key)) continue;
      // What is in no log is known here only.
      const logged = here?.store.now.items.find((one) => one.id === id)?.seq !== null;
      if (logged && connection?.act(action)) here?.sent.add(key);
      else here?.do({ ...DONE, ref: key });
    }
  };

  const retry = () => {
    if (!session?.wish({ type: "Retry" })) happens("retry");
  };

  const loadMore: Client["loadMore"] = async (filter = {}) => {
    if (!session || status().state !== "live" || !list(filter).hasMore) return;
    const here = session;
    if (here.load(filter)) {
      here.wish({ type: "Load", filter });
      void inbox?.more(filter);
    }
    await new Promise<void>((then) => {
      const stop = on("change", () => {
        if (here.loading(filter)) return;
        stop();
        then();
      });
    });
  };

  const owner: Owner & Reader & Omit<Line, "store" | "onFrame" | "onLost"> = {
    environment,
    options,
    base,
    token: () => token,
    status,
    changed,
    tell,
    act,
    renew,
    renews,
    flush,
    wished(wish) {
      if (wish.type === "Retry") retry();
      else if (wish.type === "Load") {
        void loadMore(wish.filter);
        // What can't be had any more is waited for by whoever asked.
        if (!session?.loading(wish.filter)) session?.do({ ...wish, type: "Page" });
      } else {
        session?.do(wish);
        flush();
      }
    },
    // Behind the other one; also where the server had replaced the connection before this was known.
    robbed: () => happens("anew"),
  };

  /** `tells`: this is where the user signs out. */
  const end = (tells: boolean) => {
    if (machine.state === "closed") return;
    deaf = environment.page = void deaf?.();
    if (!user) attend(whose(options.token));
    if (tells) farewell?.postMessage(1);
    farewell?.close();
    const kept = sessionOf(user);
    if (kept !== session) leave();
    kept.erase();
    session = options.token = undefined;
    token = "";
    happens("close");
  };

  return {
    connect() {
      deaf ??= environment.page?.((type) => {
        if (type === "hidden") session?.save();
        connection?.check();
        happens(type);
      });
      started = true;
      if (machine.state === "idle") happens("anew");
    },
    disconnect() {
      deaf = void deaf?.();
      session?.leave();
      started = false;
      happens("anew");
    },
    close: () => end(true),
    retry,
    update(change) {
      if (machine.state === "closed") return;
      const names = () => JSON.stringify([options.workspace, options.user]);
      const { token: was } = options;
      const former = names();
      Object.assign(options, change);
      const { token: is } = options;
      if (change.user || identity(change.token)) attend(whose(is));
      if (!is || names() !== former) {
        leave();
        // The next token may be of another user than the one that is still named.
        if (was && !is) concealed = true;
      } else if (is === was) {
        return;
      } else if (session?.identity && typeof is === "string" && whose(is) === session.identity) {
        // The same user goes on; what is not live yet begins again.
        if (machine.state === "live") {
          token = is;
          return connection?.refresh(is);
        }
      } else if (session) {
        // Also by no other tab, until it is known whose the token is. The documented surfaces need not say whose what is here was.
        if (isNative || session.identity) session.leave();
        else leave();
        concealed = true;
      }
      happens("anew");
    },
    subscribe: (listener) => on("change", listener),
    getSnapshot,
    list,
    loadMore,
    read: (id) => act("read", id),
    unread: (id) => act("unread", id),
    archive: (id) => act("archive", id),
    readAll() {
      if (isNative) act("read_all");
      // Their servers know no such word, and what is read may have to wait.
      else for (const { id } of list({ unread: true }).items) act("read", id);
    },
    seen: () => act("seen"),
    on,
  };
}

/** Ends a client on a message. Outside of any client: a closure within one would keep it alive after it was let go of. */
function heed(channel: Channel, end: WeakRef<(tells: boolean) => void>): void {
  channel.onmessage = () => end.deref()?.(false);
}
