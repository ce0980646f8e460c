//! Functions that mean harm. Each ends with a verdict of its own within its limits, and the next run is a good one.

use std::time::{Duration, Instant};

use campanile_functions::{Limit, Limits, Pool, PoolConfig, Spent, Verdict};
use serde_json::json;

use crate::support::{config, result, run, small};

/// What may become of a function; several where the machine's speed decides which limit is met first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Completed,
    Failed,
    Cpu,
    Wall,
    Memory,
    Crashed,
    Refused(Limit),
}

use End::{Completed, Cpu, Failed, Memory, Refused, Wall};

fn end(verdict: &Verdict) -> End {
    match verdict {
        Verdict::Completed(_) => Completed,
        Verdict::Failed { .. } => Failed,
        Verdict::TimedOut(Spent::Cpu) => Cpu,
        Verdict::TimedOut(Spent::Wall) => Wall,
        Verdict::MemoryExceeded => Memory,
        Verdict::Crashed => End::Crashed,
        Verdict::Refused(limit) => Refused(*limit),
    }
}

/// All of them one after the other on one worker, a good run after each.
async fn all(functions: &[(&str, &[End], &str)]) {
    all_within(Duration::from_secs(30), functions).await;
}

async fn all_within(wall: Duration, functions: &[(&str, &[End], &str)]) {
    let limits = Limits { wall, ..small() };
    let pool = Pool::new(PoolConfig { limits, ..config() }).unwrap();
    let mut wrong = Vec::new();
    for (name, expected, code) in functions {
        let started = Instant::now();
        let finished = run(&pool, code).await;
        let took = started.elapsed();
        let got = end(&finished.verdict);
        if !expected.contains(&got) {
            wrong.push(format!("{name}: {:?} in {took:?}, log {:?}", finished.verdict, finished.log.first()));
        }
        // The grace of 100 ms, and the rest for a busy machine that must start a process.
        if took > wall + Duration::from_secs(5) || (got == Cpu && finished.usage.cpu_ms >= 700) {
            wrong.push(format!("{name}: {took:?}, {:?}", finished.usage));
        }
        let good = run(&pool, "async function run() { return (await api.fetchRecord('o')).id }").await;
        assert_eq!(result(&good), json!("o"), "after {name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    pool.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn endless_loops() {
    all(&[
        ("loop", &[Cpu], "function run() { for (;;) {} }"),
        ("loop at the top", &[Cpu], "for (;;) {} function run() {}"),
        ("caught", &[Cpu], "function run() { for (;;) { try { for (;;) {} } catch {} finally { for (;;) {} } } }"),
        ("in a job", &[Cpu], "async function run() { await null; for (;;) {} }"),
        ("jobs without end", &[Cpu], "async function run() { for (;;) await null }"),
        ("jobs that beget jobs", &[Cpu, Memory], "function run() { const f = () => Promise.resolve().then(f); return f() }"),
        ("never settled while jobs go on", &[Cpu], "function run() { (function f() { Promise.resolve().then(f) })(); return new Promise(() => {}) }"),
        ("getter of the result", &[Cpu], "function run() { return { get a() { for (;;) {} } } }"),
        ("toJSON", &[Cpu], "function run() { return { toJSON() { for (;;) {} } } }"),
        ("toString in the log", &[Cpu], "function run() { api.log({ toJSON() { throw 1 }, toString() { for (;;) {} } }) }"),
        ("then", &[Cpu], "function run() { return { then() { for (;;) {} } } }"),
        ("sort", &[Cpu], "function run() { [3, 2, 1].sort(() => { for (;;) {} }) }"),
        ("proxy", &[Cpu], "function run() { return new Proxy({}, { ownKeys() { for (;;) {} } }) }"),
        ("generator", &[Cpu], "function run() { function* g() { for (;;) yield 1 } for (const x of g()) {} }"),
        ("error's message", &[Cpu], "function run() { const e = new Error(); Object.defineProperty(e, 'message', { get() { for (;;) {} } }); throw e }"),
        ("mutual recursion caught", &[Cpu, Memory, Failed], "function run() { function f() { try { g() } finally { g() } } function g() { try { f() } finally { f() } } f() }"),
        ("stringify replaced", &[Cpu], "JSON.stringify = () => { for (;;) {} }; function run() { JSON.stringify({}) }"),
        ("labelled eval", &[Cpu], "function run() { new Function('for (;;) {}')() }"),
        ("finalizers", &[Cpu, Memory, Completed], "function run() { const r = new FinalizationRegistry(() => { for (;;) {} }); for (let i = 0; i < 1e9; i++) { r.register({ i }, i); new WeakRef({}) } }"),
    ])
    .await;
}

#[tokio::test]
async fn built_ins_that_take_long() {
    all(&[
        ("regular expression", &[Cpu, Failed], "function run() { return /^(a+)+$/.test('a'.repeat(40) + 'b') }"),
        ("regular expression of a log", &[Cpu, Failed], "function run() { return /(x+x+)+y/.test('x'.repeat(5000)) }"),
        ("fill", &[Cpu, Memory, Failed], "function run() { new Array(1e9).fill(0) }"),
        ("holes", &[Cpu, Memory, Failed], "function run() { return new Array(4294967295).join('') }"),
        ("repeat", &[Memory, Failed], "function run() { return 'a'.repeat(2 ** 29) }"),
        ("padStart", &[Memory, Failed], "function run() { return ''.padStart(2 ** 29, 'ab') }"),
        ("power", &[Memory, Failed], "function run() { return String(2n ** (2n ** 30n)) }"),
        ("division of giants", &[Cpu, Memory, Failed], "function run() { let a = 3n ** 200000n; for (;;) a = (a * a) / (a - 1n) }"),
        ("digits of a giant", &[Cpu, Memory, Failed], "function run() { return String(7n ** 2000000n).length }"),
        ("typed array sorted", &[Cpu, Completed], "function run() { const a = new Float64Array(1e6).map(() => Math.random()); for (let i = 0; i < 100; i++) a.map(() => Math.random()).sort(); }"),
        ("indexOf", &[Cpu, Memory], "function run() { const a = 'a'.repeat(4e6), b = 'a'.repeat(2e6) + 'b'; for (;;) a.indexOf(b) }"),
        ("one indexOf", &[Cpu, Memory], "function run() { const a = 'a'.repeat(4e6) + 'b', b = 'a'.repeat(2e6) + 'c'; return a.indexOf(b) }"),
        ("split and join", &[Cpu, Memory], "function run() { let s = 'ab'; for (;;) s = s.split('').join('xx') }"),
        ("length that lies", &[Cpu, Memory, Failed], "function run() { return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1) }"),
        ("reverse that lies", &[Cpu, Memory, Failed], "function run() { return Array.prototype.reverse.call({ length: 2 ** 53 - 1 }).length }"),
        ("replaceAll", &[Cpu, Memory, Failed], "function run() { return 'a'.repeat(1e6).replaceAll('a', 'b'.repeat(1e6)) }"),
        ("Atomics.wait", &[Failed, Wall], "function run() { Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0) }"),
        ("dates", &[Completed], "function run() { return [new Date(8.64e15 + 1), new Date(-8.64e15), Date.parse('x'.repeat(1e6)), new Date(NaN).getTime(), new Date(2 ** 53, 1e300).getDay()].map(String) }"),
        ("locale", &[Completed, Failed], "function run() { return [typeof Intl, (1e21).toLocaleString('x'.repeat(1e6)), new Date(0).toLocaleString(), 'a'.normalize('NFD'), 'a'.localeCompare('b')] }"),
        ("normalize", &[Memory, Cpu], "function run() { return '\\ufdfa'.repeat(3e5).normalize('NFKD').length }"),
        ("structuredClone", &[Failed, Cpu, Memory], "function run() { const a = []; for (let i = 0; i < 1e5; i++) a.push(a); for (;;) structuredClone(a) }"),
    ])
    .await;
}

#[tokio::test]
async fn memory_bombs() {
    all(&[
        ("array", &[Memory], "function run() { const a = []; for (;;) a.push({}) }"),
        ("string", &[Memory, Failed], "function run() { let s = 'x'; for (;;) s += s }"),
        ("string, flattened", &[Memory, Failed], "function run() { let s = 'x'; for (;;) { s += s; s.charCodeAt(0) } }"),
        ("buffer", &[Memory, Failed], "function run() { return new ArrayBuffer(1e9).byteLength }"),
        ("shared buffer", &[Memory, Failed], "function run() { return new SharedArrayBuffer(1e9).byteLength }"),
        ("shared buffers", &[Memory, Failed, Cpu], "function run() { const a = []; for (;;) a.push(new SharedArrayBuffer(1 << 20)) }"),
        ("growing buffer", &[Memory, Failed], "function run() { const b = new ArrayBuffer(1, { maxByteLength: 2 ** 31 }); b.resize(2 ** 31) }"),
        ("map", &[Memory, Cpu], "function run() { const m = new Map(); for (let i = 0; ; i++) m.set(i, 'v' + i) }"),
        ("closures", &[Memory, Cpu], "function run() { let f = () => 1; for (;;) { const g = f; f = () => g } }"),
        ("caught", &[Memory, Cpu, Failed, Completed], "function run() { const keep = []; for (;;) { try { for (;;) keep.push(new Array(1000).fill(keep)) } catch { keep.length = 0 } } }"),
        ("promises", &[Memory, Cpu], "async function run() { const a = []; for (;;) { a.push(new Promise(() => {})); } }"),
        ("recursion", &[Failed], "function run() { return 1 + run() }"),
        ("recursion in a getter", &[Failed], "function run() { const a = { get a() { return this.a } }; return a.a }"),
        ("recursion of proxies", &[Failed, Memory, Cpu], "function run() { let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x }"),
        ("parse deep", &[Failed, Memory], "function run() { return JSON.parse('['.repeat(1e6)) }"),
        ("parse deep and whole", &[Failed, Memory], "function run() { return JSON.parse('['.repeat(1e5) + ']'.repeat(1e5)) }"),
        ("stringify deep", &[Failed, Memory], "function run() { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a }"),
        ("free deep", &[Completed, Memory], "function run() { let a = {}; for (let i = 0; i < 5e4; i++) a = { a }; globalThis.a = a; a = null }"),
        ("result deeper than anybody reads", &[Failed], "function run() { let a = []; for (let i = 0; i < 500; i++) a = [a]; return a }"),
        ("pattern deep", &[Failed, Memory], "function run() { return new RegExp('('.repeat(1e5) + ')'.repeat(1e5)) }"),
        ("source deep", &[Failed, Memory], "function run() { return new Function('return ' + '('.repeat(1e5) + ')'.repeat(1e5)) }"),
        ("flat", &[Failed, Memory, Cpu], "function run() { const a = []; a.push(a, a); return a.flat(Infinity) }"),
        ("apply", &[Failed, Memory, Completed], "function run() { return Math.max.apply(null, new Array(1e6).fill(1)) }"),
        ("apply of a lie", &[Failed, Memory], "function run() { return String.fromCharCode.apply(null, { length: 2 ** 31 }) }"),
        ("huge result", &[Refused(Limit::Result)], "function run() { return 'x'.repeat(300 * 1024) }"),
        ("huge result, escaped", &[Refused(Limit::Result)], "function run() { return '\\u0000'.repeat(60 * 1024) }"),
        ("huge result, wide", &[Refused(Limit::Result)], "function run() { return '€'.repeat(100 * 1024) }"),
        ("huge message", &[Failed], "function run() { throw new Error('x'.repeat(4e6)) }"),
        ("huge text thrown", &[Failed], "function run() { throw 'x'.repeat(4e6) }"),
        ("huge argument", &[Failed], "async function run() { await api.createRecord('c', { a: 'x'.repeat(300 * 1024) }) }"),
        ("huge data", &[Failed], "function run() { return api.crypto.sha256('x'.repeat(2e6)) }"),
        ("huge bytes", &[Failed], "function run() { return api.base64.encode(new Uint8Array(2e6)) }"),
    ])
    .await;
}

#[tokio::test]
async fn tricks_on_the_wrapper() {
    all(&[
        ("promise replaced", &[Completed], "globalThis.Promise = null; async function run() { return (await api.fetchRecord('a')).id }"),
        ("then replaced", &[Completed], "Promise.prototype.then = () => { throw 1 }; async function run() { return (await api.fetchRecord('a')).id }"),
        ("then of everything", &[Completed, Failed], "Object.prototype.then = function (resolve) { resolve('mine') }; async function run() { return await api.fetchRecord('a') }"),
        ("constructor of promises", &[Completed, Failed], "Object.defineProperty(Promise.prototype, 'constructor', { get() { throw new Error('no') } }); async function run() { return 1 }"),
        ("setters of numbers", &[Completed], "for (let i = 0; i < 9; i++) Object.defineProperty(Object.prototype, i, { set() { throw 1 } }); async function run() { return (await Promise.all([api.fetchRecord('a'), api.fetchRecord('b')])).length }"),
        ("iterators replaced", &[Completed, Failed], "Array.prototype[Symbol.iterator] = () => { throw 1 }; async function run() { api.log(1, 2); await api.http.get('https://a.test', { headers: { a: 1 } }).catch(() => 1); return 1 }"),
        ("JSON replaced", &[Completed], "globalThis.JSON = { parse: () => 'p', stringify: () => 's' }; async function run() { return (await api.fetchRecord('a')).id }"),
        ("toJSON of everything", &[Completed, Failed], "Object.prototype.toJSON = () => ({ forged: true }); async function run() { await api.fetchRecord('a').catch(() => 1); return {} }"),
        ("api replaced", &[Completed], "globalThis.api = null; delete globalThis.executionParams; globalThis.globalThis = 1; function run() { return 1 }"),
        ("run that changes its mind", &[Completed, Failed], "let n = 0; Object.defineProperty(globalThis, 'run', { get() { return n++ ? null : () => 7 } })"),
        ("forged frames in the log", &[Completed], r#"function run() { api.log('\u0010\u0000\u0000\u0000{"Done":{"outcome":"Parsed","cpu_us":0,"memory_peak_bytes":0}}'); return 'own' }"#),
        ("forged frames in an id", &[Completed], r#"async function run() { await api.fetchRecord('"}}},{"Done":{}}\n\u0000\u0000'); return 'own' }"#),
        ("errors that bite", &[Failed], "function run() { const e = new Error('m'); for (const k of ['name', 'message', 'stack', 'toString', 'constructor']) Object.defineProperty(e, k, { get() { throw e } }); throw e }"),
        ("a proxy thrown", &[Failed], "function run() { throw new Proxy(new Error('x'), new Proxy({}, { get() { throw new Error('trap') } })) }"),
        ("a symbol thrown", &[Failed], "function run() { throw Symbol('s') }"),
        ("null thrown", &[Failed], "function run() { throw null }"),
        ("nothing thrown", &[Failed], "async function run() { throw undefined }"),
        ("the end of memory, forged", &[Failed], "function run() { const e = new InternalError('out of memory'); throw e }"),
        ("a timeout, forged", &[Failed], "function run() { const e = new InternalError('interrupted'); throw e }"),
        ("prepareStackTrace", &[Failed], "Error.prepareStackTrace = () => { throw 1 }; Error.stackTraceLimit = 1e9; function run() { null.x }"),
        ("import", &[Failed], "async function run() { return await import('/etc/passwd') }"),
        ("names of other worlds", &[Completed], "function run() { return [typeof require, typeof process, typeof fetch, typeof std, typeof os, typeof Worker, typeof WebAssembly, typeof native] }"),
        ("this of the natives", &[Completed, Failed], "function run() { return Object.getOwnPropertyNames(Reflect.apply(api.log, null, []) ?? {}) }"),
    ])
    .await;
}

#[tokio::test]
async fn functions_that_wait() {
    let wall = Duration::from_secs(2);
    all_within(
        wall,
        &[
            (
                "waits for the host for ever",
                &[Wall],
                "async function run() { await api.fetchRecord('never') }",
            ),
            ("sleeps for ever", &[Wall], "async function run() { for (;;) await api.sleep(1e9) }"),
            (
                "does not wait for what never comes",
                &[Completed],
                "async function run() { api.fetchRecord('never'); return 1 }",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn functions_that_flood() {
    all(&[
("never settles", &[Failed], "function run() { return new Promise(() => {}) }"),
("sleeps often", &[Refused(Limit::HostCalls)], "async function run() { for (;;) await api.sleep(0) }"),
("calls without end", &[Refused(Limit::HostCalls)], "async function run() { for (;;) await api.fetchRecord('a') }"),
("calls without waiting", &[Refused(Limit::HostCalls), Cpu], "async function run() { for (;;) api.fetchRecord('a') }"),
("calls, and catches", &[Refused(Limit::HostCalls)], "async function run() { for (;;) { try { await api.fetchRecord('a') } catch {} } }"),
("timers without end", &[Refused(Limit::HostCalls), Cpu], "async function run() { for (;;) setTimeout(() => 1, 1) }"),
("large calls without waiting", &[Refused(Limit::HostCalls), Cpu, Memory], "async function run() { const a = 'x'.repeat(2e5); for (;;) api.createRecord('c', { a }).catch(() => 1) }"),
("floods the log", &[Cpu], "function run() { for (;;) api.log('line') }"),
("floods the log with much", &[Cpu], "function run() { const s = 'x'.repeat(1e6); for (;;) api.log(s) }"),
("floods both", &[Refused(Limit::HostCalls), Cpu], "async function run() { for (;;) { api.log('a'); api.notify({ to: 'a' }) } }"),
("rejects without a listener", &[Completed], "async function run() { for (let i = 0; i < 1e4; i++) Promise.reject(new Error(i)); return 1 }")
    ])
    .await;
}
