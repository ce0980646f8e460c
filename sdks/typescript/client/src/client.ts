// The public client: options, lifecycle, events.

import { type Action, isNews, MOST_ACTIONS, type Shown, withActions } from "./actions.js";
import type { Connection } from "./connection.js";
import type { Environment } from "./environment.js";
import { CampanileError } from "./error.js";
import type { Frame } from "./frame.js";
import { platform } from "./globals.js";
import { Inbox } from "./inbox.js";
import { Listeners } from "./listeners.js";
import { type Line, Session, type Wish } from "./session.js";
import { type Happening, IDLE, type Machine, step, wakeAt } from "./state.js";
import { filterKey, type Told } from "./store.js";
import { Native } from "./surface/native.js";
import { identity } from "./token.js";
import type {
  Change,
  Client,
  Events,
  Filter,
  List,
  Options,
  Snapshot,
  State,
  TokenReason,
  TokenSource,
} from "./types.js";
import { checkedBase } from "./url.js";
import { within } from "./within.js";

/** How long a token is waited for. */
const TOKEN_PATIENCE = 30_000;

/** A client of one user in one workspace. See `Client` for what its methods promise. */
export class Campanile implements Client {
  readonly #options: Options;
  readonly #environment: Environment;
  readonly #base: string;
  #machine: Machine = IDLE;
  #session: Session | undefined;
  #connection: Connection | undefined;
  #inbox: Inbox | undefined;
  /** The token in use, for requests. */
  #token = "";
  /** Whose token it is is not known yet: nothing is shown. */
  #concealed = false;
  #timer: unknown;
  #snapshot: Snapshot | undefined;
  /** How often something changed: what was made of it since is still right. */
  #changes = 0;
  #shown: (Shown & { changes: number }) | undefined;
  readonly #lists = new Map<string, { changes: number; list: List }>();
  #toldState = "";
  #deaf: (() => void) | undefined;
  readonly #listeners = new Listeners();

  /** Connects to nothing yet. Throws `CampanileError` `insecure_url` if tokens would travel in the clear. */
  constructor(options: Options) {
    this.#options = { ...options };
    const given = Object.entries(options.environment ?? {}).filter(([, value]) => value !== undefined);
    this.#environment = { ...platform(), ...Object.fromEntries(given) };
    if (options.WebSocket) this.#environment.WebSocket = options.WebSocket;
    if (options.storage !== undefined) this.#environment.storage = options.storage ?? undefined;
    this.#base = checkedBase(options.url, options.allowInsecure);
    this.#machine = { ...IDLE, ready: this.#ready };
  }

  get state(): State {
    return this.#line.state;
  }

