//! Storage options as the user gave them. Kind: shape. Spec: STO.
//!
//! Invariant: values are never printed; only the names of the keys are.

use super::keys::{Family, Use, find, find_variable};
use std::collections::BTreeMap;

/// What an acknowledged local write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: files and folders are synced before a write is acknowledged.
    #[default]
    Full,
    /// The end of the process, but not a power cut.
    Fast,
}

/// Options of a store as the user gave them: keys in any spelling and case, with the environment as the fallback. Unknown keys warn,
/// they never fail. Nothing prints their values.
#[derive(Clone)]
pub struct StorageOptions {
    given: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    allowed_roots: Vec<String>,
    durability: Durability,
}

impl Default for StorageOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl StorageOptions {
    /// No options; what is not set comes from the process's environment.
    pub fn new() -> Self {
        let variables = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        StorageOptions { given: BTreeMap::new(), environment: BTreeMap::new(), allowed_roots: Vec::new(), durability: Durability::Full }
            .environment(variables)
    }
    /// The same with these variables instead of the process's environment; none for no fallback at all.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let wanted = |name: &str| {
            let name = name.to_ascii_uppercase();
            ["AWS_", "AZURE_", "GOOGLE_", "LAKEBED_", "DELTA_"].iter().any(|p| name.starts_with(p))
                || name == "HOME"
                || name == "XDG_CACHE_HOME"
        };
        self.environment = variables.into_iter().filter(|(name, _)| wanted(name)).collect();
        self
    }
    /// The same with one more option. A later value replaces an earlier one of the same spelling.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.given.insert(key.into(), value.into());
        self
    }
    /// The same with one more root, besides the table's, that paths of the log may lead to.
    pub fn allow_root(mut self, url: impl Into<String>) -> Self {
        self.allowed_roots.push(url.into());
        self
    }
    /// The same with another durability of local writes.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }
    /// What is odd about the options given by `set`: keys that no store knows and keys that have no effect. For the user's eyes.
    pub fn warnings(&self) -> Vec<String> {
        let families = [Family::Aws, Family::Azure, Family::Google];
        let warn = |key: &String| match families.iter().find_map(|f| find(*f, key)) {
            None => Some(format!("the storage option `{}` is unknown and ignored", key.escape_debug())),
            Some(known) if known.used == Use::NoEffect => Some(format!("the storage option `{}` has no effect here", key.escape_debug())),
            Some(_) => None,
        };
        self.given.keys().filter_map(warn).collect()
    }
    pub(super) fn allowed_roots(&self) -> &[String] {
        &self.allowed_roots
    }
    pub(super) fn local_durability(&self) -> Durability {
        self.durability
    }
    /// A variable of the environment, by its exact name.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }
    /// What holds for a store of `family`.
    pub(super) fn settings(&self, family: Family) -> Settings {
        let mut given = BTreeMap::new();
        for (key, value) in &self.given {
            if let Some(known) = find(family, key) {
                given.insert(known.name, value.clone());
            }
        }
        let mut values = BTreeMap::new();
        for (variable, value) in &self.environment {
            if let Some(known) = find_variable(family, variable).filter(|_| !value.is_empty()) {
                values.insert(known.name, value.clone());
            }
        }
        // Credentials belong together: one that is given is not completed by others of the environment.
        let counts = |name: &&str| given.get(name).is_some_and(|value: &String| !value.trim().eq_ignore_ascii_case("false"));
        for whole in CREDENTIALS {
            if whole.iter().any(counts) {
                values.retain(|name, _| {
                    !CREDENTIALS.iter().any(|w| w[0].split('_').next() == whole[0].split('_').next() && w.contains(name))
                });
            }
        }
        for same in ALTERNATIVES.iter().filter(|same| same.iter().any(|name| given.contains_key(name))) {
            values.retain(|name, _| !same.contains(name));
        }
        values.extend(given);
        Settings { values }
    }
}

/// Keys that answer one question: one that is given beats all of them in the environment.
const ALTERNATIVES: &[&[&str]] = &[
    &["aws_endpoint_url", "aws_endpoint_url_s3"],
    &["aws_region", "aws_default_region"],
    &["aws_s3_addressing_style", "aws_virtual_hosted_style_request"],
    &["azure_endpoint", "azure_use_fabric_endpoint", "azure_storage_use_emulator"],
    &["http1_only", "http2_only"],
    &["pool_idle_timeout", "pool_idle_timeout_seconds"],
];

/// Keys that make one credential; the first is its mark.
const CREDENTIALS: &[&[&str]] = &[
    &["aws_access_key_id", "aws_secret_access_key", "aws_session_token"],
    &["aws_profile"],
    &["aws_skip_signature"],
    &["aws_web_identity_token_file", "aws_role_arn"],
    &["aws_container_credentials_relative_uri", "aws_container_credentials_full_uri"],
    &["azure_storage_account_key"],
    &["azure_storage_sas_token"],
    &["azure_storage_token"],
    &["azure_client_id", "azure_client_secret", "azure_tenant_id", "azure_federated_token_file"],
    &["azure_skip_signature"],
    &["azure_use_azure_cli"],
    &["google_skip_signature"],
    &["google_service_account"],
    &["google_service_account_key"],
    &["google_application_credentials"],
    &["google_bearer_token"],
];

impl std::fmt::Debug for StorageOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StorageOptions")
            .field("keys", &self.given.keys().collect::<Vec<_>>())
            .field("allowed_roots", &self.allowed_roots.len())
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}

/// Options of one store by their names in `keys.rs`.
#[derive(Clone, Default)]
pub(super) struct Settings {
    pub values: BTreeMap<&'static str, String>,
}

impl Settings {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
    /// Whether a switch is on.
    pub fn on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|v| matches!(v.trim().to_ascii_lowercase().as_str(), "1" | "true" | "on" | "yes" | "y"))
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
