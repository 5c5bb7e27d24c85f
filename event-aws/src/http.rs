//! The one HTTP client that all clients share.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};

use crate::url::shown;

/// How long a connection may be idle and still be used again. A service closes idle connections,
/// and where its word of that is lost, the next request on one hangs until it times out
/// ([aws-sdk-rust#1417](https://github.com/awslabs/aws-sdk-rust/issues/1417)). By default they
/// would be kept for 90 s.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// What the system trusts; an error says why that is nothing at all.
///
/// To be asked for it where there is none, the SDK would panic in a debug build, and say nothing
/// in a release build until a host is not trusted.
pub(crate) fn trusted() -> Result<TlsContext, String> {
    let found = rustls_native_certs::load_native_certs();
    if !found.certs.is_empty() {
        return Ok(TlsContext::default());
    }
    let set = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .filter_map(|name| Some(format!("{name} is {:?}, ", std::env::var_os(name)?)));
    Err(format!(
        "{}and no certificate of an authority is found: install ca-certificates, or set \
         SSL_CERT_FILE to a file of some",
        set.collect::<String>()
    ))
}

/// No host at all, where only hosts without TLS are asked.
pub(crate) fn no_trust() -> TlsContext {
    let nobody = TlsContext::builder().with_trust_store(TrustStore::empty());
    nobody.build().unwrap_or_default()
}

/// The proxies that are set, each with its variable, for a person.
pub(crate) fn proxies() -> Vec<String> {
    let set = |names: &[&str]| {
        let set =
            names.iter().filter_map(|name| Some((name.to_string(), std::env::var(name).ok()?)));
        set.into_iter().find(|(_, proxy)| !proxy.trim().is_empty())
    };
    [["HTTPS_PROXY", "https_proxy"], ["HTTP_PROXY", "http_proxy"], ["ALL_PROXY", "all_proxy"]]
        .iter()
        .filter_map(|names| set(names))
        .map(|(name, proxy)| format!("{name} is {}", shown(&proxy)))
        .collect()
}

/// A client on rustls with ring, which trusts these and honours `HTTP_PROXY`, `HTTPS_PROXY` and
/// `NO_PROXY`.
///
/// The SDK's own default would bring a second cryptography library, and has no say over the
/// pool.
pub(crate) fn client(tls: TlsContext) -> SharedHttpClient {
    // A connector has a pool of its own, so one is kept for each pair of timeouts that is asked
    // for: one for all requests to the services, and those of the credential providers.
    let connectors: Mutex<HashMap<_, SharedHttpConnector>> = Mutex::default();
    http_client_fn(move |settings, _| {
        let key = (settings.connect_timeout(), settings.read_timeout());
        // A connector is inserted whole or not at all.
        let mut connectors = connectors.lock().unwrap_or_else(PoisonError::into_inner);
        connectors.entry(key).or_insert_with(|| connector(settings, &tls)).clone()
    })
}

fn connector(settings: &HttpConnectorSettings, tls: &TlsContext) -> SharedHttpConnector {
    let connector = Connector::builder()
        .connector_settings(settings.clone())
        .pool_idle_timeout(POOL_IDLE)
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls.clone())
        .build();
    SharedHttpConnector::new(connector)
}
