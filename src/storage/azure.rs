//! Hosts of Azure's storage accounts. Kind: pure. Spec: STO.
//!
//! Invariant: two names of one account (`blob` and `dfs`) become one host, and two accounts never do.

use super::keys::Family;
use super::options::StorageOptions;
use url::Url;

/// Azure's clouds and OneLake; only what ends so is sent a credential without being named by an option.
const DOMAINS: &[&str] =
    &["core.windows.net", "core.chinacloudapi.cn", "core.usgovcloudapi.net", "storage.azure.net", "fabric.microsoft.com"];
/// The cloud of an account that is named without its host.
const PUBLIC: &str = "core.windows.net";
const FABRIC: &str = "fabric.microsoft.com";
pub(super) const EMULATED_ACCOUNT: &str = "devstoreaccount1";

/// A host as a location names it, in the one form that is compared: lower case, `dfs` for `blob`, a bare account with its cloud. `None` for
/// what is no host.
pub(super) fn canonical(host: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    let labels: Vec<&str> = host.split('.').collect();
    let is_label = |label: &&str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !labels.iter().all(is_label) {
        return None;
    }
    Some(match labels.as_slice() {
        [account] => format!("{account}.dfs.{PUBLIC}"),
        _ => host.replacen(".blob.", ".dfs.", 1),
    })
}

/// The domain of a host of Azure's own.
pub(super) fn domain(host: &str) -> Option<&'static str> {
    let (_, rest) = host.split_once(".dfs.")?;
    DOMAINS.iter().find(|domain| **domain == rest).copied()
}

/// The account of a host.
pub(super) fn account(host: &str) -> &str {
    host.split('.').next().unwrap_or(host)
}

/// Where the requests for a host go when it is not the cloud that the client knows by itself.
pub(super) fn endpoint(host: &str) -> Option<String> {
    let domain = domain(host)?;
    let is_plain = host.split_once(".dfs.").is_some_and(|(account, _)| !account.contains('.'));
    (domain != PUBLIC || !is_plain).then(|| format!("https://{}", host.replacen(".dfs.", ".blob.", 1)))
}

/// The host of Azure's own that an endpoint names.
pub(super) fn host_of(endpoint: &str) -> Option<String> {
    let url = Url::parse(endpoint).ok()?;
    canonical(url.host_str()?).filter(|host| domain(host).is_some())
}

/// The host of a location that names no account.
pub(super) fn configured(options: &StorageOptions) -> Option<String> {
    let settings = options.settings(Family::Azure);
    if let Some(host) = settings.get("azure_endpoint").and_then(host_of) {
        return Some(host);
    }
    let emulated = settings.on("azure_storage_use_emulator").then_some(EMULATED_ACCOUNT);
    let cloud = if settings.on("azure_use_fabric_endpoint") { FABRIC } else { PUBLIC };
    canonical(&format!("{}.dfs.{cloud}", settings.get("azure_storage_account_name").or(emulated)?))
}
