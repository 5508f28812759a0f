//! Where AWS credentials come from. Kind: edge (reads the files of `~/.aws`). Spec: STO.
//!
//! Order: keys given or in the environment, a named profile, web identity, container, the default profile, the machine's metadata.
//! Invariant: a credential is never printed.

use super::profile::{Kind, Profiles};
use crate::error::{Code, Error, Result};
use crate::storage::options::{Settings, StorageOptions};
use object_store::aws::AwsCredential;
use std::path::Path;
use std::sync::Arc;

/// How many profiles may lead to each other.
const CHAIN_MAX: usize = 8;

/// Where a credential comes from.
pub(super) enum Source {
    /// object_store reads the settings: static keys, container, the machine's metadata.
    Store,
    Keys(Arc<AwsCredential>),
    WebIdentity(WebIdentity),
    Process(String),
    Role(Box<Role>),
    /// Nowhere, and asking the machine's metadata is forbidden.
    Nowhere,
}

pub(super) struct Role {
    pub arn: String,
    pub session: String,
    pub external_id: Option<String>,
    pub seconds: u32,
    pub base: Source,
}

/// A role that is granted for a token which somebody else keeps fresh in a file.
pub(super) struct WebIdentity {
    pub token_file: String,
    pub arn: String,
    pub session: String,
}

/// Decides where credentials come from; fills in the region (and a web identity) that a profile names.
pub(super) fn choose(settings: &mut Settings, options: &StorageOptions) -> Result<Source> {
    let named = settings.get("aws_profile").map(str::to_owned);
    let has = |settings: &Settings, name: &str| settings.get(name).is_some();
    let complete = has(settings, "aws_access_key_id") || settings.on("aws_skip_signature");
    let session = settings.get("aws_role_session_name").unwrap_or("lakebed").to_owned();
    let web_identity = match (settings.get("aws_web_identity_token_file"), settings.get("aws_role_arn")) {
        (Some(file), Some(arn)) => Some(WebIdentity { token_file: file.to_owned(), arn: arn.to_owned(), session: session.clone() }),
        _ => None,
    };
    let hosted = has(settings, "aws_container_credentials_relative_uri") || has(settings, "aws_container_credentials_full_uri");
    let profiles = read_profiles(settings, options);
    let name = named.clone().unwrap_or_else(|| "default".to_owned());
    if !has(settings, "aws_region")
        && !has(settings, "aws_default_region")
        && let Some(region) = profiles.get(&name, "region")
    {
        settings.values.insert("aws_region", region.to_owned());
    }
    let source = if complete {
        Source::Store
    } else if named.is_some() {
        of_profile(&profiles, &name, options, 0)?
    } else if let Some(identity) = web_identity {
        Source::WebIdentity(identity)
    } else if hosted {
        Source::Store
    } else if let Ok(source) = of_profile(&profiles, "default", options, 0) {
        source
    } else if settings.on("aws_ec2_metadata_disabled") {
        Source::Nowhere
    } else {
        Source::Store
    };
    Ok(match settings.get("aws_iam_role_arn").map(str::to_owned) {
        Some(arn) => Source::Role(Box::new(Role { arn, session, external_id: None, seconds: 3600, base: source })),
        None => source,
    })
}

/// The profiles of both files; a file that is not there holds none.
fn read_profiles(settings: &Settings, options: &StorageOptions) -> Profiles {
    let home = options.variable("HOME").map(|home| Path::new(home).join(".aws"));
    let mut profiles = Profiles::default();
    for (kind, setting, name) in
        [(Kind::Config, "aws_config_file", "config"), (Kind::Credentials, "aws_shared_credentials_file", "credentials")]
    {
        let file = settings.get(setting).map(|f| Path::new(f).to_owned()).or_else(|| Some(home.as_ref()?.join(name)));
        if let Some(text) = file.and_then(|f| std::fs::read_to_string(f).ok()) {
            profiles.read(kind, &text);
        }
    }
    profiles
}

