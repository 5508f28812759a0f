//! The registry of remote stores: settings -> object_store clients. Kind: edge. Spec: STO.
//!
//! Each store is opened twice: with retries, and without (`once`), so that a create-only write is sent exactly once.

#[cfg(feature = "aws")]
mod credentials;
#[cfg(feature = "aws")]
mod fresh;
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
mod http;
#[cfg(feature = "aws")]
mod profile;
#[cfg(feature = "aws")]
mod sts;

use super::options::StorageOptions;
use super::resolve::Origin;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use object_store::ObjectStore;
use std::sync::Arc;

/// A remote store.
pub(super) struct Remote {
    pub store: Arc<dyn ObjectStore>,
    pub once: Arc<dyn ObjectStore>,
    /// Endpoint and bucket: what the probe's verdict holds for.
    pub identity: String,
    /// Whether listings come in the order of keys (S3's directory buckets do not).
    pub sorted: bool,
}

/// Opens a remote store. No request is made; a profile's files may be read.
pub(super) fn open(origin: &Origin, options: &StorageOptions, env: &Env) -> Result<Remote> {
    match origin {
        Origin::S3 { bucket } => s3(bucket, options, env),
        Origin::Azure { container, host } => azure(container, host.as_deref(), options),
        Origin::Gcs { bucket } => gcs(bucket, options),
        Origin::File | Origin::Memory(_) => Err(Error::new(Code::INTERNAL, "a local place is no remote store")),
    }
}

#[cfg(feature = "aws")]
fn s3(bucket: &str, options: &StorageOptions, env: &Env) -> Result<Remote> {
    use super::keys::Family;
    use http::{allow_loopback, checked, for_store, no_retries, parse_key, refused, retries};
    use object_store::RetryConfig;
    use object_store::aws::AmazonS3Builder;
    let mut settings = checked(options.settings(Family::Aws))?;
    let source = credentials::choose(&mut settings, options)?;
    if settings.get("aws_s3_addressing_style").is_some_and(|v| v.eq_ignore_ascii_case("virtual")) {
        settings.values.entry("aws_virtual_hosted_style_request").or_insert_with(|| "true".to_owned());
    }
    let endpoint = settings.get("aws_endpoint_url_s3").or(settings.get("aws_endpoint_url")).map(str::to_owned);
    // First, because plain HTTP to a store on this machine is no permission for plain HTTP to an STS elsewhere.
    let provider = fresh::provider(source, &settings, env)?;
    allow_loopback(&mut settings, endpoint.as_deref())?;
    let build = |retry: RetryConfig| {
        let mut builder = AmazonS3Builder::new();
        for (name, value) in for_store(&settings) {
            builder = builder.with_config(parse_key(name)?, value);
        }
        builder = builder.with_bucket_name(bucket).with_retry(retry);
        if let Some(provider) = &provider {
            builder = builder.with_credentials(Arc::clone(provider));
        }
        builder.build().map_err(refused)
    };
    Ok(Remote {
        store: Arc::new(build(retries(&settings)?)?),
        once: Arc::new(build(no_retries())?),
        identity: format!("{}/{bucket}", endpoint.as_deref().unwrap_or("s3").trim_end_matches('/')),
        sorted: !settings.on("aws_s3_express"),
    })
}

