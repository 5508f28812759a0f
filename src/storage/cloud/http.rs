//! What all remote clients share: which settings they get, plain HTTP, retries. Kind: pure. Spec: STO.

use crate::error::{Code, Error, Result};
use crate::storage::failure::redact;
use crate::storage::keys::{KEYS, Use};
use crate::storage::options::Settings;
use object_store::RetryConfig;
use object_store::client::{HttpError, HttpErrorKind};
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;
use url::{Host, Url};

pub(super) fn parse_key<K: FromStr>(name: &str) -> Result<K> {
    name.parse().map_err(|_| Error::new(Code::INTERNAL, format!("object_store does not know the key `{name}`")))
}

/// What goes to object_store.
pub(super) fn for_store(settings: &Settings) -> impl Iterator<Item = (&'static str, &str)> {
    let theirs = |name: &str| KEYS.iter().any(|k| k.name == name && k.used == Use::Store);
    settings.values.iter().filter(move |(name, _)| theirs(name)).map(|(name, value)| (*name, value.as_str()))
}

/// Refuses values that cannot stand in a request; object_store would panic on some of them.
pub(super) fn checked(settings: Settings) -> Result<Settings> {
    let multi_line = ["google_service_account_key", "proxy_ca_certificate"];
    for (name, value) in &settings.values {
        if !multi_line.contains(name) && value.chars().any(|c| c.is_control()) {
            return Err(Error::new(Code::STORE_CONFIG, format!("the storage option `{name}` holds a control character"))
                .help("look for a line break at its end"));
        }
    }
    Ok(settings)
}

pub(super) fn refused(e: object_store::Error) -> Error {
    let text = e.to_string();
    Error::new(Code::STORE_CONFIG, format!("the store cannot be opened: {}", redact(&text))).help("check the storage options")
}

/// Whether the connection could not even be made.
pub(super) fn never_sent(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<HttpError>().is_some_and(|e| e.kind() == HttpErrorKind::Connect)
}

/// Plain HTTP is permitted to this machine, and elsewhere only when the user says so.
pub(super) fn allow_loopback(settings: &mut Settings, endpoint: Option<&str>) -> Result<()> {
    let Some(endpoint) = endpoint else { return Ok(()) };
    let wrong = || Error::new(Code::STORE_CONFIG, "the endpoint is not a URL").with("endpoint", redact(endpoint));
    let url = Url::parse(endpoint).map_err(|_| wrong().help("write it with its scheme, for example https://minio.example:9000"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::new(Code::STORE_CONFIG, "the endpoint holds credentials").help("give them as storage options"));
    }
    if url.scheme() == "http" && is_loopback(&url) {
        settings.values.entry("allow_http").or_insert_with(|| "true".to_owned());
    }
    if url.scheme() == "http" && !settings.on("allow_http") {
        return Err(Error::new(Code::STORE_CONFIG, "the endpoint is plain HTTP, and not on this machine")
            .with("endpoint", endpoint)
            .help("use https, or permit it with the storage option allow_http=true"));
    }
    Ok(())
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

pub(super) fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// Retries of idempotent requests: at most 10 within 3 minutes unless the options say otherwise.
pub(super) fn retries(settings: &Settings) -> Result<RetryConfig> {
    let mut retry = RetryConfig::default();
    if let Some(n) = number(settings, "max_retries")? {
        retry.max_retries = n;
    }
    if let Some(time) = duration(settings, "retry_timeout")? {
        retry.retry_timeout = time;
    }
    if let Some(time) = duration(settings, "backoff_config_init_backoff")? {
        retry.backoff.init_backoff = time;
    }
    if let Some(time) = duration(settings, "backoff_config_max_backoff")? {
        retry.backoff.max_backoff = time;
    }
    if let Some(base) = number::<f64>(settings, "backoff_config_base")? {
        retry.backoff.base = base;
    }
    Ok(retry)
}

fn number<T: FromStr>(settings: &Settings, name: &str) -> Result<Option<T>> {
    let parse = |text: &str| {
        text.trim()
            .parse()
            .map_err(|_| Error::new(Code::STORE_CONFIG, format!("the storage option `{name}` is not a number")).with("option", name))
    };
    settings.get(name).map(parse).transpose()
}

/// A number with a unit (`ms`, `s`, `m`; also written out); seconds without one.
fn duration(settings: &Settings, name: &str) -> Result<Option<Duration>> {
    let parse = |text: &str| {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let millis = match text[digits..].trim() {
            "" | "s" | "sec" | "secs" | "second" | "seconds" => 1000,
            "ms" | "millis" | "milliseconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60_000,
            _ => 0,
        };
        match text[..digits].parse::<u64>() {
            Ok(n) if millis > 0 => Ok(Duration::from_millis(n.saturating_mul(millis))),
            _ => Err(Error::new(Code::STORE_CONFIG, format!("the storage option `{name}` is not a time"))
                .with("option", name)
                .help("write 500ms, 30s or 3m")),
        }
    };
    settings.get(name).map(parse).transpose()
}
