// The world of a function. Evaluated in a fresh realm before any foreign code; whatever is used later is taken
// now, because a function may replace every global and every method. What it breaks, it breaks for itself: the
// limits are kept outside of the realm.
(function (native, maxArguments, maxData, maxFlying) {
  "use strict";
  const { parse, stringify } = JSON;
  const { create, defineProperty, freeze } = Object;
  const { apply, ownKeys } = Reflect;
  const { slice, toWellFormed } = String.prototype;
  const PromiseOf = Promise, ErrorOf = Error, RangeErrorOf = RangeError, TypeErrorOf = TypeError;
  const text = String, number = Number, keysOf = Object.keys, ceil = Math.ceil;

  // Texts leave the realm well-formed and no longer than anybody reads.
  const leave = (value, length) => apply(toWellFormed, apply(slice, value, [0, length]), []);

  // Calls of the host.
  const pending = create(null), waiting = create(null);
  let calls = 0, flying = 0, firstWaiting = 0, lastWaiting = 0;

  function call(kind, args) {
    return new PromiseOf((resolve, reject) => {
      const json = stringify(args);
      if (json.length > maxArguments) throw new RangeErrorOf(`arguments of more than ${maxArguments} bytes`);
      native.count();
      const id = calls++;
      // An error that comes back is to name the line that asked.
      const asked = new ErrorOf().stack;
      pending[id] = { __proto__: null, resolve, reject, kind, asked };
      if (kind === "Sleep") {
        native.send(id, kind, json);
      } else if (flying < maxFlying) {
        flying++;
        native.send(id, kind, json);
      } else {
        waiting[lastWaiting++] = { __proto__: null, id, kind, json };
      }
    });
  }

  function settle(id, answer, code, message) {
    const { resolve, reject, kind, asked } = pending[id];
    delete pending[id];
    if (kind !== "Sleep") {
      flying--;
      if (firstWaiting < lastWaiting) {
        const next = waiting[firstWaiting];
        delete waiting[firstWaiting++];
        flying++;
        native.send(next.id, next.kind, next.json);
      }
    }
    if (code === undefined) return resolve(answer);
    const error = new ErrorOf(message);
    defineProperty(error, "code", { __proto__: null, value: code, enumerable: true });
    defineProperty(error, "stack", { __proto__: null, value: asked });
    reject(error);
  }

  const host = (name, args) => call("Host", { __proto__: null, [name]: args });

  function name(value, what) {
    if (typeof value !== "string" || value === "") throw new TypeErrorOf(`${what} is to be a non-empty string`);
    return value;
  }

  function object(value, what) {
    if (typeof value !== "object" || value === null) throw new TypeErrorOf(`${what} is to be an object`);
    return value;
  }

  // The log.
  function show(value) {
    if (typeof value === "string") return value;
    try {
      if (native.isError(value)) return `${value.name}: ${value.message}`;
      const json = typeof value === "object" ? stringify(value) : undefined;
      return json === undefined ? text(value) : json;
    } catch {
      try { return text(value); } catch { return "a value that cannot be shown"; }
    }
  }

  function log(isError, values) {
    let line = "";
    for (let i = 0; i < values.length && line.length <= 4096; i++) line += (i === 0 ? "" : " ") + show(values[i]);
    native.log(isError, leave(line, 4097));
  }

  const info = (...values) => log(false, values);
  const failure = (...values) => log(true, values);

  // Bytes: a string is its UTF-8.
  function bytes(data, what) {
    if (typeof data !== "string") return data;
    if (data.length > maxData) throw new RangeErrorOf(`${what} of more than ${maxData} bytes`);
    return apply(toWellFormed, data, []);
  }

  function encoding(value) {
    if (value !== "hex" && value !== "base64") throw new TypeErrorOf("encoding is to be 'hex' or 'base64'");
    return value === "hex";
  }

  // HTTP.
  async function request(url, options = {}) {
    const { method = "GET", headers = {}, body, json, timeoutMs } = object(options, "options");
    const sent = create(null);
    let typed = false;
    for (const key of keysOf(object(headers, "headers"))) {
      sent[key] = text(headers[key]);
      typed ||= /^content-type$/i.test(key);
    }
    let content = body;
    if (json !== undefined) {
      content = stringify(json);
      if (!typed) sent["content-type"] = "application/json";
    }
    if (content !== undefined && typeof content !== "string") throw new TypeErrorOf("body is to be a string");
    const answer = await call("Http", { __proto__: null, method: text(method), url: text(url), headers: sent, body: content, timeoutMs });
    const response = { status: answer.status, headers: answer.headers, body: answer.body };
    defineProperty(response, "json", { __proto__: null, value: () => parse(answer.body) });
    return response;
  }

  const verb = (method) => async (url, options = {}) => await request(url, { ...object(options, "options"), method });

  // Timers.
  const timers = create(null);
  let lastTimer = 0;
  const sleep = async (ms = 0) => {
    const whole = ms > 0 && ms < 2147483648 ? ceil(ms) : ms > 0 ? 2147483647 : 0;
    await call("Sleep", { __proto__: null, ms: whole });
  };

  async function later(id, callback, ms, args) {
    await sleep(ms);
    if (timers[id]) {
      delete timers[id];
      apply(callback, undefined, args);
    }
  }

  const api = freeze({
    fetchRecord: async (id) => await host("fetchRecord", { id: name(id, "id") }),
    queryRecords: async (collection, options = {}) => {
      const { filter, limit, after } = object(options, "options");
      return await host("queryRecords", { collection: name(collection, "collection"), filter, limit, after });
    },
    createRecord: async (collection, data, options = {}) => {
      const { id } = object(options, "options");
      return await host("createRecord", { collection: name(collection, "collection"), id, data: object(data, "data") });
    },
    updateRecord: async (id, patch, options = {}) => {
      const { ifVersion } = object(options, "options");
      return await host("updateRecord", { id: name(id, "id"), patch: object(patch, "patch"), ifVersion });
    },
    deleteRecord: async (id) => await host("deleteRecord", { id: name(id, "id") }),
    notify: async (notification) => await host("notify", object(notification, "notification")),
    log: info,
    logError: failure,
    sleep,
    crypto: freeze({
      sha256: (data, as = "hex") => native.sha256(bytes(data, "data"), encoding(as)),
      hmacSha256: (key, data, as = "hex") => native.hmacSha256(bytes(key, "key"), bytes(data, "data"), encoding(as)),
      randomUUID: () => native.randomUUID(),
    }),
    base64: freeze({
      encode: (data) => native.encodeBase64(bytes(data, "data")),
      decode: (data) => native.decodeBase64(bytes(text(data), "data"), true),
      decodeBytes: (data) => native.decodeBase64(bytes(text(data), "data"), false),
    }),
    http: freeze({
      request,
      get: verb("GET"),
      post: verb("POST"),
      put: verb("PUT"),
      patch: verb("PATCH"),
      delete: verb("DELETE"),
    }),
  });

  function define(key, value) {
    defineProperty(globalThis, key, { __proto__: null, value, configurable: true });
  }

  function deepFreeze(root) {
    const rest = create(null);
    let count = 0;
    const push = (value) => { if (typeof value === "object" && value !== null) rest[count++] = value; };
    push(root);
    while (count > 0) {
      const next = rest[--count];
      freeze(next);
      for (const key of ownKeys(next)) push(next[key]);
    }
    return root;
  }

  function install(executionParams, triggerParams) {
    define("executionParams", deepFreeze(executionParams));
    define("triggerParams", deepFreeze(triggerParams));
    define("api", api);
    define("console", freeze({ log: info, info, debug: info, warn: failure, error: failure }));
    define("setTimeout", (callback, ms, ...args) => {
      if (typeof callback !== "function") throw new TypeErrorOf("setTimeout needs a function");
      timers[++lastTimer] = true;
      later(lastTimer, callback, ms, args);
      return lastTimer;
    });
    define("clearTimeout", (id) => { delete timers[number(id)]; });
  }

  // The result is made into JSON here, so that what its getters and `toJSON` throw is the function's own error.
  async function start(run) {
    const json = stringify(await run());
    if (json === undefined) return "null";
    if (json.length > native.maxResult()) native.refuseResult();
    return json;
  }

  function describe(error, isError) {
    const read = (key) => {
      try {
        const value = error[key];
        return typeof value === "string" ? leave(value, 4096) : "";
      } catch {
        return "";
      }
    };
    if (isError) return [read("name") || "Error", read("message"), read("stack")];
    return ["Thrown", leave(show(error), 4096), ""];
  }

  return [install, start, settle, describe];
})
