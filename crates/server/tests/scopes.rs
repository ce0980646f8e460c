//! Who may call what: every operation of the OpenAPI document against every kind of token.

use std::collections::BTreeSet;

use campanile_server::routes::document;
use campanile_testkit::{Answer, Options, TestServer, WAIT, read_head};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Those that ask for no token.
const OPEN: [&str; 4] = ["get_token", "live", "read_public_keys", "ready"];
/// Those for everybody of a workspace, whatever their token's scope; the last two by any token that is good.
const MEMBERS: [&str; 10] = [
    "archive",
    "follow",
    "list_inbox",
    "list_product",
    "mark_read",
    "mark_read_product",
    "mark_unread",
    "read_all",
    "seen",
    "get_ticket",
];
/// Every word that an operation may ask for.
const WORDS: [&str; 8] = [
    "admin",
    "events:write",
    "functions:execute",
    "functions:write",
    "notifications:write",
    "operator",
    "products:write",
    "records:write",
];

/// One operation of the document.
struct Operation {
    name: String,
    method: String,
    path: String,
    /// What its body is declared as, if it has one.
    media_type: Option<String>,
    /// The words it says that it asks for, all of them.
    words: BTreeSet<String>,
    /// Whether it says that it asks for a token.
    wants_token: bool,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&document()).unwrap();
    let mut operations = vec![];
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array();
            let bearer = security.and_then(|all| all.iter().find_map(|one| one["bearer"].as_array()));
            let body = operation["requestBody"]["content"].as_object();
            operations.push(Operation {
                name: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                media_type: body.and_then(|content| content.keys().next().cloned()),
                words: bearer.into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect(),
                wants_token: bearer.is_some(),
            });
        }
    }
    operations
}

impl Operation {
    fn is_of_a_workspace(&self) -> bool {
        self.path.contains("{workspace}")
    }

    /// Asks for it in `acme`, about nothing that is there. Reads no more than the head of an answer without an end.
    async fn ask(&self, server: &TestServer, token: Option<&str>) -> Answer {
        let mut path = self.path.replace("{workspace}", "acme");
        while let Some((before, rest)) = path.split_once('{') {
            path = format!("{before}x{}", rest.split_once('}').unwrap().1);
        }
        let mut head = format!("{} {path} HTTP/1.1\r\nHost: n\r\nConnection: close\r\n", self.method);
        if let Some(token) = token {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        let body = match self.media_type.as_deref() {
            Some(media_type) => {
                head += &format!("Content-Type: {media_type}\r\n");
                "{}"
            }
            None => "",
        };
        head += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = read_head(&mut stream).await;
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        answer.body.resize(length, 0);
        tokio::time::timeout(WAIT, stream.read_exact(&mut answer.body)).await.unwrap().unwrap();
        answer
    }

    #[track_caller]
    fn is_refused(&self, answer: &Answer, status: u16, code: &str, by: &str) {
        assert_eq!(answer.status, status, "{} by {by}", self.name);
        // The documents' own routes have their own bodies.
        if self.path.starts_with("/v1/") {
            assert_eq!(answer.json()["code"], code, "{} by {by}", self.name);
        }
    }

    #[track_caller]
    fn is_let_in(&self, answer: &Answer, by: &str) {
        assert!(![401, 403, 405, 429].contains(&answer.status), "{} by {by}: {}", self.name, answer.status);
    }
}

/// A token of these workspaces and this scope.
fn token(server: &TestServer, workspaces: &[&str], scope: &str) -> String {
    server.token("caller").with("workspaces", json!(workspaces)).with("scope", scope).sign()
}

#[test]
fn each_operation_says_what_it_asks_for() {
    let all = operations();
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let of = |is: &dyn Fn(&Operation) -> bool| {
        all.iter().filter(|one| is(one)).map(|one| one.name.clone()).collect::<BTreeSet<_>>()
    };
    assert_eq!(of(&|one| !one.wants_token), named(&OPEN), "without a token");
    assert_eq!(of(&|one| one.wants_token && one.words.is_empty()), named(&MEMBERS), "whatever the scope");
    assert_eq!(all.iter().flat_map(|one| one.words.clone()).collect::<BTreeSet<_>>(), named(&WORDS));
    // What concerns the whole server is an operator's, and nothing else is.
    let is_operators = |one: &Operation| one.words.contains("operator");
    let is_of_the_server = |one: &Operation| one.wants_token && !one.is_of_a_workspace();
    let (everywhere, of_members) = (of(&is_of_the_server), named(&MEMBERS));
    assert_eq!(of(&is_operators), everywhere.difference(&of_members).cloned().collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_to_be_had_without_its_scope() {
    let server = TestServer::with(Options { memory: true, ..Options::default() }).await;
    let forged = token(&server, &["acme", "*"], &WORDS.join(" ")) + "x";
    for one in operations() {
        if !one.wants_token {
            let answer = one.ask(&server, None).await;
            assert_ne!(answer.status, 403, "{}", one.name);
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            assert!(!challenge.starts_with("bearer"), "{}: {challenge}", one.name);
            continue;
        }
        one.is_refused(&one.ask(&server, None).await, 401, "token_missing", "nobody");
        one.is_refused(&one.ask(&server, Some(&forged)).await, 401, "token_invalid", "a forged token");

        let is_operators = one.words.contains("operator");
        let own: Vec<_> = one.words.iter().map(String::as_str).collect();
        let others: Vec<_> = WORDS.into_iter().filter(|word| !one.words.contains(*word)).collect();
        // All words but one of those that it asks for, and each on its own, in whatever workspaces.
        let mut scopes =
            vec![String::new(), others.join(" "), own.join("").to_uppercase(), own.concat() + "x"];
        scopes.extend(WORDS.map(str::to_owned));
        scopes.extend(
            own.iter().map(|missing| {
                WORDS.into_iter().filter(|word| word != missing).collect::<Vec<_>>().join(" ")
            }),
        );
        for scope in scopes.iter().filter(|_| !own.is_empty()) {
            let words: BTreeSet<_> = scope.split(' ').map(str::to_owned).collect();
            if one.words.is_subset(&words) {
                continue;
            }
            for workspaces in [&["acme"][..], &["acme", "*"]] {
                let by = format!("{workspaces:?} with {scope:?}");
                let answer = one.ask(&server, Some(&token(&server, workspaces, scope))).await;
                one.is_refused(&answer, 403, "scope_missing", &by);
            }
        }
        // The scope without the workspace.
        let (elsewhere, all) = (token(&server, &["other"], &WORDS.join(" ")), own.join(" "));
        let answer = one.ask(&server, Some(&elsewhere)).await;
        match one.name.as_str() {
            "get_ticket" => one.is_let_in(&answer, "somebody of another workspace"),
            "list_product" | "mark_read_product" => {
                one.is_refused(&answer, 401, "", "somebody of another workspace");
            }
            _ => one.is_refused(&answer, 403, "workspace_refused", "somebody of another workspace"),
        }
        // And with both.
        let here = if is_operators { "*" } else { "acme" };
        let mut callers = vec![token(&server, &[here, "default"], &all)];
        if is_operators {
            let one_workspace = token(&server, &["acme"], &all);
            let answer = one.ask(&server, Some(&one_workspace)).await;
            one.is_refused(&answer, 403, "workspace_refused", "an operator of one workspace");
        } else {
            callers.push(token(&server, &["*", "acme", "default"], &WORDS.join(" ")));
        }
        for token in callers {
            one.is_let_in(&one.ask(&server, Some(&token)).await, "whoever may");
        }
    }
}
