//! Answers that depend on what is asked, for tests.

use std::fmt;
use std::sync::Arc;

use aws_sdk_s3::config::http::{HttpRequest, HttpResponse};
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};

use crate::config::Aws;
use crate::script::{Request, Script};

/// A body with its headers. The status is 200.
pub(crate) type Answer = (String, Vec<(&'static str, String)>);

#[derive(Clone)]
struct Fake(Arc<dyn Fn(&Request) -> Answer + Send + Sync>);

/// Clients whose requests are answered by this, at once and without retries.
pub(crate) fn answering(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Aws {
    let connector = SharedHttpConnector::new(Fake(Arc::new(answer)));
    let sdk = Script::new(&[]).sdk().into_builder();
    Aws::new(sdk.http_client(http_client_fn(move |_, _| connector.clone())).build(), true)
}

impl HttpConnector for Fake {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let header = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let (body, headers) = (self.0)(&Request {
            uri: request.uri().to_owned(),
            headers: request.headers().iter().map(header).collect(),
            body: text(request.body().bytes().unwrap_or_default()),
        });
        let mut response =
            HttpResponse::new(200.try_into().expect("a status"), SdkBody::from(body));
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fake").finish_non_exhaustive()
    }
}
