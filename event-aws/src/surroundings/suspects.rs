//! What was meant to give credentials and cannot.

use super::Surroundings;
use crate::url::shown;

impl Surroundings {
    /// What is at fault where there are no credentials: each variable, profile or file that was
    /// meant to give some and cannot. Empty if nothing was meant to.
    pub(crate) async fn suspects(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (one, other) in [
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
            ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
            ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        ] {
            if self.set(one).is_some() && self.set(other).is_none() {
                found.push(format!("{one} is set and {other} is not"));
            }
        }
        for variable in [
            "AWS_CONFIG_FILE",
            "AWS_SHARED_CREDENTIALS_FILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ] {
            if let Some(file) = self.set(variable) {
                found.extend(self.unreadable(variable, &file).await);
            }
        }
        for variable in
            ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
        {
            if let Ok(uri) = self.env.get(variable) {
                found.push(format!("{variable} is {:?}", shown(&uri)));
            }
        }
        let name = shown(self.profile());
        match self.profile.get_profile(self.profile()) {
            None if self.set("AWS_PROFILE").is_some() => {
                found.push(format!(
                    "AWS_PROFILE is {name:?}, and no file has a profile of that name"
                ));
            }
            None => {}
            Some(profile) => {
                if let Some(source) = profile.get("source_profile")
                    && self.profile.get_profile(source).is_none()
                {
                    found.push(format!(
                        "the profile {name:?} has the source_profile {:?}, which is in no file",
                        shown(source)
                    ));
                }
                if let Some(file) = profile.get("web_identity_token_file") {
                    let what = format!("web_identity_token_file of the profile {name:?}");
                    found.extend(self.unreadable(&what, file).await);
                }
                if profile.get("credential_process").is_some() {
                    found.push(format!("the profile {name:?} has a credential_process"));
                }
            }
        }
        found
    }

    async fn unreadable(&self, what: &str, file: &str) -> Option<String> {
        let read = self.fs.read_to_end(file).await;
        let file = shown(file);
        match read {
            Ok(bytes) if bytes.trim_ascii().is_empty() => {
                Some(format!("{what} is {file:?}, which is empty"))
            }
            Ok(_) => None,
            Err(error) => Some(format!("{what} is {file:?}, which cannot be read: {error}")),
        }
    }
}
