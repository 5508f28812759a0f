//! Where AWS credentials come from, and keeping them fresh. Kind: edge. Spec: STO.
//!
//! Order: keys given or in the environment, a named profile, web identity, container, the default profile, the machine's metadata.
//! Invariant: a credential is never printed, and one that expires is replaced five minutes before it does.

use super::http::{allow_loopback, for_store, parse_key, refused};
use super::profile::{Kind, Profiles};
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::storage::failure::redact;
use crate::storage::options::{Settings, StorageOptions};
use async_trait::async_trait;
use futures::future::{BoxFuture, Either, select};
use object_store::aws::{AmazonS3Builder, AwsAuthorizer, AwsCredential, AwsCredentialProvider};
use object_store::client::{HttpConnector, HttpRequest, ReqwestConnector};
use object_store::{ClientOptions, CredentialProvider, RetryConfig};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long before its end a credential is replaced.
const EARLY_MS: i64 = 5 * 60 * 1000;
/// How long a `credential_process` or an STS request may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many bytes such a process or request may answer.
const ANSWER_MAX: u64 = 1 << 20;
/// How many profiles may lead to each other.
const CHAIN_MAX: usize = 8;

/// Where a credential comes from.
pub(super) enum Source {
    /// object_store reads the settings: static keys, web identity, container, the machine's metadata.
    Store,
    Keys(Arc<AwsCredential>),
    Process(String),
    Role(Box<Role>),
    /// Nowhere, and asking the machine's metadata is forbidden.
    Nowhere,
}

pub(super) struct Role {
    arn: String,
    session: String,
    external_id: Option<String>,
    seconds: u32,
    base: Source,
}

