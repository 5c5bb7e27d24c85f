//! Credentials are renewed in time, and valid ones outlast a renewal that fails.

#[cfg(test)]
mod tests;
#[cfg(test)]
mod told;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_async::time::SharedTimeSource;
use event_core::retry::Outages;
use event_core::{Error, ErrorKind};
use tokio::time::timeout;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use crate::error::{causes, one_line};
use crate::surroundings::Surroundings;

/// Credentials are renewed when they have so long left. The SDK's 10 s are less than a long poll
/// and its retry take, and leave no time for a second try where the first renewal fails.
const MARGIN: Duration = Duration::from_secs(120);

/// After a renewal that failed, the next is tried so much later, and not with every request.
const AGAIN: Duration = Duration::from_secs(15);

/// How long a renewal may keep requests waiting while there are valid credentials. Without a bound
/// an agent that does not answer costs each request its own time, and the request fails for want
/// of what is at hand.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(5);

const NOT_RENEWED: &str = "credentials were not renewed; those at hand are still valid";

/// The same configuration with a provider that keeps what is valid.
///
/// The cache of the SDK gets no margin of its own: it would add a random half of it to whatever
/// this provider says, and go on with credentials that have really expired.
pub(crate) fn renewed_in_time(sdk: SdkConfig, asked_in: Option<Surroundings>) -> SdkConfig {
    let Some(provider) = sdk.credentials_provider() else { return sdk };
    let time = sdk.time_source().unwrap_or_default();
    let provider = KeepValid::new(provider, time, asked_in);
    sdk.into_builder()
        .credentials_provider(SharedCredentialsProvider::new(provider))
        .identity_cache(IdentityCache::lazy().buffer_time(Duration::ZERO).build())
        .build()
}

/// Hands out what another provider gives, and the last of it again where that fails. The SDK
/// would drop credentials that are still valid, except those of an instance.
///
/// The time of expiry that it claims is when it wants to be asked again.
struct KeepValid {
    provider: SharedCredentialsProvider,
    time: SharedTimeSource,
    /// Where the provider looks, to tell what is at fault.
    asked_in: Option<Surroundings>,
    last: Mutex<Option<Credentials>>,
    /// Whether the last try to have some failed.
    failing: AtomicBool,
    outages: Outages,
}

impl KeepValid {
    fn new(
        provider: SharedCredentialsProvider,
        time: SharedTimeSource,
        asked_in: Option<Surroundings>,
    ) -> Self {
        let (last, failing, outages) = Default::default();
        Self { provider, time, asked_in, last, failing, outages }
    }

