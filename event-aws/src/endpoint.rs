//! Where the bucket is, found once.

use std::sync::OnceLock;

use aws_sdk_s3::config::endpoint::{
    DefaultResolver, Endpoint, EndpointFuture, Params, ResolveEndpoint,
};

/// For a client that does one kind of call on one bucket: nothing but the key differs between its
/// requests, and no rule of S3's endpoints looks at a key. The SDK remembers the endpoint of the
/// last request too, but by all parameters, so that each put would go through some hundred rules.
#[derive(Debug, Default)]
pub(crate) struct OneBucket {
    rules: DefaultResolver,
    found: OnceLock<(Option<String>, Endpoint)>,
}

impl ResolveEndpoint for OneBucket {
    fn resolve_endpoint<'a>(&'a self, params: &'a Params) -> EndpointFuture<'a> {
        if let Some((bucket, endpoint)) = self.found.get()
            && bucket.as_deref() == params.bucket()
        {
            return EndpointFuture::ready(Ok(endpoint.clone()));
        }
        EndpointFuture::new(async {
            let endpoint = self.rules.resolve_endpoint(params).await?;
            // Of two at once the first is kept; they are alike.
            let _ = self.found.set((params.bucket().map(str::to_owned), endpoint.clone()));
            Ok(endpoint)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn endpoint(resolver: &OneBucket, bucket: Option<&str>, key: &str) -> String {
        let params = Params::builder().region("eu-west-1").key(key);
        let params = params.set_bucket(bucket.map(str::to_owned)).build().unwrap();
        resolver.resolve_endpoint(&params).await.unwrap().url().to_owned()
    }

    #[tokio::test]
    async fn the_endpoint_is_that_of_the_bucket_whatever_the_key() {
        let resolver = OneBucket::default();
        for key in ["a", "b", "c/d"] {
            let found = endpoint(&resolver, Some("events"), key).await;
            assert_eq!(found, "https://events.s3.eu-west-1.amazonaws.com");
        }
        // Not what it is for, and right all the same.
        let other = endpoint(&resolver, Some("others"), "a").await;
        assert_eq!(other, "https://others.s3.eu-west-1.amazonaws.com");
        assert_eq!(endpoint(&resolver, None, "a").await, "https://s3.eu-west-1.amazonaws.com");
        let again = endpoint(&resolver, Some("events"), "a").await;
        assert_eq!(again, "https://events.s3.eu-west-1.amazonaws.com");
    }
}
