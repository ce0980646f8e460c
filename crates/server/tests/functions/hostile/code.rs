//! Functions that mean harm, of fifty kinds.

/// How one of them ends: by returning, or by an error of one of these names.
#[derive(Debug)]
pub enum End {
    /// It returns; what it tried came to nothing.
    Completed,
    /// Several where the machine's speed decides which limit is met first.
    Fails(&'static [&'static str]),
}

use End::{Completed, Fails};

const CPU: End = Fails(&["CpuTimeout"]);
const MEMORY: End = Fails(&["MemoryExceeded", "CpuTimeout", "RangeError", "InternalError"]);
const THROWS: End = Fails(&["Error"]);
const THROWN: End = Fails(&["Thrown"]);
const STACK: End = Fails(&["RangeError", "InternalError", "MemoryExceeded"]);
const CALLS: End = Fails(&["LimitExceeded", "CpuTimeout", "WallTimeout"]);

/// What it is, what becomes of it, and its source. `executionParams.origin` is a host on the list that redirects
/// elsewhere.
pub const HOSTILE: &[(&str, End, &str)] = &[
    // Time.
    ("endless loop", CPU, "function run() { for (;;); }"),
    ("endless loop at the top", CPU, "for (;;); function run() {}"),
    ("endless loop that catches", CPU, "function run() { for (;;) try { for (;;); } finally { for (;;); } }"),
    ("endless microtasks", MEMORY, "async function run() { for (;;) await null }"),
    ("microtasks that beget microtasks", MEMORY, "function run() { const f = () => { Promise.resolve().then(f); return Promise.resolve().then(f) }; return f() }"),
    ("async generator that never ends", MEMORY, "async function run() { async function* g() { for (;;) yield 1 } for await (const x of g()); }"),
    ("regular expression bomb", CPU, "function run() { return /^(a+)+$/.test('a'.repeat(40) + 'b') }"),
    ("sort that never ends", MEMORY, "function run() { for (;;) Array.from({ length: 1e5 }, Math.random).sort() }"),
    ("sparse array", MEMORY, "function run() { const a = []; a[4294967294] = 1; return a.map(() => 1).join('') }"),
    ("length that lies", MEMORY, "function run() { return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1) }"),
    ("getter of the result that never returns", CPU, "function run() { return { get a() { for (;;); } } }"),
    ("proxy of the result that never returns", CPU, "function run() { return new Proxy({}, { ownKeys() { for (;;); } }) }"),
    ("then of the result that never returns", CPU, "function run() { return { then() { for (;;); } } }"),
    ("eval", CPU, "function run() { (0, eval)('for (;;);') }"),
    ("constructor of functions", CPU, "async function run() { await (async () => {}).constructor('for (;;) ;')() }"),
    ("never settles", THROWS, "function run() { return new Promise(() => {}) }"),
    ("then that never settles", THROWS, "function run() { return { then() {} } }"),
    ("sleeps for ever", Fails(&["WallTimeout"]), "async function run() { await api.sleep(1e9) }"),
    // Memory.
    ("memory bomb", MEMORY, "function run() { const a = []; for (;;) a.push(new Array(1000).fill(a)) }"),
    ("text bomb", MEMORY, "function run() { let s = 'x'; for (;;) { s += s; s.charCodeAt(0) } }"),
    ("number bomb", MEMORY, "function run() { return String(2n ** (2n ** 30n)) }"),
    ("typed array bomb", MEMORY, "function run() { const a = []; for (;;) a.push(new Float64Array(1 << 17).fill(1)) }"),
    ("buffer that grows", MEMORY, "function run() { const b = new ArrayBuffer(1, { maxByteLength: 2 ** 31 }); b.resize(2 ** 31) }"),
    ("recursion", STACK, "function run() { return 1 + run() }"),
    ("recursion of proxies", STACK, "function run() { let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x }"),
    ("recursion in JSON read", STACK, "function run() { return JSON.parse('['.repeat(1e6)) }"),
    ("recursion in JSON written", STACK, "function run() { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a }"),
    ("toJSON bomb", STACK, "function run() { const bomb = () => ({ a: { toJSON: bomb }, b: { toJSON: bomb } }); return { toJSON: bomb } }"),
    // What goes out.
    ("huge result", Fails(&["LimitExceeded"]), "function run() { return 'x'.repeat(300 * 1024) }"),
    ("huge error", THROWS, "function run() { throw new Error('x'.repeat(4e6)) }"),
    ("result that is no JSON", Fails(&["TypeError"]), "function run() { return 1n }"),
    ("result that holds itself", Fails(&["TypeError"]), "function run() { const a = {}; a.a = a; return a }"),
    ("result that throws", THROWS, "function run() { return { get a() { throw new Error('bite') } } }"),
    ("log flood", CPU, "function run() { for (;;) api.log('x'.repeat(10000)) }"),
    ("log of what throws", Completed, "function run() { for (let i = 0; i < 5000; i++) api.log({ toJSON() { throw 1 }, toString() { throw 2 } }); return 1 }"),
    // What is thrown.
    ("null thrown", THROWN, "function run() { throw null }"),
    ("symbol thrown", THROWN, "function run() { throw Symbol('s') }"),
    ("proxy thrown", THROWN, "function run() { throw new Proxy(new Error('x'), new Proxy({}, { get() { throw new Error('trap') } })) }"),
    ("timeout, forged", Fails(&["CpuTimeout"]), "function run() { throw Object.assign(new Error('m'), { name: 'CpuTimeout', code: 'Crashed' }) }"),
    // The sandbox.
    ("prototype of everything", THROWN, "Object.prototype.then = (f) => { throw 1 }; Object.prototype.toJSON = () => { throw 2 }; async function run() { return {} }"),
    ("prototype of api", Completed, "async function run() { Object.getPrototypeOf(api).code = 'mine'; const p = api.notify.__proto__; p.call = p.apply = () => 'own'; api.notify = () => 'own'; return (await api.fetchRecord('none').catch((e) => e.code)) }"),
    ("import", Fails(&["ReferenceError", "Error", "TypeError", "SyntaxError"]), "async function run() { return await import('/etc/passwd') }"),
    ("frames in the log", Completed, r#"function run() { api.log('\u0010\u0000\u0000\u0000{"Done":{"outcome":"Parsed","cpu_us":0,"memory_peak_bytes":0}}'); return 1 }"#),
    // The host.
    ("calls without end", CALLS, "async function run() { for (;;) await api.fetchRecord('a').catch(() => 1) }"),
    ("calls without waiting", CALLS, "async function run() { for (;;) api.createRecord('flood', { a: 'x'.repeat(1000) }) }"),
    ("notify flood", CALLS, "async function run() { for (;;) await api.notify({ to: { workspace: true }, title: 'noise', message: 'x'.repeat(5000), durable: Math.random() < 0.5 }) }"),
    ("huge argument", Fails(&["RangeError"]), "async function run() { await api.createRecord('c', { a: 'x'.repeat(300 * 1024) }) }"),
    ("digest of too much", Fails(&["RangeError"]), "function run() { return api.crypto.sha256('x'.repeat(2e6)) }"),
    ("base64 of garbage", Fails(&["TypeError"]), "function run() { return api.base64.decode('\\u0000%%%=' + '='.repeat(1e5)) }"),
    ("names that are none", Completed, "async function run() {
        const tried = ['__proto__', 'constructor', '../../etc', 'a/b', '', 'x'.repeat(1e4), '\\u0000', { toString() { for (;;); } }, null];
        for (const name of tried) await api.fetchRecord(name).then(() => { throw new Error('found') }, () => 1);
        const kept = await api.createRecord('__proto__', JSON.parse('{\"__proto__\": {\"a\": 1}, \"constructor\": 1}')).catch(() => ({ data: {} }));
        if (kept.data.a !== undefined || ({}).a !== undefined) throw new Error('polluted');
        return 1;
    }"),
    ("hosts that are refused", Completed, "async function run() {
        const tried = ['http://169.254.169.254/latest/meta-data', 'http://127.0.0.1:1/', 'file:///etc/passwd', 'data:text/plain,a', 'https://[::1]/', executionParams.origin + '@evil.example/', '\\u0000', 'x'.repeat(1e5)];
        for (const url of tried) await api.http.get(url).then(() => { throw new Error(url) }, () => 1);
        return 1;
    }"),
    ("redirects", Completed, "async function run() { const r = await api.http.get(executionParams.origin + '/'); if (r.status !== 302) throw new Error(r.status); return 1 }"),
];