    async fn credentials(&self) -> provider::Result {
        let asked = self.ask();
        let renewed = match self.valid() {
            Some(_) => timeout(REFRESH_TIMEOUT, asked)
                .await
                .unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(REFRESH_TIMEOUT))),
            None => asked.await,
        };
        let renewed = renewed.and_then(usable);
        self.failing.store(renewed.is_err(), Ordering::Relaxed);
        let error = match renewed {
            Ok(mut credentials) => {
                *self.last() = Some(credentials.clone());
                if let Some(expiry) = credentials.expiry_mut() {
                    *expiry = renewal(*expiry, self.time.now());
                }
                return Ok(credentials);
            }
            Err(error) => error,
        };
        // They may have expired meanwhile.
        let Some(valid) = self.valid() else { return Err(self.explained(error).await) };
        let why = one_line(&causes(&error));
        let left = valid.expiry().and_then(|end| end.duration_since(self.time.now()).ok());
        let cause = Error::new(ErrorKind::Denied, "credentials", "");
        match self.outages.failed(NOT_RENEWED, &cause, 1) {
            Some(failures) => tracing::warn!(why, ?left, failures, "{NOT_RENEWED}"),
            None => tracing::debug!(why, ?left, "{NOT_RENEWED}"),
        }
        Ok(self.until_asked_again(valid))
    }

    /// The same error with the variables, profiles and files that are at fault.
    async fn explained(&self, error: CredentialsError) -> CredentialsError {
        use CredentialsError::{CredentialsNotLoaded, InvalidConfiguration};
        let Some(asked_in) = &self.asked_in else { return error };
        let suspects = asked_in.suspects().await;
        if suspects.is_empty() {
            return error;
        }
        let suspects = suspects.join("; ");
        match &error {
            // Its cause lists all places where there are none, none of which is at fault.
            CredentialsNotLoaded(_) => CredentialsError::invalid_configuration(suspects),
            InvalidConfiguration(_) => {
                CredentialsError::invalid_configuration(format!("{}; {suspects}", causes(&error)))
            }
            _ => CredentialsError::provider_error(format!("{}; {suspects}", causes(&error))),
        }
    }

    /// Asks the provider, whose chain warns of each link that fails, in lines that quote every
    /// cause. Once is enough: what comes of it is logged here, or by whoever made the request.
    async fn ask(&self) -> provider::Result {
        let asked = self.provider.provide_credentials();
        let quiet = self.failing.load(Ordering::Relaxed)
            && !tracing::enabled!(target: "aws_config", tracing::Level::DEBUG);
        if quiet { asked.with_subscriber(NoSubscriber::new()).await } else { asked.await }
    }

    /// The last credentials, unless they have really expired.
    fn valid(&self) -> Option<Credentials> {
        let now = self.time.now();
        self.last().clone().filter(|last| last.expiry().is_none_or(|expiry| now < expiry))
    }

    fn until_asked_again(&self, mut valid: Credentials) -> Credentials {
        let again = self.time.now() + AGAIN;
        let expiry = valid.expiry_mut();
        *expiry = Some(expiry.map_or(again, |expiry| expiry.min(again)));
        valid
    }

    fn last(&self) -> MutexGuard<'_, Option<Credentials>> {
        // They are replaced as a whole.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Credentials without the line end that a file or a secret may have put behind them. They go into
/// headers, where any other character than those of keys would make the SDK panic.
fn usable(credentials: Credentials) -> provider::Result {
    let (id, key) = (credentials.access_key_id(), credentials.secret_access_key());
    let token = credentials.session_token();
    for (what, value) in [
        ("the access key (AWS_ACCESS_KEY_ID)", Some(id)),
        ("the secret key (AWS_SECRET_ACCESS_KEY)", Some(key)),
        ("the session token (AWS_SESSION_TOKEN)", token),
    ] {
        let Some(value) = value.map(str::trim) else { continue };
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            let what = format!("{what} is empty or has a character that none has: set it anew");
            return Err(CredentialsError::invalid_configuration(what));
        }
    }
    let is_plain = |value: &str| value.trim() == value;
    if is_plain(id) && is_plain(key) && token.is_none_or(is_plain) {
        return Ok(credentials);
    }
    let mut plain = Credentials::builder()
        .access_key_id(id.trim())
        .secret_access_key(key.trim())
        .provider_name("trimmed");
    plain.set_session_token(token.map(|token| token.trim().to_owned()));
    plain.set_expiry(credentials.expiry());
    plain.set_account_id(credentials.account_id().cloned());
    Ok(plain.build())
}

/// When to renew what expires then. Credentials that have less than the margin left from the
/// start are used for a while too, and not renewed with every request.
fn renewal(expiry: SystemTime, now: SystemTime) -> SystemTime {
    let in_time = expiry.checked_sub(MARGIN).unwrap_or(expiry);
    in_time.max(expiry.min(now + AGAIN))
}

impl ProvideCredentials for KeepValid {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        let valid = self.valid().map(|valid| self.until_asked_again(valid));
        valid.or_else(|| self.provider.fallback_on_interrupt())
    }
}

impl fmt::Debug for KeepValid {
    /// Nothing of the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeepValid").finish_non_exhaustive()
    }
}
