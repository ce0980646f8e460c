//! Keys rotated while clients receive.

use std::time::Duration;

use campanile_testkit::Client;
use futures_util::future::join_all;
use serde_json::json;

use super::provider::{Provider, Signer};
use super::*;

/// Messages of each stream; keys are exchanged after the first and the second third.
const MESSAGES: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_loses_a_frame_when_keys_rotate() {
    rotate_under(100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute, and 2,500 descriptors"]
async fn nobody_of_a_thousand_loses_a_frame_when_keys_rotate() {
    rotate_under(1_000).await;
}

/// Keys are exchanged twice in the middle of a stream; whoever is connected gets every frame, in order, whichever
/// key opened the socket, and a key that is gone opens none.
async fn rotate_under(sockets: usize) {
    let signers = ["a", "b", "c"].map(Signer::new);
    let [a, b, c] = &signers;
    let provider = Provider::of(&[a, b]).await;
    let server = believing(&provider).await;
    keys(&server, 2).await;
    let mut clients = vec![];
    for n in 0..sockets {
        let signer = if n % 2 == 0 { a } else { b };
        let token = token(&server, signer, &format!("user-{n}"));
        clients.push(Client::connect(server.address, &path(&token)).await);
    }
    server.sockets(sockets).await;

    let receiving = join_all(clients.iter_mut().map(|client| async {
        for n in 0..MESSAGES {
            assert_eq!(client.json().await["message"], n.to_string());
        }
    }));
    let sending = async {
        for n in 0..MESSAGES {
            // a leaves, then b; c comes.
            match n {
                100 => provider.publish(&[b, c]),
                200 => provider.publish(&[c]),
                _ => {}
            }
            if n == 100 || n == 200 {
                let fetches = provider.hits();
                server.clock.advance(Duration::from_secs(30));
                assert_eq!(api(&server, &token(&server, &Signer::new("nobody's"), "x")).await, 401);
                assert_eq!(provider.hits(), fetches + 1);
            }
            let body = json!({ "to": { "workspace": true }, "title": "T", "message": n.to_string() });
            server.publish("acme", body).await;
        }
    };
    tokio::join!(receiving, sending);

    assert_eq!(server.running().gauge.sockets(), sockets, "and nobody was closed");
    keys(&server, 1).await;
    for (signer, is_gone) in [(a, true), (b, true), (c, false)] {
        let token = token(&server, signer, "late");
        assert_eq!(api(&server, &token).await, if is_gone { 401 } else { 200 }, "{}", signer.kid);
        if is_gone {
            assert_eq!(refused(&server, &token).await, 4001);
        }
    }
}
