//! HTTP of functions, against a server of this test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use campanile_functions::{AllowList, Pool, PoolConfig};
use serde_json::{Value, json};

use crate::support::{config, failure, result, run};

/// Answers by the path, and remembers what came.
struct Origin {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    let (mut head, mut length) = (String::new(), 0);
                    loop {
                        let mut line = String::new();
                        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                            break;
                        }
                        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                            length = value.trim().parse().unwrap();
                        }
                        head.push_str(&line);
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    kept.lock().unwrap().push(head + "\r\n" + &String::from_utf8_lossy(&body));
                    let response = match path.as_str() {
                        "/json" => answer("200 OK", "X-Two: a\r\nX-Two: b\r\n", br#"{"ok":true}"#),
                        "/redirect" => answer("302 Found", "Location: http://127.0.0.1:1/\r\n", b""),
                        "/large" => answer("200 OK", "", &vec![b'x'; (1 << 20) + 1]),
                        "/whole" => answer("200 OK", "", &vec![1; 1 << 20]),
                        "/binary" => answer("418 I'm a teapot", "", b"\xff\x00ok"),
                        "/silent" => {
                            // Until the client has had enough.
                            let _ = reader.read(&mut [0]);
                            return;
                        }
                        _ => answer("404 Not Found", "", b"none"),
                    };
                    let _ = stream.write_all(&response);
                });
            }
        });
        Self { address, seen }
    }

    fn pool(&self) -> Pool {
        self.pool_with(&[format!("http://{}", self.address)])
    }

    fn pool_with(&self, allow: &[String]) -> Pool {
        Pool::new(PoolConfig { http: AllowList::parse(allow).unwrap(), ..config() }).unwrap()
    }

    /// Runs the body of a function that knows the origin as `origin`.
    async fn run(&self, pool: &Pool, body: &str) -> campanile_functions::Finished {
        let code = format!("async function run() {{ const origin = 'http://{}'; {body} }}", self.address);
        run(pool, &code).await
    }
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

#[tokio::test]
async fn requests_go_out_as_written_and_come_back_as_sent() {
    let origin = Origin::start();
    let pool = origin.pool();
    let body = "
        const got = await api.http.get(`${origin}/json`, { headers: { 'X-Key': 'k' } });
        const sent = await api.http.post(`${origin}/none`, { json: { a: 1 } });
        const verbs = [];
        for (const verb of ['put', 'patch', 'delete']) verbs.push((await api.http[verb](`${origin}/json`, { body: verb })).status);
        await api.http.request(`${origin}/json`, { method: 'options' });
        const odd = await api.http.get(`${origin}/binary`);
        return [got.status, got.json(), got.headers['x-two'], sent.status, sent.body, verbs, odd.status, odd.body];";
    let finished = origin.run(&pool, body).await;
    let expected = json!([200, { "ok": true }, "a, b", 404, "none", [200, 200, 200], 418, "\u{fffd}\0ok"]);
    assert_eq!(result(&finished), expected);
    let seen = origin.seen.lock().unwrap();
    assert!(seen[0].starts_with("GET /json HTTP/1.1\r\n") && seen[0].contains("x-key: k\r\n"), "{seen:?}");
    assert!(
        seen[1].contains("content-type: application/json\r\n") && seen[1].ends_with("\r\n{\"a\":1}"),
        "{seen:?}"
    );
    assert!(seen[2].starts_with("PUT ") && seen[2].ends_with("\r\nput"));
    assert!(seen[5].starts_with("OPTIONS "));
    assert_eq!(seen.len(), 7);
}

#[tokio::test]
async fn redirects_are_answers_and_not_followed() {
    let origin = Origin::start();
    let pool = origin.pool();
    let body = "const r = await api.http.get(`${origin}/redirect`); return [r.status, r.headers.location]";
    assert_eq!(result(&origin.run(&pool, body).await), json!([302, "http://127.0.0.1:1/"]));
}

#[tokio::test]
async fn what_is_not_on_the_list_is_not_reached() {
    let origin = Origin::start();
    let port = origin.address.port();
    let codes = "const codes = [];
        for (const url of urls) { try { await api.http.get(url); codes.push('reached') } catch (e) { codes.push(e.code) } }
        return codes;";
    // The list names another port, and the same machine by a name that leads inside.
    let pool = origin.pool_with(&["http://127.0.0.1:1".into(), format!("http://localhost:{port}")]);
    let urls = json!([
        format!("http://127.0.0.1:{port}/json"),
        format!("http://localhost:{port}/json"),
        "https://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        format!("http://[::ffff:127.0.0.1]:{port}/json"),
        format!("http://127.0.0.1:1@127.0.0.1:{port}/json"),
        "file:///etc/passwd",
        "data:text/plain,a",
    ]);
    let finished = origin.run(&pool, &format!("const urls = {urls}; {codes}")).await;
    assert_eq!(result(&finished), Value::Array(vec![json!("http_not_allowed"); 8]));
    assert_eq!(origin.seen.lock().unwrap().len(), 0);

    // With the mark, the name may lead inside.
    let pool = origin.pool_with(&[format!("private:http://localhost:{port}")]);
    let urls = json!([format!("http://localhost:{port}/json"), format!("http://127.0.0.1:{port}/json")]);
    let finished = origin.run(&pool, &format!("const urls = {urls}; {codes}")).await;
    assert_eq!(result(&finished), json!(["reached", "http_not_allowed"]));

    // Without a list, nobody is reached.
    let pool = Pool::new(config()).unwrap();
    let finished = origin.run(&pool, "await api.http.get(`${origin}/json`)").await;
    assert_eq!(failure(&finished), ("Error", "127.0.0.1 is not on the list of allowed hosts"));
}

#[tokio::test]
async fn responses_and_waits_are_bounded() {
    let origin = Origin::start();
    let pool = origin.pool();
    let body = "const codes = [];
        for (const [path, options] of [
            ['/large', {}],
            ['/silent', { timeoutMs: 50 }],
            ['/json', { headers: { Host: 'evil' } }],
            ['/json', { headers: { 'Content-Length': '1' } }],
            ['/json', { headers: { a: 'b\\r\\nc: d' } }],
            ['/json', { headers: { 'a b': 'c' } }],
            ['/json', { headers: { a: 'x'.repeat(20000) } }],
            ['/json', { method: 'CONNECT' }],
            ['/json', { method: 'BREW' }],
        ]) { try { await api.http.request(origin + path, options); codes.push('done') } catch (e) { codes.push(e.code) } }
        codes.push((await api.http.get(origin + '/whole')).body.length);
        return codes;";
    let finished = origin.run(&pool, body).await;
    let invalid = "http_invalid";
    assert_eq!(
        result(&finished),
        json!([
            "http_too_large",
            "http_timeout",
            invalid,
            invalid,
            invalid,
            invalid,
            invalid,
            invalid,
            invalid,
            1 << 20
        ])
    );
}
