//! The one HTTP client that all clients share.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Connector, tls::TlsContext};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};

/// How long a connection may be idle and still be used again. A service closes idle connections,
/// and where its word of that is lost, the next request on one hangs until it times out
/// ([aws-sdk-rust#1417](https://github.com/awslabs/aws-sdk-rust/issues/1417)). By default they
/// would be kept for 90 s.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// A client on rustls with ring, which trusts what the system trusts and honours `HTTP_PROXY`,
/// `HTTPS_PROXY` and `NO_PROXY`.
///
/// The SDK's own default would bring a second cryptography library, and has no say over the
/// pool.
pub(crate) fn client() -> SharedHttpClient {
    // The certificates are read once, not once for each connector.
    let tls = TlsContext::default();
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
