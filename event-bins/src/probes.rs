//! The HTTP port of a pod: `/healthz`, `/readyz` and `/metrics`.

mod server;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use tokio::net::TcpListener;

use crate::health::{Liveness, Readiness};
use crate::metrics::Metrics;

/// The setting of the port.
#[derive(Clone, Debug, Args)]
pub struct ProbeArgs {
    /// Serve /healthz, /readyz and /metrics on this port of all addresses; 0 takes a free one
    /// [default: none] (in pods: 9090)
    #[arg(long, value_name = "PORT", env = "HTTP_PORT")]
    pub http_port: Option<u16>,
}

/// What is served.
#[derive(Clone, Debug)]
pub struct Probes {
    /// For `/healthz`.
    pub liveness: Arc<Liveness>,
    /// For `/readyz`.
    pub readiness: Arc<Readiness>,
    /// For `/metrics`.
    pub metrics: Metrics,
}

impl ProbeArgs {
    /// Serves from now until the process ends, if there is a port.
    ///
    /// # Errors
    ///
    /// One line, if the port cannot be had.
    pub async fn serve(&self, probes: Probes) -> Result<(), String> {
        let Some(port) = self.http_port else {
            return Ok(());
        };
        let refused = |error| {
            format!("HTTP_PORT is {port}, which cannot be listened on: {error}; give a free port")
        };
        let listener = listen(port).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        tracing::info!(%address, "serving /healthz, /readyz and /metrics");
        let bounds = server::Bounds::default();
        tokio::spawn(server::serve(listener, bounds, move |request| {
            let probes = probes.clone();
            async move { probes.answer(request.method(), request.uri().path()).await }
        }));
        Ok(())
    }
}

/// On both families of addresses, or on the one that there is.
async fn listen(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))).await {
        Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
            TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).await
        }
        bound => bound,
    }
}

impl Probes {
    async fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, String::new());
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        let verdict = match path {
            "/healthz" => self.liveness.check(),
            "/readyz" => self.readiness.check().await,
            "/metrics" => return text(StatusCode::OK, self.metrics.text()),
            _ => return text(StatusCode::NOT_FOUND, String::new()),
        };
        match verdict {
            Ok(()) => text(StatusCode::OK, "ok\n".to_owned()),
            Err(what) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{what}\n")),
        }
    }
}

/// The content type is the one of Prometheus' text format, which is plain text for all others.
fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, format);
    response
}
