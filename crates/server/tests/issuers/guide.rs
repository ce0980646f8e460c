//! docs/guides/identity-providers.md: each provider's tokens are believed by the configuration that stands there.

use serde_json::{Value, json};

use super::provider::{Provider, Signer};
use super::*;

const GUIDE: &str = include_str!("../../../../docs/guides/identity-providers.md");

/// The first block of this language in the section of this name.
fn block(section: &str, language: &str) -> &'static str {
    let text = GUIDE.split(&format!("\n## {section}\n")).nth(1).unwrap_or_else(|| panic!("{section}"));
    let text = text.split("\n## ").next().unwrap();
    let block = text.split(&format!("```{language}\n")).nth(1).unwrap_or_else(|| panic!("{section}"));
    block.split("```").next().unwrap()
}

/// The configuration of a section, with its keys at `url`.
fn configuration(section: &str, url: &str) -> String {
    let lines = block(section, "toml").lines().map(|line| match line.strip_prefix("jwks_url = ") {
        Some(theirs) => {
            assert!(theirs.starts_with("\"https://"), "{theirs}");
            format!("jwks_url = \"{url}\"\n")
        }
        None => format!("{line}\n"),
    });
    let config: String = lines.collect();
    assert!(config.contains(url), "{config}");
    config
}

/// A token of the section's claims opens what is said, and neither the one for another audience nor the one of
/// another tenant does.
async fn follow(section: &str, header: Value, user: &str, workspace: &str, scope: Option<&str>) {
    let signer = Signer::rsa("their-key-1");
    let provider = Provider::of(&[&signer]).await;
    let server = TestServer::configured(&configuration(section, &provider.url)).await;
    keys(&server, 1).await;
    let mut claims: Value = serde_json::from_str(block(section, "json")).unwrap();
    for (name, secs) in [("exp", 3600), ("iat", -5), ("nbf", -15), ("auth_time", -60)] {
        if claims.get(name).is_some() || name == "exp" {
            claims[name] = json!(server.now() + secs);
        }
    }
    let mut full = header;
    full["kid"] = json!(signer.kid);
    let sign = |claims: &Value| signer.sign_with(full.clone(), claims);
    let token = sign(&claims);

    let path = format!("/?token={token}&workspaceSlug={workspace}");
    let mut client = campanile_testkit::Client::connect(server.address, &path).await;
    let body = json!({ "to": { "user": user }, "title": "T", "message": "M" });
    let publisher =
        server.token("backend").with("workspaces", json!([workspace])).with("scope", "notifications:write");
    let publish = format!("/v1/workspaces/{workspace}/notifications");
    assert_eq!(server.post(&publish, &publisher.sign(), &body.to_string()).await.status, 201);
    assert_eq!(client.json().await["message"], "M", "{section}: as the user {user}");

    // The scope is what the claims of the guide give, and no more.
    let answer = server.post(&publish, &token, &body.to_string()).await;
    assert_eq!(answer.status == 201, scope == Some("notifications:write"), "{section}: {}", answer.status);
    let inbox = |slug: &str| format!("/v1/workspaces/{slug}/inbox");
    assert_eq!(server.get(&inbox("not-theirs"), &token).await.status, 403, "{section}");
    for (member, value) in [("aud", json!("another")), ("iss", json!("https://another.example/"))] {
        let mut other = claims.clone();
        other[member] = value;
        assert_eq!(server.get(&inbox(workspace), &sign(&other)).await.status, 401, "{section}: {member}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auth0() {
    let header = json!({ "typ": "at+jwt" });
    follow("Auth0", header, "auth0|65f2c0a1b2c3d4e5f6a7b8c9", "acme", Some("notifications:write")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clerk() {
    let header = json!({ "typ": "JWT", "cat": "cl_B7d4PD222AAA" });
    follow("Clerk", header, "user_2aBcDeFgHiJkLmNoPqRsTuVwXyZ", "acme", None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keycloak() {
    let header = json!({ "typ": "JWT" });
    follow("Keycloak", header, "f1c4f64e-2c0c-4cda-8c9f-9f3f8f3a2b0e", "acme", Some("notifications:write"))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn okta() {
    follow("Okta", json!({}), "00u1a2b3c4D5E6F7g8h9", "acme", Some("notifications:write")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn firebase() {
    let header = json!({ "typ": "JWT" });
    follow("Firebase", header, "xqNbzJ4kLmP0aRsTuVwXyZ012345", "acme", None).await;
}

#[test]
fn every_configuration_of_the_guide_is_one() {
    let blocks: Vec<&str> =
        GUIDE.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 6, "{}", blocks.len());
    for block in blocks {
        let program = crate::program::Program::new();
        program.write("partner.pem", include_str!("../../../auth/tests/fixtures/rsa.pub.pem"));
        let file = program.write("campanile.toml", block);
        program.run(["check", "--config", &file.to_string_lossy()]).succeeded();
    }
}
