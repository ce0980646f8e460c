//! TLS as the operating system trusts it.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls_platform_verifier::BuilderVerifierExt;

use crate::error::Error;

/// A configuration that trusts whom this machine trusts.
pub(crate) fn platform() -> Result<Arc<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(Error::Tls)?;
    Ok(Arc::new(builder.with_platform_verifier().map_err(Error::Tls)?.with_no_client_auth()))
}

/// HTTP over this configuration. `None`: in the clear only.
pub(crate) fn http(tls: Option<&Arc<ClientConfig>>) -> Result<reqwest::Client, Error> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("campanile-client/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(std::time::Duration::from_secs(30));
    match tls {
        Some(tls) => builder.tls_backend_preconfigured(ClientConfig::clone(tls)).https_only(true),
        None => {
            let roots = rustls::RootCertStore::empty();
            let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(Error::Tls)?
                .with_root_certificates(roots)
                .with_no_client_auth();
            builder.tls_backend_preconfigured(tls)
        }
    }
    .build()
    .map_err(Error::Http)
}
