//! A provider that publishes keys on this machine, well or badly.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use campanile_testkit::Signed;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// A key of its own, and tokens by it.
pub struct Signer {
    pub kid: String,
    key: EncodingKey,
    algorithm: Algorithm,
}

impl Signer {
    /// A new key on P-256.
    pub fn new(kid: &str) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let key = EncodingKey::from_ec_der(pkcs8.unwrap().as_ref());
        Self { kid: kid.to_owned(), key, algorithm: Algorithm::ES256 }
    }

    /// An RSA key, as most providers have.
    pub fn rsa(kid: &str) -> Self {
        let pem = include_str!("../../../auth/tests/fixtures/rsa.pem");
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        Self { kid: kid.to_owned(), key, algorithm: Algorithm::RS256 }
    }

    /// As it is published.
    pub fn jwk(&self) -> Value {
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap()).unwrap();
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(json!({ "typ": "JWT", "kid": self.kid }), claims)
    }

    /// With these members of the header.
    pub fn sign_with(&self, mut header: Value, claims: &Value) -> String {
        header["alg"] = json!(self.algorithm);
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&header), encode(claims));
        let signature = crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }
}

/// How a provider answers.
#[derive(Clone)]
pub enum Mode {
    /// All of these bytes, then the end.
    Answer(Vec<u8>),
    /// These bytes, and nothing more for ever.
    Stall(Vec<u8>),
    /// The connection ends without a word.
    Down,
}

/// It.
pub struct Provider {
    pub url: String,
    mode: watch::Sender<Option<Mode>>,
    hits: Arc<AtomicUsize>,
    last: Arc<Mutex<String>>,
}

impl Provider {
    /// One that publishes these keys.
    pub async fn of(signers: &[&Signer]) -> Self {
        let provider = Self::silent().await;
        provider.publish(signers);
        provider
    }

    /// One that lets whoever asks wait until it is told what to answer.
    pub async fn silent() -> Self {
        Self::serving(None).await
    }

    /// One that publishes these keys within TLS, with a certificate.
    pub async fn secured(signers: &[&Signer], certificate: &Signed) -> Self {
        let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der()], key)
            .unwrap();
        let provider = Self::serving(Some(TlsAcceptor::from(Arc::new(config)))).await;
        provider.publish(signers);
        provider
    }

    async fn serving(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/jwks.json", listener.local_addr().unwrap());
        let (mode, told) = watch::channel(None);
        let (hits, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::default()));
        let (counted, heard) = (Arc::clone(&hits), Arc::clone(&last));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (told, counted, heard) = (told.clone(), Arc::clone(&counted), Arc::clone(&heard));
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => answer(stream, told, counted, heard).await,
                        // Whoever does not believe the certificate asks nothing.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                answer(stream, told, counted, heard).await;
                            }
                        }
                    }
                });
            }
        });
        Self { url, mode, hits, last }
    }

    pub fn publish(&self, signers: &[&Signer]) {
        self.publish_with("", signers);
    }

    /// With these headers, each with its line end.
    pub fn publish_with(&self, headers: &str, signers: &[&Signer]) {
        self.say("200 OK", headers, set(signers).as_bytes());
    }

    pub fn say(&self, status: &str, headers: &str, body: &[u8]) {
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        self.become_(Mode::Answer([head.as_bytes(), body].concat()));
    }

    pub fn become_(&self, mode: Mode) {
        self.mode.send_replace(Some(mode));
    }

    /// Requests so far.
    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    /// The last request's head, in small letters.
    pub fn last(&self) -> String {
        self.last.lock().unwrap().clone()
    }
}

/// A key set of these keys.
pub fn set(signers: &[&Signer]) -> String {
    json!({ "keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>() }).to_string()
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    mut told: watch::Receiver<Option<Mode>>,
    hits: Arc<AtomicUsize>,
    last: Arc<Mutex<String>>,
) {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    *last.lock().unwrap() = String::from_utf8_lossy(&head).to_ascii_lowercase();
    hits.fetch_add(1, Ordering::SeqCst);
    let mode = told.wait_for(Option::is_some).await.map(|mode| mode.clone());
    // Whoever has heard enough goes, so no write here must succeed.
    match mode {
        Ok(Some(Mode::Answer(bytes))) => {
            let _written = stream.write_all(&bytes).await;
            let _ended = stream.shutdown().await;
        }
        Ok(Some(Mode::Stall(bytes))) => {
            let _written = stream.write_all(&bytes).await;
            let mut rest = vec![];
            let _ended = stream.read_to_end(&mut rest).await;
        }
        Ok(Some(Mode::Down) | None) | Err(_) => {}
    }
}
