//! Asking for AWS credentials and keeping them fresh. Kind: edge. Spec: STO.
//!
//! Invariant: a credential that expires is replaced five minutes before it does (at half its life when it lives shorter than twice that);
//! while it holds, a source that fails for a moment harms nobody.

use super::credentials::{Role, Source, WebIdentity, usable};
use super::http::{allow_loopback, for_store, parse_key, refused};
use super::sts::Sts;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::storage::options::Settings;
use async_trait::async_trait;
use futures::future::{BoxFuture, Either, select};
use object_store::aws::{AmazonS3Builder, AwsCredential, AwsCredentialProvider};
use object_store::{CredentialProvider, RetryConfig};
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long before its end a credential is replaced.
const EARLY_MS: i64 = 5 * 60 * 1000;
/// How long a `credential_process` may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many bytes it may answer.
const ANSWER_MAX: u64 = 1 << 20;

/// A credential and when it ends, in milliseconds.
pub(super) type Answer = Result<(Arc<AwsCredential>, Option<i64>)>;

/// The provider for a source; `None` leaves it to object_store.
pub(super) fn provider(source: Source, settings: &Settings, env: &Env) -> Result<Option<AwsCredentialProvider>> {
    let has_keys = settings.get("aws_access_key_id").is_some() || settings.on("aws_skip_signature");
    if matches!(source, Source::Store) && has_keys {
        return Ok(None);
    }
    let region = settings.get("aws_region").or(settings.get("aws_default_region")).unwrap_or("us-east-1").to_owned();
    let endpoint = settings.get("aws_endpoint_url_sts").map_or_else(|| format!("https://sts.{region}.amazonaws.com"), str::to_owned);
    let mut permitted = settings.clone();
    allow_loopback(&mut permitted, Some(&endpoint))?;
    let fetch = fetch_of(source, settings)?;
    let sts = Sts { endpoint, region, allow_http: permitted.on("allow_http") };
    Ok(Some(Arc::new(Fresh { fetch, sts, env: env.clone(), held: Mutex::new(None) })))
}

/// A source that can be asked.
enum Fetch {
    Keys(Arc<AwsCredential>),
    Store(AwsCredentialProvider),
    Process(String),
    WebIdentity(WebIdentity),
    Role { arn: String, session: String, external_id: Option<String>, seconds: u32, base: Box<Fetch> },
    Nowhere,
}

fn fetch_of(source: Source, settings: &Settings) -> Result<Fetch> {
    Ok(match source {
        Source::Keys(keys) => Fetch::Keys(keys),
        Source::Process(command) => Fetch::Process(command),
        Source::WebIdentity(identity) => Fetch::WebIdentity(identity),
        Source::Nowhere => Fetch::Nowhere,
        Source::Role(role) => {
            let Role { arn, session, external_id, seconds, base } = *role;
            Fetch::Role { arn, session, external_id, seconds, base: Box::new(fetch_of(base, settings)?) }
        }
        Source::Store => {
            // The bucket is never asked; only the credentials of this client are. A machine without metadata must not make anyone wait.
            let retry = RetryConfig { max_retries: 2, retry_timeout: Duration::from_secs(10), ..RetryConfig::default() };
            let mut builder = AmazonS3Builder::new().with_retry(retry);
            for (name, value) in for_store(settings).filter(|(name, _)| *name != "aws_web_identity_token_file") {
                builder = builder.with_config(parse_key(name)?, value);
            }
            Fetch::Store(Arc::clone(builder.with_bucket_name("none").build().map_err(refused)?.credentials()))
        }
    })
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
                    self.sts.assume_role(&keys, arn, session, external_id.as_deref(), *seconds).await
                }
                Fetch::WebIdentity(WebIdentity { token_file, arn, session }) => {
                    let file = token_file.clone();
                    let token = self.env.spawn_blocking(move || std::fs::read_to_string(file)).await?.map_err(|e| {
                        Error::new(Code::STORE_CONFIG, format!("the web identity token cannot be read: {e}")).with("path", token_file)
                    })?;
                    self.sts.assume_role_with_token(token.trim(), arn, session).await
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
        // It may close its output and go on; then nobody waits for it.
        let ended = self.env.spawn_blocking(move || child.wait());
        let status = match select(ended, self.env.clock().sleep(PATIENCE)).await {
            Either::Left((status, _)) => status?.map_err(|e| failed(e.to_string()))?,
            Either::Right(_) => return Err(failed(format!("took more than {} seconds to end", PATIENCE.as_secs()))),
        };
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

/// A time as AWS writes it, in milliseconds.
pub(super) fn time(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|t| t.timestamp_millis())
}