/// Decides where credentials come from; fills in the region (and a web identity) that a profile names.
pub(super) fn choose(settings: &mut Settings, options: &StorageOptions) -> Result<Source> {
    let named = settings.get("aws_profile").map(str::to_owned);
    let has = |settings: &Settings, name: &str| settings.get(name).is_some();
    let complete = has(settings, "aws_access_key_id") || settings.on("aws_skip_signature");
    let hosted = (has(settings, "aws_web_identity_token_file") && has(settings, "aws_role_arn"))
        || has(settings, "aws_container_credentials_relative_uri")
        || has(settings, "aws_container_credentials_full_uri");
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
        of_profile(&profiles, &name, settings, options, 0)?
    } else if hosted {
        Source::Store
    } else if profiles.has("default") && of_profile(&profiles, "default", settings, options, 0).is_ok() {
        of_profile(&profiles, "default", settings, options, 0)?
    } else if settings.on("aws_ec2_metadata_disabled") {
        Source::Nowhere
    } else {
        Source::Store
    };
    Ok(match settings.get("aws_iam_role_arn").map(str::to_owned) {
        Some(arn) => Source::Role(Box::new(Role {
            arn,
            session: settings.get("aws_role_session_name").unwrap_or("lakebed").to_owned(),
            external_id: None,
            seconds: 3600,
            base: source,
        })),
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

fn of_profile(profiles: &Profiles, name: &str, settings: &mut Settings, options: &StorageOptions, depth: usize) -> Result<Source> {
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
            settings.values.insert("aws_web_identity_token_file", file.to_owned());
            settings.values.insert("aws_role_arn", arn.to_owned());
            settings.values.insert("aws_role_session_name", session);
            return Ok(Source::Store);
        }
        let base = match (profiles.get(name, "source_profile"), profiles.get(name, "credential_source")) {
            (Some(source), _) if source == name => match keys() {
                Some(keys) => Source::Keys(usable(keys)?),
                None => return Err(wrong("is its own `source_profile` and has no keys")),
            },
            (Some(source), _) => of_profile(profiles, source, settings, options, depth + 1)?,
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
fn usable(keys: AwsCredential) -> Result<Arc<AwsCredential>> {
    let printable = |s: &str| s.chars().all(|c| c.is_ascii_graphic());
    if !keys.key_id.is_empty() && printable(&keys.key_id) && printable(&keys.secret_key) && keys.token.as_deref().is_none_or(printable) {
        return Ok(Arc::new(keys));
    }
    Err(Error::new(Code::STORE_CONFIG, "an AWS credential holds a character that none may have").help("look for blanks and line breaks"))
}

/// The provider for a source; `None` leaves it to object_store.
pub(super) fn provider(source: Source, settings: &Settings, env: &Env) -> Result<Option<AwsCredentialProvider>> {
    let has_keys = settings.get("aws_access_key_id").is_some() || settings.on("aws_skip_signature");
    if matches!(source, Source::Store) && has_keys {
        return Ok(None);
    }
    let region = settings.get("aws_region").or(settings.get("aws_default_region")).unwrap_or("us-east-1").to_owned();
    let sts = settings.get("aws_endpoint_url_sts").map_or_else(|| format!("https://sts.{region}.amazonaws.com"), str::to_owned);
    let mut permitted = settings.clone();
    allow_loopback(&mut permitted, Some(&sts))?;
    let fetch = fetch_of(source, settings)?;
    let sts = Sts { endpoint: sts, region, allow_http: permitted.on("allow_http") };
    Ok(Some(Arc::new(Fresh { fetch, sts, env: env.clone(), held: Mutex::new(None) })))
}

/// A source that can be asked.
enum Fetch {
    Keys(Arc<AwsCredential>),
    Store(AwsCredentialProvider),
    Process(String),
    Role { arn: String, session: String, external_id: Option<String>, seconds: u32, base: Box<Fetch> },
    Nowhere,
}

fn fetch_of(source: Source, settings: &Settings) -> Result<Fetch> {
    Ok(match source {
        Source::Keys(keys) => Fetch::Keys(keys),
        Source::Process(command) => Fetch::Process(command),
        Source::Nowhere => Fetch::Nowhere,
        Source::Role(role) => {
            let Role { arn, session, external_id, seconds, base } = *role;
            Fetch::Role { arn, session, external_id, seconds, base: Box::new(fetch_of(base, settings)?) }
        }
        Source::Store => {
            // The bucket is never asked; only the credentials of this client are. A machine without metadata must not make anyone wait.
            let retry = RetryConfig { max_retries: 2, retry_timeout: Duration::from_secs(10), ..RetryConfig::default() };
            let mut builder = AmazonS3Builder::new().with_retry(retry);
            for (name, value) in for_store(settings) {
                builder = builder.with_config(parse_key(name)?, value);
            }
            Fetch::Store(Arc::clone(builder.with_bucket_name("none").build().map_err(refused)?.credentials()))
        }
    })
}

struct Sts {
    endpoint: String,
    region: String,
    allow_http: bool,
}

/// A credential with its time, in milliseconds.
struct Held {
    keys: Arc<AwsCredential>,
    fetched: i64,
    expires: Option<i64>,
}

/// Asks its source when there is no credential or the one held nears its end.
struct Fresh {
    fetch: Fetch,
    sts: Sts,
    env: Env,
    held: Mutex<Option<Held>>,
}

impl std::fmt::Debug for Fresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fresh")
    }
}

#[async_trait]
impl CredentialProvider for Fresh {
    type Credential = AwsCredential;
    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        if let Fetch::Store(provider) = &self.fetch {
            return provider.get_credential().await;
        }
        let mut held = self.held.lock().await;
        let now = self.env.now().millis();
        if let Some(held) = &*held {
            // A credential that lives shorter than twice the margin is replaced at half its life.
            let fresh = held.expires.is_none_or(|end| end - now > EARLY_MS.min((end - held.fetched) / 2));
            if fresh {
                return Ok(Arc::clone(&held.keys));
            }
        }
        match self.ask(&self.fetch).await {
            Ok((keys, expires)) => {
                *held = Some(Held { keys: Arc::clone(&keys), fetched: now, expires });
                Ok(keys)
            }
            Err(e) => match &*held {
                Some(old) if old.expires.is_some_and(|end| end > now) => Ok(Arc::clone(&old.keys)),
                _ => Err(object_store::Error::Generic { store: "S3", source: Box::new(e) }),
            },
        }
    }
}

type Answer = Result<(Arc<AwsCredential>, Option<i64>)>;

