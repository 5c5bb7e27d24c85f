//! The HTTP port of a pod: `/healthz`, `/readyz` and `/metrics`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use clap::Args;
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
        let routes = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(probes);
        tokio::spawn(async move { axum::serve(listener, routes).await });
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

fn verdict(check: Result<(), String>) -> (StatusCode, String) {
    match check {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(what) => (StatusCode::SERVICE_UNAVAILABLE, format!("{what}\n")),
    }
}

async fn healthz(State(probes): State<Probes>) -> impl IntoResponse {
    verdict(probes.liveness.check())
}

async fn readyz(State(probes): State<Probes>) -> impl IntoResponse {
    verdict(probes.readiness.check().await)
}

async fn metrics(State(probes): State<Probes>) -> impl IntoResponse {
    let format = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, format)], probes.metrics.text())
}
