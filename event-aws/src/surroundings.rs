//! What the environment and the profile say of AWS, held against what the SDK can bear: of some
//! values it makes a panic, of others an error long after the start.

mod suspects;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use aws_config::profile::{self, ProfileSet};
use aws_config::{Region, SdkConfig};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_runtime::env_config::property::PropertiesKey;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use event_core::{Error, Result};

use crate::error::{causes, one_line};
use crate::url::{self, shown};

/// An error of a setting.
pub(crate) fn wrong(what: impl Into<String>) -> Error {
    Error::invalid("configure", what.into())
}

/// The environment and the files that the SDK reads too.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    env: Env,
    fs: Fs,
    profile: ProfileSet,
}

/// A service by its name in variables, and in the `services` section of a profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    variable: &'static str,
    section: &'static str,
}

pub(crate) const SQS: Service = Service { variable: "AWS_ENDPOINT_URL_SQS", section: "sqs" };
pub(crate) const S3: Service = Service { variable: "AWS_ENDPOINT_URL_S3", section: "s3" };
pub(crate) const CLOUDWATCH: Service =
    Service { variable: "AWS_ENDPOINT_URL_CLOUDWATCH", section: "cloudwatch" };
/// Asked for the credentials of a role.
const STS: Service = Service { variable: "AWS_ENDPOINT_URL_STS", section: "sts" };

const ANY_SERVICE: &str = "AWS_ENDPOINT_URL";
const ENDPOINT_KEY: &str = "endpoint_url";

impl Surroundings {
    /// Those of this process.
    ///
    /// # Errors
    ///
    /// `Invalid` if a file of profiles is not in the form of one, or a variable of AWS no text.
    pub(crate) async fn of_this_process() -> Result<Self> {
        for (name, value) in std::env::vars_os() {
            if let Some(name) = name.to_str().filter(|name| name.starts_with("AWS_"))
                && value.to_str().is_none()
            {
                return Err(wrong(format!("{name} is not text: it has bytes that are not UTF-8")));
            }
        }
        Self::read(Env::real(), Fs::real()).await
    }

    pub(crate) async fn read(env: Env, fs: Fs) -> Result<Self> {
        let name = set(&env, "AWS_PROFILE").map(Cow::Owned).unwrap_or(Cow::Borrowed("default"));
        let profile = profile::load(&fs, &env, &EnvConfigFiles::default(), Some(name)).await;
        // It names the file and the line.
        let profile = profile.map_err(|error| wrong(one_line(&causes(&error))))?;
        Ok(Self { env, fs, profile })
    }

    fn profile(&self) -> &str {
        self.profile.selected_profile()
    }

    /// The name of the profile where a variable has one, which the SDK would take as it is, blank
    /// or not.
    pub(crate) fn profile_of_variable(&self) -> Option<&str> {
        self.env.get("AWS_PROFILE").is_ok().then(|| self.profile())
    }

    /// A variable that is set; one that is blank is none.
    fn set(&self, name: &str) -> Option<String> {
        set(&self.env, name)
    }

    /// A key of the profile that has a value.
    fn key(&self, key: &str) -> Option<&str> {
        self.profile.get(key).map(str::trim).filter(|value| !value.is_empty())
    }

    /// The region, `given` or as the SDK looks for it; none leaves it to the instance to tell.
    ///
    /// # Errors
    ///
    /// `Invalid` if it has not the form of one.
    pub(crate) fn region(&self, given: Option<&str>) -> Result<Option<Region>> {
        let variable = |name| Some((Cow::Borrowed(name), self.set(name)?));
        let of_profile = || {
            let source = format!("the region of the profile {:?}", shown(self.profile()));
            Some((Cow::Owned(source), self.key("region")?.to_owned()))
        };
        let given = given.map(|region| (Cow::Borrowed("AWS_REGION"), region.to_owned()));
        let found = given
            .or_else(|| variable("AWS_REGION"))
            .or_else(|| variable("AWS_DEFAULT_REGION"))
            .or_else(of_profile);
        let Some((source, region)) = found else { return Ok(None) };
        check_region(&source, &region)?;
        Ok(Some(Region::new(region)))
    }

    /// Where a service is, if not at AWS: by its own variable, as `given`, by the variable of all,
    /// by the `services` section of the profile, by the profile.
    ///
    /// # Errors
    ///
    /// `Invalid` if that is no URL.
    pub(crate) fn endpoint(&self, service: Service, given: Option<&str>) -> Result<Option<String>> {
        let found = self.configured(service, given).into_iter();
        let mut set = found.filter(|(_, url)| !url.trim().is_empty());
        set.next().map(|(source, url)| url::endpoint(&source, &url)).transpose()
    }