fn of_profile(profiles: &Profiles, name: &str, options: &StorageOptions, depth: usize) -> Result<Source> {
    let wrong = |what: &str| Error::new(Code::STORE_CONFIG, format!("the AWS profile {what}")).with("profile", name);
    if !profiles.has(name) {
        return Err(wrong("does not exist").help("look into ~/.aws/config and ~/.aws/credentials"));
    }
    if depth == CHAIN_MAX {
        return Err(wrong("leads to itself through `source_profile`"));
    }
    let keys = || match (profiles.get(name, "aws_access_key_id"), profiles.get(name, "aws_secret_access_key")) {
        (Some(id), Some(secret)) => Some(AwsCredential {
            key_id: id.to_owned(),
            secret_key: secret.to_owned(),
            token: profiles.get(name, "aws_session_token").map(str::to_owned),
        }),
        _ => None,
    };
    if let Some(arn) = profiles.get(name, "role_arn") {
        let session = profiles.get(name, "role_session_name").unwrap_or("lakebed").to_owned();
        if profiles.get(name, "mfa_serial").is_some() {
            return Err(wrong("asks for a one-time password (`mfa_serial`)").help("fetch a session with the AWS tool and give its keys"));
        }
        if let Some(file) = profiles.get(name, "web_identity_token_file") {
            return Ok(Source::WebIdentity(WebIdentity { token_file: file.to_owned(), arn: arn.to_owned(), session }));
        }
        let base = match (profiles.get(name, "source_profile"), profiles.get(name, "credential_source")) {
            (Some(source), _) if source == name => match keys() {
                Some(keys) => Source::Keys(usable(keys)?),
                None => return Err(wrong("is its own `source_profile` and has no keys")),
            },
            (Some(source), _) => of_profile(profiles, source, options, depth + 1)?,
            (None, Some("Environment")) => match (options.variable("AWS_ACCESS_KEY_ID"), options.variable("AWS_SECRET_ACCESS_KEY")) {
                (Some(id), Some(secret)) => Source::Keys(usable(AwsCredential {
                    key_id: id.to_owned(),
                    secret_key: secret.to_owned(),
                    token: options.variable("AWS_SESSION_TOKEN").map(str::to_owned),
                })?),
                _ => return Err(wrong("takes its keys from the environment, which has none")),
            },
            (None, Some("Ec2InstanceMetadata" | "EcsContainer")) => Source::Store,
            _ => return Err(wrong("has a role but neither `source_profile` nor `credential_source`")),
        };
        let seconds = profiles.get(name, "duration_seconds").and_then(|s| s.parse().ok()).unwrap_or(3600);
        let external_id = profiles.get(name, "external_id").map(str::to_owned);
        return Ok(Source::Role(Box::new(Role { arn: arn.to_owned(), session, external_id, seconds, base })));
    }
    if let Some(keys) = keys() {
        return Ok(Source::Keys(usable(keys)?));
    }
    if let Some(command) = profiles.get(name, "credential_process") {
        return Ok(Source::Process(command.to_owned()));
    }
    Err(match profiles.get(name, "sso_session").or(profiles.get(name, "sso_start_url")) {
        Some(_) => wrong("signs in through SSO, which lakebed cannot")
            .help("name a `credential_process` such as `aws configure export-credentials --profile NAME`"),
        None => wrong("has no credentials").help("it needs keys, a `credential_process` or a `role_arn`"),
    })
}

/// Refuses what cannot stand in a request's header.
pub(super) fn usable(keys: AwsCredential) -> Result<Arc<AwsCredential>> {
    let printable = |s: &str| s.chars().all(|c| c.is_ascii_graphic());
    if !keys.key_id.is_empty() && printable(&keys.key_id) && printable(&keys.secret_key) && keys.token.as_deref().is_none_or(printable) {
        return Ok(Arc::new(keys));
    }
    Err(Error::new(Code::STORE_CONFIG, "an AWS credential holds a character that none may have").help("look for blanks and line breaks"))
}
