//! Variables of the environment that are close to one of ours: a setting that is misspelt is
//! otherwise passed over without a word.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use clap::Command;
use event_core::Error;
use strsim::osa_distance;

/// The variables of all programs. One of another program is not a misspelt one of this: they often
/// share a file of settings.
pub const SETTINGS: &[&str] = &[
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "BATCH_COMPRESSION",
    "BATCH_MAX_AGE_SECS",
    "BATCH_MAX_BYTES",
    "BATCH_MAX_EVENTS",
    "EVENT_ID_FIELD",
    "EVENT_PARTITION_FIELDS",
    "EVENT_SCHEMA",
    "EVENT_TIME_FIELD",
    "EVENT_TYPE_ATTRIBUTE",
    "EVENT_TYPE_FIELD",
    "HTTP_PORT",
    "LEAST_DAYS_KEPT",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "MAX_HELD_BYTES",
    "MAX_MSGS_PER_BATCH",
    "MAX_PANICS_PER_MSG",
    "MSG_POLL_BACKOFF",
    "MSG_PROCESS_DELAY",
    "OBJECT_LAYOUT",
    "PARTITION_BY",
    "RELIABLE_QUEUE_NAME",
    "S3_PREFIX",
    "SHUTDOWN_GRACE_SECS",
    "STORE_EVENTS_BKT",
    "STORE_EVENTS_BKT_OWNER",
    "TOT_MSGS_TO_PROCESS",
    "TOT_MSGS_TO_PRODUCE",
    "TRIGGER_RANDOM_FAILURES",
    "WAIT_SECS_BETWEEN_MSGS",
];

/// What libraries call what is a setting of ours, as `field`, by the operation that refuses it; an
/// empty one is any.
const FIELDS: &[(&str, &str, &str)] = &[
    ("", "batch.linger", "BATCH_MAX_AGE_SECS"),
    ("", "bucket_name", "STORE_EVENTS_BKT"),
    ("", "bucket_owner", "STORE_EVENTS_BKT_OWNER"),
    ("", "queue_name", "RELIABLE_QUEUE_NAME"),
    ("consumer", "idle_backoff", "MSG_POLL_BACKOFF"),
    ("consumer", "max_bytes", "MAX_HELD_BYTES"),
    ("consumer", "max_panics", "MAX_PANICS_PER_MSG"),
    ("consumer", "pause", "MSG_PROCESS_DELAY"),
    ("consumer", "receive_max", "MAX_MSGS_PER_BATCH"),
    ("consumer", "total", "TOT_MSGS_TO_PROCESS"),
    ("dates", "from", "--from"),
    ("dates", "to", "--to"),
    ("producer", "interval", "WAIT_SECS_BETWEEN_MSGS"),
    ("producer", "total", "TOT_MSGS_TO_PRODUCE"),
    ("replay", "event_type", "--event-type"),
];

/// An error as a user of the programs reads it: fields of the libraries go by the names of the
/// settings.
pub fn in_settings(error: &Error) -> String {
    let mut text = error.to_string();
    let of = |operation: &str| operation.is_empty() || operation == error.operation();
    for (_, field, setting) in FIELDS.iter().filter(|(operation, ..)| of(operation)) {
        text = text.replace(&format!("`{field}`"), setting);
    }
    text
}

/// Names that mean something to others and are one or two letters from ours.
const FOREIGN: &[&str] = &["HTTPS_PORT", "HTTP_HOST", "HTTP_PATH", "HTTP_PORTS"];

/// A variable that is set, and the one that may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misspelt {
    /// As it is in the environment.
    pub name: String,
    /// A setting of this program that is not set.
    pub meant: String,
}