#[cfg(feature = "azure")]
fn azure(container: &str, host: Option<&str>, options: &StorageOptions) -> Result<Remote> {
    use super::azure;
    use super::keys::Family;
    use http::{allow_loopback, checked, for_store, no_retries, parse_key, refused, retries};
    use object_store::RetryConfig;
    use object_store::azure::MicrosoftAzureBuilder;
    let mut settings = checked(options.settings(Family::Azure))?;
    let endpoint = settings.get("azure_endpoint").map(str::to_owned);
    if let Some(host) = host {
        // Switches for another place than the location names.
        if endpoint.is_none() {
            settings.values.remove("azure_use_fabric_endpoint");
            if azure::account(host) != azure::EMULATED_ACCOUNT {
                settings.values.remove("azure_storage_use_emulator");
            }
        }
        match &endpoint {
            None if azure::domain(host).is_none() => {
                return Err(Error::new(Code::STORE_CONFIG, "the host of the location is none of Azure's, so it gets no credential")
                    .with("host", host)
                    .help("if it is yours, name it with the storage option azure_endpoint=https://HOST"));
            }
            None => _ = azure::endpoint(host).map(|own| settings.values.insert("azure_endpoint", own)),
            Some(endpoint) => {
                if azure::host_of(endpoint).is_some_and(|named| named != host) {
                    return Err(Error::new(Code::STORE_CONFIG, "the location and the endpoint name different accounts")
                        .with("host", host)
                        .with("endpoint", endpoint)
                        .help("leave the storage option azure_endpoint out"));
                }
            }
        }
        settings.values.insert("azure_storage_account_name", azure::account(host).to_owned());
    }
    allow_loopback(&mut settings, endpoint.as_deref())?;
    let build = |retry: RetryConfig| {
        let mut builder = MicrosoftAzureBuilder::new();
        for (name, value) in for_store(&settings) {
            builder = builder.with_config(parse_key(name)?, value);
        }
        builder.with_container_name(container).with_retry(retry).build().map_err(refused)
    };
    let account = settings.get("azure_storage_account_name").unwrap_or("azure");
    let asked = settings.get("azure_endpoint").unwrap_or("azure").trim_end_matches('/');
    Ok(Remote {
        identity: format!("{asked}/{account}/{container}"),
        store: Arc::new(build(retries(&settings)?)?),
        once: Arc::new(build(no_retries())?),
        sorted: true,
    })
}

#[cfg(feature = "gcp")]
fn gcs(bucket: &str, options: &StorageOptions) -> Result<Remote> {
    use super::keys::Family;
    use http::{allow_loopback, checked, for_store, no_retries, parse_key, refused, retries};
    use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
    use object_store::{RetryConfig, StaticCredentialProvider};
    let mut settings = checked(options.settings(Family::Google))?;
    let endpoint = settings.get("google_base_url").map(str::to_owned);
    allow_loopback(&mut settings, endpoint.as_deref())?;
    let build = |retry: RetryConfig| {
        let mut builder = GoogleCloudStorageBuilder::new();
        for (name, value) in for_store(&settings) {
            builder = builder.with_config(parse_key(name)?, value);
        }
        if let Some(bearer) = settings.get("google_bearer_token") {
            let credential = GcpCredential { bearer: bearer.to_owned() };
            builder = builder.with_credentials(Arc::new(StaticCredentialProvider::new(credential)));
        }
        builder.with_bucket_name(bucket).with_retry(retry).build().map_err(refused)
    };
    Ok(Remote {
        store: Arc::new(build(retries(&settings)?)?),
        once: Arc::new(build(no_retries())?),
        identity: format!("{}/{bucket}", endpoint.as_deref().unwrap_or("gs").trim_end_matches('/')),
        sorted: true,
    })
}

/// Whether a cause of a failed request says that it was never sent, or was refused as it stood.
pub(super) fn surely_not_applied(cause: &(dyn std::error::Error + 'static)) -> bool {
    #[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
    if http::never_sent(cause) {
        return true;
    }
    // object_store keeps the status of an answer in its text only.
    let text = cause.to_string();
    let status = text.split_once("status code: ").and_then(|(_, rest)| rest.get(..3)?.parse::<u16>().ok());
    match status {
        Some(408 | 409 | 412 | 425 | 429) => false,
        Some(status) => (300..500).contains(&status),
        None => text.contains("redirect without LOCATION"),
    }
}

#[cfg(not(feature = "aws"))]
fn s3(_: &str, _: &StorageOptions, _: &Env) -> Result<Remote> {
    Err(left_out("S3"))
}

#[cfg(not(feature = "azure"))]
fn azure(_: &str, _: Option<&str>, _: &StorageOptions) -> Result<Remote> {
    Err(left_out("Azure"))
}

#[cfg(not(feature = "gcp"))]
fn gcs(_: &str, _: &StorageOptions) -> Result<Remote> {
    Err(left_out("Google Cloud Storage"))
}

#[cfg(not(all(feature = "aws", feature = "azure", feature = "gcp")))]
fn left_out(store: &str) -> Error {
    Error::new(Code::STORE_CONFIG, format!("this build of lakebed has no {store}")).help("build it with the cargo feature `cloud`")
}