impl Fresh {
    fn ask<'a>(&'a self, fetch: &'a Fetch) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            match fetch {
                Fetch::Keys(keys) => Ok((Arc::clone(keys), None)),
                Fetch::Store(provider) => {
                    let keys = provider.get_credential().await.map_err(|e| crate::storage::failure(e, "fetching AWS credentials", "-"))?;
                    Ok((keys, None))
                }
                Fetch::Process(command) => self.run(command).await,
                Fetch::Role { arn, session, external_id, seconds, base } => {
                    let (keys, _) = self.ask(base).await?;
                    self.assume(&keys, arn, session, external_id.as_deref(), *seconds).await
                }
                Fetch::Nowhere => {
                    Err(Error::new(Code::STORE_CONFIG, "there are no AWS credentials, and asking the machine for them is disabled")
                        .help("give keys or a profile, or set skip_signature=true for a public bucket"))
                }
            }
        })
    }
    /// Runs a `credential_process`. What it says on standard error stays unsaid.
    async fn run(&self, command: &str) -> Answer {
        let failed = |why: String| {
            Error::new(Code::STORE_CONFIG, format!("the profile's credential_process {why}"))
                .help("run it by hand and look at what it prints")
        };
        let mut child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| failed(format!("cannot be started: {e}")))?;
        let output = child.stdout.take();
        let reading = self.env.spawn_blocking(move || {
            let mut text = String::new();
            output.map_or(Ok(0), |o| o.take(ANSWER_MAX).read_to_string(&mut text)).map(|_| text)
        });
        let text = match select(reading, self.env.clock().sleep(PATIENCE)).await {
            Either::Left((text, _)) => text?,
            Either::Right(_) => {
                let _ = child.kill();
                let _ = self.env.spawn_blocking(move || child.wait()).await?;
                return Err(failed(format!("took more than {} seconds", PATIENCE.as_secs())));
            }
        };
        let status = self.env.spawn_blocking(move || child.wait()).await?.map_err(|e| failed(e.to_string()))?;
        let text = text.map_err(|e| failed(format!("gave no text: {e}")))?;
        if !status.success() {
            return Err(failed(format!("ended with {status}")));
        }
        let answer: ProcessAnswer =
            serde_json::from_str(&text).map_err(|_| failed("did not print the JSON object that AWS describes".to_owned()))?;
        if answer.version != 1 {
            return Err(failed(format!("answered in version {}, not 1", answer.version)));
        }
        let keys = AwsCredential { key_id: answer.access_key_id, secret_key: answer.secret_access_key, token: answer.session_token };
        let expires = answer
            .expiration
            .as_deref()
            .map(|t| time(t).ok_or_else(|| failed("gave an `Expiration` that is no time".to_owned())))
            .transpose()?;
        Ok((usable(keys)?, expires))
    }
    /// STS AssumeRole, signed with the base credential.
    async fn assume(&self, base: &AwsCredential, arn: &str, session: &str, external_id: Option<&str>, seconds: u32) -> Answer {
        let failed = |why: String| {
            Error::new(Code::STORE_CONFIG, format!("the role cannot be assumed: {why}"))
                .with("role", arn)
                .with("endpoint", &self.sts.endpoint)
        };
        let mut request = HttpRequest::new(form(arn, session, external_id, seconds).into());
        *request.method_mut() = "POST".parse().map_err(|_| failed("no method".to_owned()))?;
        *request.uri_mut() =
            format!("{}/", self.sts.endpoint.trim_end_matches('/')).parse().map_err(|_| failed("the endpoint is no URL".to_owned()))?;
        let form_type = object_store::HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert("content-type", form_type);
        AwsAuthorizer::new(base, "sts", &self.sts.region).authorize(&mut request, None);
        let options = ClientOptions::new().with_timeout(PATIENCE).with_allow_http(self.sts.allow_http);
        let client = ReqwestConnector::default().connect(&options).map_err(|e| failed(e.to_string()))?;
        let response = client.execute(request).await.map_err(|e| failed(redact(&e.to_string()).into_owned()))?;
        let status = response.status();
        let body = response.into_body().bytes().await.map_err(|e| failed(redact(&e.to_string()).into_owned()))?;
        let text = String::from_utf8_lossy(&body);
        if !status.is_success() {
            return Err(failed(format!("{status}: {}", redact(&format!("<Error>{text}"))))
                .help("check the role's trust policy and the base credentials"));
        }
        let part = |tag: &str| {
            crate::storage::failure::element(&text, tag).map(str::to_owned).ok_or_else(|| failed(format!("the answer has no {tag}")))
        };
        let keys = AwsCredential { key_id: part("AccessKeyId")?, secret_key: part("SecretAccessKey")?, token: Some(part("SessionToken")?) };
        let expires = time(&part("Expiration")?).ok_or_else(|| failed("the answer's Expiration is no time".to_owned()))?;
        Ok((usable(keys)?, Some(expires)))
    }
}

fn form(arn: &str, session: &str, external_id: Option<&str>, seconds: u32) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", "AssumeRole").append_pair("Version", "2011-06-15").append_pair("RoleArn", arn);
    form.append_pair("RoleSessionName", session).append_pair("DurationSeconds", &seconds.to_string());
    if let Some(id) = external_id {
        form.append_pair("ExternalId", id);
    }
    form.finish()
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessAnswer {
    version: i64,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<String>,
}

fn time(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|t| t.timestamp_millis())
}
