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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use event_aws::AwsOptions;
    use event_core::Shutdown;
    use http_body_util::BodyExt;
    use tokio::time::advance;

    use super::*;
    use crate::metrics::ProducerMetrics;

    async fn probes() -> Probes {
        let region = Some("us-east-1".to_owned());
        let aws = AwsOptions { region, ..AwsOptions::default() }.load().await.unwrap();
        Probes {
            liveness: Arc::new(Liveness::new(Duration::ZERO)),
            readiness: Arc::new(Readiness::new(Shutdown::never())),
            metrics: ProducerMetrics::new(&aws).0,
        }
    }

    async fn answer(probes: &Probes, method: Method, path: &str) -> (u16, String) {
        let response = probes.answer(&method, path).await;
        let format = response.headers()[CONTENT_TYPE].to_str().unwrap();
        assert_eq!(format, "text/plain; version=0.0.4; charset=utf-8");
        let allowed = response.headers().get(ALLOW).map(|allow| allow.to_str().unwrap());
        let status = response.status().as_u16();
        assert_eq!(allowed, (status == 405).then_some("GET, HEAD"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn each_path_has_its_own_answer_and_others_have_none() {
        let probes = probes().await;
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(answer(&probes, method.clone(), "/healthz").await, (200, "ok\n".into()));
            let starting = (503, "starting\n".into());
            assert_eq!(answer(&probes, method.clone(), "/readyz").await, starting);
            let (status, text) = answer(&probes, method.clone(), "/metrics").await;
            assert!(status == 200 && text.contains("event_producer_sent_total 0"), "{text}");
            for path in ["/", "/health", "/healthz/", "//metrics"] {
                assert_eq!(answer(&probes, method.clone(), path).await, (404, String::new()));
            }
        }
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            assert_eq!(answer(&probes, method, "/healthz").await, (405, String::new()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_that_is_silent_is_told_with_503() {
        let probes = probes().await;
        advance(Duration::from_secs(91)).await;
        let (status, text) = answer(&probes, Method::GET, "/healthz").await;
        assert!(status == 503 && text.starts_with("no request has ended for 91 s"), "{text}");
        assert!(text.ends_with("s\n"), "{text:?}");
    }
}