/// The variables of the environment that look like a misspelt setting of this program. It is a
/// guess: a reason for a warning, and never to refuse to start.
pub fn misspelt(
    command: &Command,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<Misspelt> {
    let environment: Vec<_> = environment.into_iter().collect();
    let mut own = BTreeSet::new();
    variables(command, &mut own);
    // Where the right name is set too, the other one is somebody else's.
    own.retain(|own| environment.iter().all(|(name, _)| name != OsStr::new(own)));
    let found = environment.iter().filter_map(|(name, value)| {
        let name = name.to_str().filter(|name| !is_known(name, value))?;
        let close = own.iter().filter(|own| is_close(name, own));
        let meant = close.min_by_key(|own| osa_distance(name, own))?;
        Some(Misspelt { name: name.to_owned(), meant: meant.clone() })
    });
    let mut found: Vec<_> = found.collect();
    found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Warns of those in the environment of this process.
pub fn warn_of_misspelt(command: &Command) {
    for Misspelt { name, meant } in misspelt(command, std::env::vars_os()) {
        tracing::warn!("the variable {name} is not known: did you mean {meant}?");
    }
}

fn variables(command: &Command, own: &mut BTreeSet<String>) {
    let names = command.get_arguments().filter_map(|argument| argument.get_env());
    own.extend(names.filter_map(OsStr::to_str).map(str::to_owned));
    command.get_subcommands().for_each(|below| variables(below, own));
}

/// Whether the variable is somebody's: a setting of another program, or what Kubernetes tells of a
/// [Service](https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables),
/// whose name may be any.
fn is_known(name: &str, value: &OsStr) -> bool {
    SETTINGS.contains(&name)
        || FOREIGN.contains(&name)
        || ["_SERVICE_HOST", "_SERVICE_PORT"].iter().any(|end| name.ends_with(end))
        || ["_SERVICE_PORT_", "_TCP", "_UDP", "_SCTP"].iter().any(|part| name.contains(part))
        || value.to_str().is_some_and(|value| value.contains("://") && !name.contains("URL"))
}

/// Letters that a hand confuses, forgets or swaps.
const SLIPS: usize = 2;

fn is_close(name: &str, own: &str) -> bool {
    let plain = |name: &str| name.replace(['_', '-'], "").to_ascii_uppercase();
    if plain(name) == plain(own) || osa_distance(name, own) <= SLIPS {
        return true;
    }
    // `AWS_ENDPOINT_URL_STS` and their like are those of AWS.
    let of_aws = own.starts_with("AWS_");
    // A part at the end too much, too few or written out: `SHUTDOWN_GRACE`, `STORE_EVENTS_BUCKET`.
    let parts = |name: &str| name.split('_').map(str::to_owned).collect::<Vec<_>>();
    let (name, own) = (parts(name), parts(own));
    let shared = name.iter().zip(&own).take_while(|(a, b)| a == b).count();
    let rest = osa_distance(&name[shared..].join("_"), &own[shared..].join("_"));
    let (few, many) = (name.len().min(own.len()), name.len().max(own.len()));
    !of_aws && shared >= 2 && own.len() >= 3 && (shared == few && many - few == 1 || rest <= 3)
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    /// Each setting of ours that a library can refuse, by what that library says.
    #[test]
    fn fields_of_the_libraries_go_by_the_names_of_the_settings() {
        let said = |operation, text| in_settings(&Error::invalid(operation, text));
        assert_eq!(
            said("consumer", "`receive_max` is 0: give 1 or more"),
            "consumer: MAX_MSGS_PER_BATCH is 0: give 1 or more"
        );
        assert_eq!(said("consumer", "`total` is 0"), "consumer: TOT_MSGS_TO_PROCESS is 0");
        assert_eq!(said("producer", "`total` is 0"), "producer: TOT_MSGS_TO_PRODUCE is 0");
        assert_eq!(
            said("put", "check `bucket_name` and `bucket_owner`, and `total`"),
            "put: check STORE_EVENTS_BKT and STORE_EVENTS_BKT_OWNER, and `total`"
        );
        let settings = FIELDS.iter().map(|(_, _, setting)| *setting);
        let ours = settings.filter(|setting| !setting.starts_with("--"));
        assert!(ours.clone().all(|setting| SETTINGS.contains(&setting)));
        assert_eq!(ours.count(), 12);
    }

    fn told(variables: &[(&str, &str)]) -> Vec<String> {
        let setting = |name: &'static str| Arg::new(name).long(name).env(name);
        let command = Command::new("test").args(SETTINGS.iter().copied().map(setting));
        let environment = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let found = misspelt(&command, environment);
        found.into_iter().map(|found| format!("{} {}", found.name, found.meant)).collect()
    }

    #[test]
    fn a_slip_is_told_with_what_may_be_meant() {
        for (name, meant) in [
            ("LOG_LEVL", "LOG_LEVEL"),
            ("LOGLEVEL", "LOG_LEVEL"),
            ("log_level", "LOG_LEVEL"),
            ("LOG-FORMAT", "LOG_FORMAT"),
            ("STORE_EVENT_BKT", "STORE_EVENTS_BKT"),
            ("STORE_EVENTS_BUCKET", "STORE_EVENTS_BKT"),
            ("STORE_EVENTS_BKT_OWNR", "STORE_EVENTS_BKT_OWNER"),
            ("RELIABLE_QUEUE", "RELIABLE_QUEUE_NAME"),
            ("SHUTDOWN_GRACE", "SHUTDOWN_GRACE_SECS"),
            ("MSG_POLL_BACKOFF_SECS", "MSG_POLL_BACKOFF"),
            ("MAX_MSGS_PER_BACTH", "MAX_MSGS_PER_BATCH"),
            ("TOT_MSG_TO_PROCESS", "TOT_MSGS_TO_PROCESS"),
            ("LG_LEVL", "LOG_LEVEL"),
            ("AWS_REGON", "AWS_REGION"),
            ("AWS_ENDPOINTURL", "AWS_ENDPOINT_URL"),
        ] {
            assert_eq!(told(&[(name, "1")]), [format!("{name} {meant}")]);
        }
    }

    #[test]
    fn names_of_others_are_not_told() {
        for name in [
            "PATH",
            "HOME",
            "HOSTNAME",
            "HTTP_PROXY",
            "HTTPS_PORT",
            "NO_PROXY",
            "S3_BUCKET",
            "LOG_DIR",
            "MAX_MSGS",
            "RUST_LOG",
            "PORT",
            "AWS_DEFAULT_REGION",
            "AWS_PROFILE",
            "AWS_ENDPOINT_URL_SQS",
            "AWS_ENDPOINT_URL_STS",
            "AWS_ROLE_ARN",
            "AWS_CA_BUNDLE",
            "EVENT_CONSUMER_SERVICE_HOST",
            "EVENT_CONSUMER_SERVICE_PORT_HTTP",
            "HTTP_PORT_80_TCP_ADDR",
            "KUBERNETES_PORT",
            "BATCH_MAX_BYTES",
            "LG_LVL",
            "STORE_EVENTS_BUCKETS",
            "HTTP_PORTS",
            "HTTP_HOST",
            "HTTP_PATH",
            "MSG_POLL_BACKOFF_TCP",
            "MSG_POLL_BACKOFF_UDP",
            "MSG_POLL_BACKOFF_SCTP",
        ] {
            assert_eq!(told(&[(name, "1")]), Vec::<String>::new(), "{name}");
        }
        // The Service `log-levels`.
        assert!(told(&[("LOG_LEVELS_PORT", "tcp://10.0.0.1:80")]).is_empty());
        assert!(told(&[("HTTPX_PORT", "tcp://10.0.0.1:80")]).is_empty());
        // A URL is no sign of a Service where one is wanted.
        let url = told(&[("AWS_ENDPOINT_URI", "1"), ("AWS_ENDPOINTURL", "http://a")]);
        assert_eq!(url, ["AWS_ENDPOINTURL AWS_ENDPOINT_URL", "AWS_ENDPOINT_URI AWS_ENDPOINT_URL"]);
    }

    #[test]
    fn all_that_are_misspelt_are_told_in_order() {
        let both = told(&[("S3_PERFIX", "x"), ("LOG_LEVL", "info"), ("HTTP_PROT", "1")]);
        assert_eq!(both, ["HTTP_PROT HTTP_PORT", "LOG_LEVL LOG_LEVEL", "S3_PERFIX S3_PREFIX"]);
    }

    #[test]
    fn where_the_right_name_is_set_the_other_is_somebody_elses() {
        assert!(told(&[("LOGLEVEL", "1"), ("LOG_LEVEL", "info")]).is_empty());
    }
}
