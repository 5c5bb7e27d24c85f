//! What requests say of who sends them.

use aws_runtime::user_agent::UserAgentInterceptor;
use aws_sdk_s3::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::{disable_interceptor, dyn_dispatch_hint};

/// One text for all requests, in place of the two headers of the SDK: it puts them together anew
/// for each request, and signs one of them, which is a twelfth of what a put costs.
#[derive(Debug)]
pub(crate) struct UserAgent;

const TEXT: &str = concat!("event-processor/", env!("CARGO_PKG_VERSION"), " aws-sdk-rust");

#[dyn_dispatch_hint]
impl Intercept for UserAgent {
    fn name(&self) -> &'static str {
        "user agent"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let disabled = disable_interceptor::<UserAgentInterceptor>("there is one text for all");
        config.interceptor_state().store_put(disabled);
        Ok(())
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().headers_mut().insert("user-agent", TEXT);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use event_core::ObjectStore;

    use super::*;
    use crate::S3Store;
    use crate::script::Script;

    #[tokio::test]
    async fn requests_say_what_they_come_from_and_nothing_of_the_machine() {
        let script = Script::new(&[(200, ""), (200, "{}")]);
        let aws = script.aws();
        S3Store::new(&aws, "events").head("a").await.unwrap();
        aws.sqs().list_queues().send().await.unwrap();
        for request in script.requests() {
            let agents: Vec<_> =
                request.headers.iter().filter(|(name, _)| name.contains("agent")).collect();
            assert_eq!(agents, [&("user-agent".to_owned(), TEXT.to_owned())]);
        }
        assert!(TEXT.starts_with("event-processor/0."));
    }
}