  connect(): void {
    this.#deaf ??= this.#environment.page?.listen((event) => {
      if (event === "pagehide" || event === "hidden") this.#session?.save();
      this.#connection?.check();
      this.#step({ type: event });
    });
    const { page } = this.#environment;
    if (page)
      for (const event of [
        page.online() ? "online" : "offline",
        page.hidden() ? "hidden" : "visible",
      ] as const)
        this.#step({ type: event });
    this.#step({ type: "start", ready: this.#ready });
  }

  disconnect(): void {
    this.#step({ type: "stop" });
    this.#deaf = void this.#deaf?.();
    this.#session?.leave();
  }

  close(): void {
    this.#end(true);
  }

  retry(): void {
    if (this.#session?.follows) this.#session.wish("retry");
    else this.#step({ type: "retry" });
  }

  update(change: Change): void {
    const options = this.#options;
    const { token: was } = options;
    if (this.#machine.state === "closed") return;
    const changes = (name: "workspace" | "user") =>
      name in change && (change[name] ?? null) !== (options[name] ?? null);
    const moved = changes("workspace") || changes("user");
    Object.assign(options, change);
    const { token } = options;
    if (moved || !token) {
      this.#session?.leave();
      this.#session = undefined;
      // The next token may be of another user than the one that is still named.
      if (was && !token) this.#concealed = true;
    } else if (token === was) {
      return;
    } else if (this.#session) {
      if (typeof token === "string" && (this.#whose(token) ?? null) === this.#session.identity) {
        // The same user goes on.
        if (this.#connection) {
          this.#token = token;
          this.#connection.refresh(token);
        } else {
          this.retry();
        }
        return;
      }
      // Also by no other tab, until it is known whose the token is.
      this.#session.leave();
      this.#concealed = true;
    }
    this.#step({ type: "anew", ready: this.#ready });
  }

  subscribe(listener: () => unknown): () => void {
    return this.#listeners.on("change", listener);
  }

  getSnapshot(): Snapshot {
    if (!this.#snapshot) {
      const store = this.#visible?.store;
      const { unread, unseen } = this.#now;
      const whose = { user: store?.now.user ?? null, position: store?.position ?? null };
      this.#snapshot = { ...this.#line, ...this.list(), unread, unseen, ...whose };
    }
    return this.#snapshot;
  }

  list(filter: Filter = {}): List {
    const key = filterKey(filter);
    const former = this.#lists.get(key);
    if (former?.changes === this.#changes) return former.list;
    const session = this.#visible;
    const old = former?.list;
    const own = session?.store.view(this.#now.items, filter) ?? [];
    const loading = !!session?.loading(filter);
    const hasMore = !!session && this.#native && session.store.bottom(filter) !== null;
    const same = old?.items.length === own.length && own.every((item, at) => item === old.items[at]);
    const items = same ? old.items : own;
    const list =
      same && old.loading === loading && old.hasMore === hasMore ? old : { items, hasMore, loading };
    this.#lists.set(key, { changes: this.#changes, list });
    return list;
  }

  loadMore(filter: Filter = {}): Promise<void> {
    const session = this.#session;
    if (!session || this.state !== "live" || !this.list(filter).hasMore) return Promise.resolve();
    if (!session.loading(filter)) {
      if (session.follows) session.wish({ load: filter });
      else void this.#inbox?.more(filter);
    }
    return session.load(filter);
  }

  read(id: string): void {
    this.#act("read", id);
  }

  unread(id: string): void {
    this.#act("unread", id);
  }

  archive(id: string): void {
    this.#act("archive", id);
  }

  readAll(): void {
    if (this.#native) this.#act("read_all");
    else for (const { id } of this.list({ unread: true }).items) this.read(id);
  }

  seen(): void {
    this.#act("seen");
  }

  on<Name extends keyof Events>(event: Name, handler: Events[Name]): () => void {
    return this.#listeners.on(event, handler);
  }

  /** The connection as it is shown: that of the tab that leads, if another one does. */
  get #line(): Line {
    const { state, reason, retryAt } = this.#machine;
    const own = state === "idle" || state === "closed";
    const mirror = own ? undefined : this.#session?.mirror;
    return mirror ?? { state, reason, retryAt: state === "waiting" ? retryAt : null };
  }

  get #native(): boolean {
    return (this.#options.surface ?? "native") === "native";
  }

  get #ready(): boolean {
    const { token, workspace, surface } = this.#options;
    return !!token && (!!workspace || surface === "product");
  }

  /** The session, unless it may be somebody else's. */
  get #visible(): Session | undefined {
    // Who follows hears no greeting: the tab that leads did.
    return this.#concealed && this.#session?.mirror?.state !== "live" ? undefined : this.#session;
  }

  /** The list with what was done and is not confirmed. */
  get #now(): Shown {
    if (this.#shown?.changes === this.#changes) return this.#shown;
    const session = this.#visible;
    const base = session?.store.now ?? { items: [], unread: 0, unseen: 0 };
    const shown = withActions(base, session?.queue ?? []);
    this.#shown = { ...shown, changes: this.#changes };
    return this.#shown;
  }

  #step(happening: Happening): void {
    const { now, random, setTimeout, clearTimeout } = this.#environment;
    const was = this.#machine;
    const is = step(was, happening, now(), random);
    this.#machine = is;
    clearTimeout(this.#timer);
    const at = wakeAt(is);
    if (at !== null)
      this.#timer = setTimeout(
        () => this.#step({ type: "time" }),
        Math.min(Math.max(0, at - now()), 2 ** 31 - 1),
      );
    const again = is.attempt !== was.attempt;
    if (again || (is.state !== "live" && is.state !== "connecting")) this.#hangUp();
    if (
      is.state === "idle" ||
      is.state === "refused" ||
      (is.state === "suspended" && is.hiddenSince !== null)
    )
      this.#session?.resign();
    this.#changed();
    if (again) void this.#open(is.attempt, is.why);
  }

  #hangUp(): void {
    this.#connection?.close();
    this.#inbox?.close();
    this.#connection = this.#inbox = undefined;
    this.#session?.sent.clear();
  }

  /** One attempt: a token, the session of its user, the lead among the tabs, a connection. */
  async #open(attempt: number, why: TokenReason): Promise<void> {
    const current = () => this.#machine.attempt === attempt && this.#machine.state === "connecting";
    const { workspace: slug, token: source, surface = "native", shareTabs = true, resume } = this.#options;
    try {
      if (!this.#environment.WebSocket)
        throw new CampanileError("no_websocket", "there is no WebSocket here: give one as an option");
      // What is named needs no token, unless there is reason to doubt it.
      const early = this.#whose(source);
      const same = !this.#concealed && (this.#session?.identity ?? early) === early;
      if (early !== undefined && (typeof source === "string" || same)) await this.#enter(source);
      if (!current()) return;
      const token = await this.#ask(why);
      if (!current()) return;
      if (!token) {
        this.#session?.leave();
        this.#session = undefined;
        this.#concealed = true;
        this.#step({ type: "anew", ready: false });
        return;
      }
      this.#token = token;
      const session = await this.#enter(token);
      if (!current()) return;
      if (shareTabs && !(await session.lead())) return;
      const Line = this.#native
        ? Native
        : (await import("./surface/documented.js"))[surface === "product" ? "Product" : "Workspace"];
      if (!current()) return;
      const { store } = session;
      if (resume && !store.now.placed) Object.assign(store.now, resume, { placed: true });
      const { epoch, seq, rev, placed } = store.now;
      // A log that had no name yet is told again from its beginning.
      const since = placed ? { epoch, seq: epoch === null ? 0 : seq, rev } : undefined;
      const changeable = typeof this.#options.token === "function";
      this.#inbox = new Inbox(
        {
          environment: this.#environment,
          url: `${this.#base}/v1/workspaces/${encodeURIComponent(slug ?? "")}/inbox`,
          token: () => this.#token,
          pageSize: this.#options.pageSize ?? 25,
          failed: (error) => this.#listeners.tell("error", error),
        },
        session,
      );
      this.#connection = new Line(
        {
          environment: this.#environment,
          base: this.#base,
          workspace: slug ?? "",
          since,
          refreshed: changeable ? () => this.#refreshed(attempt) : undefined,
          onFrame: (frame) => this.#frame(frame, !!since),
          onLost: (reason, comeBack, retryAt) => {
            // The same token would be refused again.
            const back = comeBack === "with_new_token" && !changeable ? "no" : comeBack;
            this.#step({ type: "lost", reason, comeBack: back, retryAt });
          },
        },
        token,
      );
    } catch (error) {
      if (!current()) return;
      const { code = "failed" } = error as CampanileError;
      this.#listeners.tell("error", error as CampanileError);
      const comeBack = why === "expired" ? "with_new_token" : "yes";
      this.#step({ type: "lost", reason: { kind: "token", code: 0, reason: code }, comeBack });
    }
  }

  /** Whose a token is: the application's word, else the token's. Where they differ, something that is neither's. */
  #whose(token: TokenSource): string | undefined {
    const { user } = this.#options;
    const said = saidBy(token);
    return user && said && user !== said ? JSON.stringify([user, said]) : (user ?? said);
  }

  /** The session of a token's user, the present one if it is the same. */
  async #enter(token: TokenSource): Promise<Session> {
    const who = this.#whose(token);
    const said = saidBy(token);
    const next = this.#sessionOf(who);
    const other = next !== this.#session;
    if (other) this.#session?.leave();
    this.#session = next;
    // Without a name, or with two, only the server's greeting tells whose it is.
    if (who === undefined || (other && said !== undefined && said !== who)) this.#concealed = true;
    else if (said === who) this.#concealed = false;
    this.#changed();
    await next.open(this.#options.shareTabs ?? true);
    return next;
  }

  #sessionOf(who: string | undefined): Session {
    const { workspace: slug, surface = "native", maxItems = 1_000 } = this.#options;
    const place = surface === "product" ? "" : (slug ?? "");
    const present = this.#session;
    if (present?.workspace === place && present.identity === who) return present;
    const owner = {
      environment: this.#environment,
      maxItems,
      line: () => this.#line,
      changed: () => this.#changed(),
      tell: (told: Told) => this.#listeners.tell(...told),
      wished: (wish: Wish) => this.#wished(wish),
    };
    // Its first part is the form of what is kept, and told to other tabs.
    const key = who === undefined ? undefined : JSON.stringify([1, this.#base, surface, place, who]);
    return new Session(owner, place, who, key);
  }

  /** A token, or what stands for none. Rejects with `token_failed`. */
  async #ask(why: TokenReason): Promise<string | null | undefined> {
    const { token } = this.#options;
    if (typeof token !== "function") return token;
    try {
      const given = await within(
        this.#environment,
        TOKEN_PATIENCE,
        (async () => ({ token: await token(why) }))(),
      );
      if (given) return given.token;
    } catch (cause) {
      throw new CampanileError("token_failed", "the application gave no token", { cause });
    }
    throw new CampanileError("token_failed", "the application gave no token in time");
  }

  /** Another token for the connection of `attempt`. One of another user begins anew. */
  async #refreshed(attempt: number): Promise<string> {
    const token = await this.#ask("refresh").catch((error) => {
      this.#listeners.tell("error", error);
      throw error;
    });
    if (this.#machine.attempt !== attempt)
      throw new CampanileError("token_failed", "it is too late for this token");
    if (!token || this.#whose(token) !== this.#session?.identity) {
      this.#concealed = true;
      this.#step({ type: "anew", ready: !!token });
      throw new CampanileError("token_failed", "the token is of another user");
    }
    this.#token = token;
    return token;
  }

  #frame(frame: Frame, resumes: boolean): void {
    const session = this.#session;
    if (!session) return;
    const { store } = session;
    switch (frame.type) {
      case "greeting":
      case "hello": {
        const { user } = store.now;
        const other = user !== null && frame.user !== null && user !== frame.user;
        if (other) session.empty();
        this.#concealed = false;
        const known = { user: frame.user ?? identity(this.#token) ?? this.#options.user ?? null };
        const resumed = frame.type === "hello" && frame.resumed && !other;
        session.do({
          frame: frame.type === "hello" ? { ...frame, ...known, resumed } : { ...frame, ...known },
        });
        this.#step({ type: "live" });
        if (frame.type === "hello" && store.now.stale && (other || frame.resumed || !resumes))
          this.#inbox?.reload();
        this.#flush();
        return;
      }
      case "ok":
      case "error": {
        const { ref } = frame;
        if (ref !== undefined && session.queue.some(({ key }) => key === ref)) {
          if (frame.type === "error")
            session.do({ done: ref, commit: false, refused: [frame.code, frame.message ?? frame.code] });
          else session.do({ done: ref, commit: isNews(frame, store.now.rev), unread: frame.unread });
        } else if (frame.type === "error") {
          this.#listeners.tell(
            "error",
            new CampanileError(frame.code, frame.message ?? frame.code, { id: frame.id }),
          );
        }
        return;
      }
    }
    session.do({ frame });
    if (frame.type === "resync") this.#inbox?.reload();
    if (frame.type === "arrival" && this.#options.autoMarkRead) this.read(frame.item.id);
  }

  #act(action: Action["action"], id?: string): void {
    const session = this.#session;
    if (!session || this.#machine.state === "closed") return;
    const { uuid } = this.#environment;
    const { seq, epoch, items } = session.store.now;
    const upTo = Math.max(seq, ...items.slice(0, 100).map((one) => one.seq ?? 0));
    const place = id === undefined ? { upTo, epoch } : { id };
    if (session.queue.length >= MOST_ACTIONS) {
      this.#listeners.tell(
        "error",
        new CampanileError("queue_full", `${MOST_ACTIONS} actions wait already`, { action, id }),
      );
      return;
    }
    const act: Action = { key: uuid(), action, ...place };
    session.act(act);
    // What is in no log is known here only.
    const item = items.find((one) => one.id === id);
    if (item?.seq === null) session.do({ done: act.key, commit: true });
    this.#flush();
  }

  /** Sends what waits. */
  #flush(): void {
    const session = this.#session;
    const connection = this.#connection;
    if (!session || !connection || this.#machine.state !== "live") return;
    for (const action of session.queue) {
      if (session.sent.has(action.key)) continue;
      const sent = connection.act(action);
      if (sent) session.sent.add(action.key);
      else if (sent === undefined) session.do({ done: action.key, commit: true });
    }
  }

  #wished(wish: Wish): void {
    if (wish === "erased") this.#end(false);
    else if (wish === "retry") this.retry();
    else if (typeof wish === "object" && "act" in wish) {
      this.#session?.do(wish);
      this.#flush();
    } else if (typeof wish === "object") void this.loadMore(wish.load);
  }

  #end(everywhere: boolean): void {
    if (this.#machine.state === "closed") return;
    this.#hangUp();
    this.#deaf = void this.#deaf?.();
    const who = this.#whose(this.#options.token);
    if (!this.#session && who !== undefined) this.#session = this.#sessionOf(who);
    this.#session?.erase(everywhere);
    this.#session = undefined;
    this.#token = "";
    this.#options.token = undefined;
    this.#step({ type: "close" });
  }

  #changed(): void {
    this.#changes++;
    this.#snapshot = undefined;
    const { state, reason, retryAt } = this.#line;
    const line = `${state} ${reason?.code} ${reason?.reason} ${retryAt}`;
    const news = line !== this.#toldState;
    if (news) {
      this.#toldState = line;
      this.#session?.announce(this.#line);
    }
    this.#listeners.tell("change");
    if (news) this.#listeners.tell("state", this.getSnapshot());
  }
}

/** Whose it is by what a token itself says; a function says nothing before it is asked. */
function saidBy(token: TokenSource): string | undefined {
  return typeof token === "string" ? identity(token) : undefined;
}