    /// What is said of it, the first of which counts; among it what is blank.
    fn configured(&self, service: Service, given: Option<&str>) -> Vec<(String, String)> {
        let given = given.map(|url| (ANY_SERVICE.to_owned(), url.to_owned()));
        if self.flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls") {
            return given.into_iter().collect();
        }
        let variable = |name: &str| Some((name.to_owned(), self.env.get(name).ok()?));
        let profile = shown(self.profile());
        let of_services = || {
            let services = self.key("services")?;
            let key = PropertiesKey::builder()
                .section_key("services")
                .section_name(services)
                .property_name(service.section)
                .sub_property_name(ENDPOINT_KEY)
                .build()
                .ok()?;
            let url = self.profile.other_sections().get(&key)?;
            Some((
                format!("{ENDPOINT_KEY} of {} in {:?}", service.section, shown(services)),
                url.clone(),
            ))
        };
        let of_profile = || {
            let url = self.profile.get(ENDPOINT_KEY)?;
            Some((format!("{ENDPOINT_KEY} of the profile {profile:?}"), url.to_owned()))
        };
        [variable(service.variable), given, variable(ANY_SERVICE), of_services(), of_profile()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Whether the credentials are those of a role, as far as that is told.
    fn asks_for_a_role(&self) -> bool {
        let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        let role =
            ["role_arn", "web_identity_token_file"].iter().any(|key| self.key(key).is_some());
        (role || self.set("AWS_WEB_IDENTITY_TOKEN_FILE").is_some())
            // These go before any role.
            && !keys.iter().all(|key| self.set(key).is_some())
    }

    /// A switch: a variable, or else a key of the profile.
    fn flag(&self, variable: &str, key: &str) -> bool {
        let value = self.set(variable).or_else(|| self.key(key).map(str::to_owned));
        value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Refuses what no endpoint of one's own can be had with, or none of a role's credentials.
    ///
    /// # Errors
    ///
    /// `Invalid`, with the variable or the key to unset.
    pub(crate) fn check_endpoints(&self, given: Option<&str>) -> Result<()> {
        let mut own = None;
        for service in [SQS, S3] {
            own = self.endpoint(service, given)?.or(own);
        }
        for (variable, key, what) in [
            ("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint", "dual stack"),
            ("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", "FIPS"),
        ] {
            if let Some(own) = &own
                && self.flag(variable, key)
            {
                return Err(wrong(format!(
                    "{variable} (or {key} of the profile) asks AWS for an endpoint with {what}, and \
                     {own} is given: unset one of them"
                )));
            }
        }
        self.endpoint(STS, None)?;
        // The SDK would take the blank one, and panic, each time that it asks for the credentials.
        let first = self.configured(STS, None).into_iter().next();
        match first.filter(|(_, url)| url.trim().is_empty() && self.asks_for_a_role()) {
            Some((source, _)) => {
                let what = "is empty, and the credentials of a role cannot be asked for so";
                Err(wrong(format!("{source} {what}: unset it")))
            }
            None => Ok(()),
        }
    }
}

fn set(env: &Env, name: &str) -> Option<String> {
    let value = env.get(name).ok()?;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// Its form alone: only a request tells whether there is such a region.
pub(crate) fn check_region(source: &str, region: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let lower = region.to_ascii_lowercase();
    if region.is_empty() {
        return Err(wrong("there is no region: set AWS_REGION, for example to us-east-1"));
    }
    if !lower.bytes().all(allowed) || region.len() > 63 {
        return Err(wrong(format!(
            "{source} is {:?}, which is not a region: give one such as us-east-1",
            shown(region)
        )));
    }
    if region != lower {
        return Err(wrong(format!("{source} is {region:?}: give {lower}")));
    }
    if let Some(of) = zone(region) {
        return Err(wrong(format!(
            "{source} is {region:?}, which is a zone: give its region {of}"
        )));
    }
    Ok(())
}

/// The region of an availability zone, such as `us-east-1a`.
fn zone(name: &str) -> Option<&str> {
    let of = name.strip_suffix(|c: char| c.is_ascii_lowercase())?;
    let (area, number) = of.rsplit_once('-')?;
    let mut parts = area.split('-');
    let is_area = parts.next()?.len() == 2 && parts.next().is_some();
    (is_area && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some(of)
}

/// The settings of services as the SDK finds them, but for endpoints, which were looked for here.
pub(crate) struct WithoutEndpoints(pub(crate) SdkConfig);

impl LoadServiceConfig for WithoutEndpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        if key.profile() == ENDPOINT_KEY {
            return None;
        }
        let value = self.0.service_config()?.load_config(key)?;
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for WithoutEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WithoutEndpoints")
    }
}
