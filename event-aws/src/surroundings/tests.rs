//! Environments and files of profiles that are made up.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const HOME: (&str, &str) = ("HOME", "/home/me");

async fn read(variables: &[(&str, &str)], profiles: &str) -> Result<Surroundings> {
    let env = Env::from_slice(&[variables, &[HOME]].concat());
    Surroundings::read(env, Fs::from_slice(&[("/home/me/.aws/config", profiles)])).await
}

async fn s3(variables: &[(&str, &str)], profiles: &str, given: Option<&str>) -> Option<String> {
    read(variables, profiles).await.unwrap().endpoint(S3, given).unwrap()
}

const PROFILES: &str = "
[default]
region = eu-west-1
services = local
endpoint_url = http://profile
[profile blank]
endpoint_url =
services = blank
[profile role]
role_arn = arn:aws:iam::123456789012:role/a
source_profile = nobody
[profile token]
role_arn = a
web_identity_token_file = /nowhere
[profile process]
credential_process = /bin/false
[profile chained]
source_profile = default
[services local]
s3 =
  endpoint_url = http://services
[services blank]
s3 =
  endpoint_url =
";

#[tokio::test]
async fn the_nearest_endpoint_that_is_not_blank_counts() {
    let [own, any] = [("AWS_ENDPOINT_URL_S3", "http://own"), ("AWS_ENDPOINT_URL", "http://any")];
    let given = Some("http://given");
    for (variables, given, found) in [
        (&[own, any][..], given, "http://own"),
        (&[any], given, "http://given"),
        (&[any], None, "http://any"),
        (&[], None, "http://services"),
        (&[("AWS_ENDPOINT_URL_S3", ""), any], None, "http://any"),
        (&[("AWS_ENDPOINT_URL_S3", " "), ("AWS_ENDPOINT_URL", "\n")], None, "http://services"),
    ] {
        assert_eq!(s3(variables, PROFILES, given).await.as_deref(), Some(found), "{variables:?}");
    }
    let blank = [("AWS_PROFILE", "blank"), ("AWS_ENDPOINT_URL", "")];
    assert_eq!(s3(&blank, PROFILES, None).await, None);
    let ignored = [own, any, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")];
    assert_eq!(s3(&ignored, PROFILES, None).await, None);
    assert_eq!(s3(&ignored, PROFILES, given).await.as_deref(), given);
    let of_profile = "[default]\nignore_configured_endpoint_urls = TRUE\nendpoint_url = http://a";
    assert_eq!(s3(&[own, any], of_profile, None).await, None);
    // The variable goes before the profile.
    let heeded = [own, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false")];
    assert_eq!(s3(&heeded, of_profile, None).await.as_deref(), Some("http://own"));
    let sqs = read(&[], PROFILES).await.unwrap().endpoint(SQS, None).unwrap();
    assert_eq!(sqs.as_deref(), Some("http://profile"));
}

#[tokio::test]
async fn a_blank_profile_is_the_default_one() {
    for name in ["", " ", "default\n"] {
        let surroundings = read(&[("AWS_PROFILE", name)], PROFILES).await.unwrap();
        let region = surroundings.region(None).unwrap().unwrap();
        assert_eq!((surroundings.profile(), region.as_ref()), ("default", "eu-west-1"));
    }
}

#[tokio::test]
async fn a_region_is_taken_from_the_nearest_place_and_named_by_it() {
    let variables = [("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "us-west-2\n")];
    let region = read(&variables, PROFILES).await.unwrap().region(None).unwrap().unwrap();
    assert_eq!(region.as_ref(), "us-west-2");
    let both = [("AWS_DEFAULT_REGION", "us-west-2"), ("AWS_REGION", "us-east-2")];
    for (variables, given, nearest) in [
        (&both[..], Some("ca-west-1"), "ca-west-1"),
        (&both, None, "us-east-2"),
        (&both[..1], None, "us-west-2"),
        (&[], None, "eu-west-1"),
    ] {
        let region = read(variables, PROFILES).await.unwrap().region(given).unwrap().unwrap();
        assert_eq!(region.as_ref(), nearest, "{variables:?}");
    }
    assert_eq!(read(&[], "[default]\nregion =").await.unwrap().region(None).unwrap(), None);
    for (variables, profiles, text) in [
        (
            &[("AWS_REGION", "us-east-1a")][..],
            "",
            "AWS_REGION is \"us-east-1a\", which is a zone: give its region us-east-1",
        ),
        (&[("AWS_DEFAULT_REGION", "us east")], "", "AWS_DEFAULT_REGION is"),
        (&[("AWS_REGION", "US-East-1")], "", "give us-east-1"),
        (&[], "[default]\nregion = eu/west", "the region of the profile \"default\" is"),
    ] {
        let error = read(variables, profiles).await.unwrap().region(None).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn other_places_have_regions_of_other_forms() {
    let long = "r".repeat(63);
    let others = ["us-gov-west-1", "auto", "garage", "nyc3", "fr-par", "lab-dc-3b", "ab-3c"];
    for region in others.into_iter().chain(["us-east-a", "us-east-1ab", &long]) {
        assert!(check_region("AWS_REGION", region).is_ok(), "{region}");
    }
    for (zone, of) in [("us-gov-west-1a", "us-gov-west-1"), ("eu-central-12f", "eu-central-12")] {
        let error = check_region("AWS_REGION", zone).unwrap_err().to_string();
        assert!(error.ends_with(&format!("give its region {of}")), "{error}");
    }
    for none in ["r".repeat(64), "us_east_1".to_owned(), "\u{fc}s-east-1".to_owned()] {
        let error = check_region("AWS_REGION", &none).unwrap_err().to_string();
        assert!(error.contains("which is not a region"), "{error}");
    }
    assert!(check_region("AWS_REGION", "").unwrap_err().to_string().contains("set AWS_REGION"));
}

#[tokio::test]
async fn what_an_endpoint_cannot_have_is_refused() {
    let own = ("AWS_ENDPOINT_URL", "http://own");
    let [of_sqs, of_s3] =
        [("AWS_ENDPOINT_URL_SQS", "http://sqs"), ("AWS_ENDPOINT_URL_S3", "http://s3")];
    let fips = ("AWS_USE_FIPS_ENDPOINT", "true");
    let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token");
    for (variables, profiles, text) in [
        (&[own, ("AWS_USE_DUALSTACK_ENDPOINT", "true")][..], "", "AWS_USE_DUALSTACK_ENDPOINT"),
        (&[own], "[default]\nuse_fips_endpoint = true", "FIPS"),
        (&[of_sqs, fips], "", "FIPS, and http://sqs is given"),
        (&[of_s3, fips], "", "FIPS, and http://s3 is given"),
        (&[of_sqs], "[default]\nuse_dualstack_endpoint = true", "dual stack, and http://sqs is"),
        (&[token, ("AWS_ENDPOINT_URL", "")], "", "AWS_ENDPOINT_URL is empty"),
        (
            &[("AWS_PROFILE", "a")],
            "[profile a]\nrole_arn = x\nendpoint_url =",
            "profile \"a\" is empty",
        ),
        (&[("AWS_ENDPOINT_URL_STS", "sts")], "", "AWS_ENDPOINT_URL_STS is \"sts\""),
        (
            &[("AWS_ENDPOINT_URL_STS", " ")],
            "[default]\nweb_identity_token_file = /token",
            "AWS_ENDPOINT_URL_STS is empty",
        ),
        // One key alone goes before nothing.
        (
            &[token, ("AWS_ENDPOINT_URL", ""), ("AWS_ACCESS_KEY_ID", "a")],
            "",
            "AWS_ENDPOINT_URL is empty",
        ),
    ] {
        let surroundings = read(variables, profiles).await.unwrap();
        let error = surroundings.check_endpoints(None).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    let [id, key] = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let blank = ("AWS_ENDPOINT_URL", "");
    let sts = ("AWS_ENDPOINT_URL_STS", "http://sts");
    for variables in [
        &[own][..],
        &[own, token],
        &[blank],
        &[blank, token, id, key],
        &[blank, token, sts],
        &[fips],
    ] {
        assert!(read(variables, "").await.unwrap().check_endpoints(None).is_ok(), "{variables:?}");
    }
    let given = read(&[fips], "").await.unwrap().check_endpoints(Some("http://given"));
    assert!(given.unwrap_err().to_string().contains("http://given is given"));
}

#[tokio::test]
async fn what_was_meant_to_give_credentials_is_named() {
    for (variables, text) in [
        (
            &[("AWS_ACCESS_KEY_ID", "a")][..],
            "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not",
        ),
        (
            &[("AWS_SECRET_ACCESS_KEY", "a")],
            "AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not",
        ),
        (&[("AWS_ROLE_ARN", "a")], "AWS_ROLE_ARN is set and AWS_WEB_IDENTITY_TOKEN_FILE is not"),
        (
            &[("AWS_ROLE_ARN", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", " ")],
            "AWS_ROLE_ARN is set and AWS_WEB_IDENTITY_TOKEN_FILE is not",
        ),
        (
            &[("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nowhere")],
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE is \"/nowhere\", which cannot be read",
        ),
        (
            &[("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")],
            "AWS_SHARED_CREDENTIALS_FILE is \"/nowhere\", which cannot be read",
        ),
        (
            &[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/a")],
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is \"/a\"",
        ),
        (&[("AWS_PROFILE", "token")], "\"token\" is \"/nowhere\", which cannot be read"),
        (&[("AWS_PROFILE", "process")], "the profile \"process\" has a credential_process"),
        (&[("AWS_PROFILE", "nobody")], "AWS_PROFILE is \"nobody\""),
        (&[("AWS_PROFILE", "role")], "the source_profile \"nobody\""),
        (
            &[("AWS_CONFIG_FILE", "/nowhere")],
            "AWS_CONFIG_FILE is \"/nowhere\", which cannot be read",
        ),
        (
            &[("AWS_ROLE_ARN", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")],
            "\"/token\", which cannot",
        ),
        (
            &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://me:hunter2@a")],
            "_FULL_URI is \"http://…@a\"",
        ),
    ] {
        let found = read(variables, PROFILES).await.unwrap().suspects().await;
        assert!(matches!(&found[..], [one] if one.contains(text)), "{found:?}");
    }
    for name in ["default", "chained"] {
        let sound = read(&[("AWS_PROFILE", name)], PROFILES).await.unwrap();
        assert_eq!(sound.suspects().await, Vec::<String>::new(), "{name}");
    }
    // A token that is not there is named beside the role that is not.
    let lonely = read(&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")], "").await.unwrap();
    let lonely = lonely.suspects().await;
    assert!(lonely.len() == 2 && lonely[0].contains("AWS_ROLE_ARN is not"), "{lonely:?}");
    let env = [("AWS_ROLE_ARN", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")];
    for (content, faults) in [("", 1), (" \n", 1), ("token\n", 0)] {
        let fs = Fs::from_slice(&[("/token", content)]);
        let found = Surroundings::read(Env::from_slice(&env), fs).await.unwrap().suspects().await;
        assert_eq!(found.len(), faults, "{found:?}");
        assert!(found.iter().all(|fault| fault.ends_with("which is empty")), "{found:?}");
    }
    let error = read(&[], "[default\n").await.unwrap_err().to_string();
    assert!(error.contains("/home/me/.aws/config") && error.contains("line 1"), "{error}");
}

/// Names that are read here and by the SDK.
const NAMES: [&str; 12] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CONFIG_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec!["", " ", "\n", "true", "a", "http://", "http://a", "HTTP://b/c", "us-east-1", "us-east-1a", "http://u:hunter2@a", "\u{0}", "é", "role"]).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "https?://[a-z0-9.:@/?#\\[\\]_-]{0,30}",
    ]
}

fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "endpoint_url",
        "services",
        "region",
        "role_arn",
        "source_profile",
        "use_fips_endpoint",
        "[profile a]",
        "[services a]",
        "[default]",
        "s3",
        "  endpoint_url",
        "web_identity_token_file",
        "[",
        "#",
    ]);
    (key, prop::option::of(value())).prop_map(|(key, value)| match value {
        Some(value) => format!("{key} = {value}"),
        None => key.to_owned(),
    })
}

proptest! {
    /// No text of any of them makes a panic, and what is refused is told in one line without a
    /// password.
    #[test]
    fn nothing_that_is_set_makes_a_panic(
        values in prop::collection::vec(prop::option::of(value()), NAMES.len()),
        lines in prop::collection::vec(line(), 0..12),
    ) {
        let values = NAMES.iter().zip(&values);
        let set = values.filter_map(|(name, value)| Some(((*name).to_owned(), value.clone()?)));
        let mut set: HashMap<String, String> = set.collect();
        set.insert(HOME.0.to_owned(), HOME.1.to_owned());
        let fs = Fs::from_slice(&[("/home/me/.aws/config", &lines.join("\n")), ("a", "token")]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let faults = runtime.block_on(async {
            let surroundings = match Surroundings::read(set.into(), fs).await {
                Ok(surroundings) => surroundings,
                Err(error) => return vec![error.to_string()],
            };
            let mut faults = surroundings.suspects().await;
            faults.extend(surroundings.region(None).err().map(|error| error.to_string()));
            faults.extend(surroundings.check_endpoints(None).err().map(|error| error.to_string()));
            match surroundings.endpoint(S3, None) {
                // A path may have any.
                Ok(url) => assert!(url.is_none_or(|url| {
                    url.split('/').nth(2).is_some_and(|host| !host.is_empty() && !host.contains('@'))
                })),
                Err(error) => faults.push(error.to_string()),
            }
            faults
        });
        for fault in faults {
            prop_assert!(!fault.contains("hunter2"), "{fault}");
            prop_assert!(!fault.contains(char::is_control), "{fault:?}");
        }
    }
}
