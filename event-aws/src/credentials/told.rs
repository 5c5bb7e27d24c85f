//! What is told of credentials that are not there.

use std::collections::VecDeque;

use aws_types::os_shim_internal::{Env, Fs};

use super::tests::Warnings;
use super::*;

/// A provider that answers these in turn.
#[derive(Debug)]
struct Answers(Mutex<VecDeque<provider::Result>>);

impl ProvideCredentials for Answers {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let answer = self.0.lock().unwrap().pop_front().expect("asked beyond the script");
            if answer.is_err() {
                tracing::warn!("the provider failed, and here is every cause of it");
            }
            answer
        })
    }
}

fn keeping(answers: Vec<provider::Result>, asked_in: Option<Surroundings>) -> KeepValid {
    let provider = SharedCredentialsProvider::new(Answers(Mutex::new(answers.into())));
    KeepValid::new(provider, SharedTimeSource::default(), asked_in)
}

#[tokio::test]
async fn what_is_at_fault_is_told_and_the_kind_of_the_error_stays() {
    use CredentialsError::{InvalidConfiguration, ProviderError};
    const SUSPECT: &str = "AWS_ROLE_ARN is set and AWS_WEB_IDENTITY_TOKEN_FILE is not";
    let role = [("AWS_ROLE_ARN", "a")];
    let asked_in = async |variables: &[(&str, &str)]| {
        Surroundings::read(Env::from_slice(variables), Fs::from_slice(&[])).await.unwrap()
    };
    let error = async |answer, asked_in| {
        keeping(vec![Err(answer)], Some(asked_in)).credentials().await.unwrap_err()
    };
    let none = error(CredentialsError::not_loaded("all places"), asked_in(&role).await).await;
    assert!(matches!(none, InvalidConfiguration(_)), "{none:?}");
    // Of all places where there are none, none is at fault.
    assert_eq!(causes(&none), SUSPECT);
    let wrong = CredentialsError::invalid_configuration("a bad file");
    let wrong = error(wrong, asked_in(&role).await).await;
    assert!(matches!(wrong, InvalidConfiguration(_)), "{wrong:?}");
    assert_eq!(causes(&wrong), format!("a bad file; {SUSPECT}"));
    let away = CredentialsError::provider_error("the agent is away");
    let away = error(away, asked_in(&role).await).await;
    assert!(matches!(away, ProviderError(_)), "{away:?}");
    assert_eq!(causes(&away), format!("the agent is away; {SUSPECT}"));
    // Where nothing was meant to give any, the error says all there is to say.
    let none = error(CredentialsError::not_loaded("all places"), asked_in(&[]).await).await;
    assert!(matches!(none, CredentialsError::CredentialsNotLoaded(_)), "{none:?}");
}

/// The warning of one outage says nothing of the next.
#[tokio::test]
async fn the_chain_warns_again_once_there_were_credentials() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let fail = || Err(CredentialsError::provider_error("the agent is away"));
    // They have expired before they are needed again.
    let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let give = Ok(Credentials::new("id", "secret-of-mine", None, Some(past), "test"));
    let keep = keeping(vec![fail(), fail(), give, fail(), fail()], None);
    let mut told = Vec::new();
    for _ in 0..5 {
        let _ = keep.credentials().await;
        told.push(warnings.0.load(Ordering::Relaxed));
    }
    assert_eq!(told, [1, 1, 1, 2, 2]);
}
