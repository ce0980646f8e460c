//! Whether the time of a refusal tells what its words do not: users, workspaces, keys.

use std::time::Instant;

use campanile_testkit::{TestServer, upgrade_on};
use tokio::io::AsyncReadExt;

use crate::api::TestApi;

const SAMPLES: usize = 10_000;
/// How much better than by a coin the one of two refusals may be guessed from its time, by the best threshold there
/// is. Of two equal distributions with so many samples, chance alone makes some 1 % of it.
const ADVANTAGE: f64 = 0.05;

/// Run it alone on a machine that does nothing else:
/// `cargo test -p campanile-server --all-features --test main timing -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "measures time, which neighbours disturb"]
async fn refusals_take_the_same_time() {
    let api = TestApi::new();
    api.publish("other", serde_json::json!({"user": "bob"}), "there is such a workspace, and such a user")
        .await;
    let inbox = |slug: &str| format!("/v1/workspaces/{slug}/inbox");
    let forged = |user: &str, workspace: &str| {
        let token = api.token(user, workspace, "");
        let (message, signature) = token.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        format!("{message}.{first}{}", &signature[1..])
    };
    let alice = api.token("alice", "acme", "");
    let (bob, eve) = (api.token("bob", "acme", ""), api.token("eve", "acme", ""));
    // What the two of a pair differ in must not be told by how long the answer takes.
    let pairs = [
        (
            "a workspace that is not granted, or not there",
            [(inbox("other"), alice.clone()), (inbox("nope1"), alice)],
            403,
        ),
        ("a user that is known, or not, elsewhere", [(inbox("other"), bob), (inbox("other"), eve)], 403),
        (
            "a bad signature for a user that is known, or not",
            [(inbox("other"), forged("bob", "other")), (inbox("other"), forged("eve", "other"))],
            401,
        ),
        (
            "a bad signature for a workspace that is there, or not",
            [(inbox("other"), forged("bob", "other")), (inbox("nope1"), forged("bob", "nope1"))],
            401,
        ),
    ];
    for (what, [one, other], status) in pairs {
        let mut times = [Vec::with_capacity(SAMPLES), Vec::with_capacity(SAMPLES)];
        for n in 0..2 * SAMPLES {
            // In turn, and each as often first: what disturbs, disturbs both.
            let which = (n ^ (n >> 1)) & 1;
            let (path, token) = [&one, &other][which];
            let started = Instant::now();
            let answer = api.get(path, token).await;
            let took = started.elapsed().as_nanos();
            assert_eq!(answer.status.as_u16(), status, "{what}");
            times[which].push(took);
        }
        let advantage = advantage(&mut times);
        let median = |times: &[u128]| times[times.len() / 2] as f64 / 1_000.0;
        println!(
            "{what}: {:.1} and {:.1} µs, advantage {advantage:.3}",
            median(&times[0]),
            median(&times[1])
        );
        assert!(advantage < ADVANTAGE, "{what}: {advantage}");
    }
}

/// Refusals that are one close code with one reason: whose token is shown, and for which workspace.
const REFUSED: [(&str, (&str, &str)); 5] = [
    ("a known user", ("bob", "other")),
    ("an unknown user", ("eve", "other")),
    ("an unknown workspace", ("bob", "nope1")),
    ("a bad signature", ("bob", "other")),
    ("a token that is remembered", ("bob", "nope1")),
];

/// The same on a socket. But for the last of these no token is shown twice, as by somebody who guesses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures time, which neighbours disturb"]
async fn refused_sockets_take_the_same_time() {
    let server = TestServer::configured("").await;
    server.notify("other", "bob", "there is such a workspace, and such a user").await;
    let shown = |which: usize, n: usize| {
        let (user, slug) = REFUSED[which].1;
        let sign = |n: usize| server.token(user).with("jti", format!("{n:08}")).sign();
        // Both are always made: what goes before a measurement is the same for all.
        let (one, other) = (sign(n), sign(50_000_000 + n));
        let signature = if which == 3 { &other } else { &one }.rsplit_once('.').unwrap().1;
        let token = format!("{}.{signature}", one.rsplit_once('.').unwrap().0);
        (format!("/?token={token}&workspaceSlug={slug}"), if which == 4 { token } else { other })
    };
    let mut times = [const { Vec::new() }; REFUSED.len()];
    let mut random = 1_u64;
    for n in 0..REFUSED.len() * SAMPLES {
        // In no order: each leaves a connection to be cleared away to whoever comes next.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let which = usize::try_from(random >> 33).unwrap() % REFUSED.len();
        let (path, used) = shown(which, n);
        assert_eq!(server.get("/v1/workspaces/acme/inbox", &used).await.status, 200);
        let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let started = Instant::now();
        let answer = upgrade_on(&mut stream, &path).await;
        let mut close = vec![];
        stream.read_to_end(&mut close).await.unwrap();
        times[which].push(started.elapsed().as_nanos());
        assert_eq!((answer.status, &close[2..4]), (101, &4001_u16.to_be_bytes()[..]), "{}", REFUSED[which].0);
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    for (which, (name, _)) in REFUSED.iter().enumerate().skip(1) {
        let advantage = advantage(&mut [times[0].clone(), times[which].clone()]);
        let median = |which: usize| times[which][times[which].len() / 2] as f64 / 1_000.0;
        println!(
            "{} and {name}: {:.1} and {:.1} µs, advantage {advantage:.3}",
            REFUSED[0].0,
            median(0),
            median(which)
        );
        assert!(advantage < ADVANTAGE, "{name}: {advantage}");
    }
}

/// The greatest distance between the two distributions (Kolmogorov and Smirnov): by how much whoever knows both can
/// guess better than by a coin. Sorts them.
fn advantage([a, b]: &mut [Vec<u128>; 2]) -> f64 {
    a.sort_unstable();
    b.sort_unstable();
    let share = |sorted: &[u128], limit: u128| {
        sorted.partition_point(|time| *time <= limit) as f64 / sorted.len() as f64
    };
    a.iter().chain(b.iter()).map(|limit| (share(a, *limit) - share(b, *limit)).abs()).fold(0.0, f64::max)
}

#[test]
fn the_advantage_is_none_of_equal_times_and_all_of_distinct_ones() {
    assert_eq!(advantage(&mut [vec![3, 1, 2], vec![2, 3, 1]]), 0.0);
    assert_eq!(advantage(&mut [vec![1, 2], vec![3, 4]]), 1.0);
    assert_eq!(advantage(&mut [vec![1, 2, 3, 4], vec![3, 4, 5, 6]]), 0.5);
}
