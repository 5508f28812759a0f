//! Every option key with its spellings. Kind: pure. Spec: STO.
//!
//! A key is matched in any case, with `-` or `.` for `_`, and with or without the prefix of its family. Names are those of
//! object_store; what it does not know is ours (`Use::Ours`) or accepted without effect (`Use::NoEffect`).

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Aws,
    Azure,
    Google,
    /// The HTTP client, its retries and lakebed itself: for every store.
    Any,
}

/// Who reads the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// object_store, under the key's name.
    Store,
    /// lakebed.
    Ours,
    /// Nobody; known because other engines' users have it set.
    NoEffect,
}

#[derive(Debug)]
pub(super) struct Key {
    pub family: Family,
    pub name: &'static str,
    aliases: &'static [&'static str],
    pub used: Use,
}

const fn key(family: Family, used: Use, name: &'static str, aliases: &'static [&'static str]) -> Key {
    Key { family, name, aliases, used }
}

use Family::{Any, Aws, Azure, Google};
use Use::{NoEffect, Ours, Store};

pub(super) static KEYS: &[Key] = &[
    key(Aws, Store, "aws_access_key_id", &["access_key"]),
    key(Aws, Store, "aws_secret_access_key", &["secret_key"]),
    key(Aws, Store, "aws_session_token", &["aws_token"]),
    key(Aws, Store, "aws_region", &[]),
    key(Aws, Store, "aws_default_region", &[]),
    key(Aws, Store, "aws_endpoint_url", &["aws_endpoint"]),
    key(Aws, Store, "aws_endpoint_url_s3", &[]),
    key(Aws, Store, "aws_endpoint_url_sts", &["aws_sts_endpoint"]),
    key(Aws, Store, "aws_bucket", &["aws_bucket_name"]),
    key(Aws, Store, "aws_virtual_hosted_style_request", &[]),
    key(Aws, Store, "aws_s3_express", &[]),
    key(Aws, Store, "aws_imdsv1_fallback", &[]),
    key(Aws, Store, "aws_metadata_endpoint", &["aws_ec2_metadata_service_endpoint"]),
    key(Aws, Store, "aws_unsigned_payload", &[]),
    key(Aws, Store, "aws_checksum_algorithm", &[]),
    key(Aws, Store, "aws_container_credentials_relative_uri", &[]),
    key(Aws, Store, "aws_container_credentials_full_uri", &[]),
    key(Aws, Store, "aws_container_authorization_token_file", &[]),
    key(Aws, Store, "aws_web_identity_token_file", &[]),
    key(Aws, Store, "aws_role_arn", &[]),
    key(Aws, Store, "aws_role_session_name", &["aws_iam_role_session_name"]),
    key(Aws, Store, "aws_skip_signature", &["aws_no_sign_request", "anonymous", "anon"]),
    key(Aws, Store, "aws_copy_if_not_exists", &[]),
    key(Aws, Store, "aws_conditional_put", &[]),
    key(Aws, Store, "aws_disable_tagging", &[]),
    key(Aws, Store, "aws_request_payer", &[]),
    key(Aws, Store, "aws_server_side_encryption", &[]),
    key(Aws, Store, "aws_sse_kms_key_id", &[]),
    key(Aws, Store, "aws_sse_bucket_key_enabled", &[]),
    key(Aws, Store, "aws_sse_customer_key_base64", &[]),
    key(Aws, Ours, "aws_profile", &["aws_default_profile"]),
    key(Aws, Ours, "aws_iam_role_arn", &[]),
    key(Aws, Ours, "aws_config_file", &[]),
    key(Aws, Ours, "aws_shared_credentials_file", &[]),
    key(Aws, Ours, "aws_ec2_metadata_disabled", &[]),
    key(Aws, Ours, "aws_s3_addressing_style", &[]),
    key(Aws, Ours, "aws_s3_locking_provider", &["locking_provider"]),
    key(Aws, NoEffect, "aws_s3_allow_unsafe_rename", &["allow_unsafe_rename"]),
    key(Aws, NoEffect, "aws_ec2_metadata_timeout", &[]),
    key(Aws, NoEffect, "aws_force_credential_load", &[]),
    key(Aws, NoEffect, "aws_disable_bulk_delete", &[]),
    key(Aws, NoEffect, "aws_sdk_load_config", &[]),
    key(Aws, NoEffect, "aws_s3_get_internal_server_error_retries", &[]),
    key(Aws, NoEffect, "aws_sts_regional_endpoints", &[]),
    key(Aws, NoEffect, "aws_pager", &[]),
    key(Aws, NoEffect, "aws_execution_env", &[]),
    key(Aws, NoEffect, "delta_dynamo_table_name", &["dynamo_lock_table_name"]),
    key(Aws, NoEffect, "aws_endpoint_url_dynamodb", &[]),
    key(Aws, NoEffect, "aws_region_dynamodb", &[]),
    key(Aws, NoEffect, "aws_access_key_id_dynamodb", &[]),
    key(Aws, NoEffect, "aws_secret_access_key_dynamodb", &[]),
    key(Aws, NoEffect, "aws_session_token_dynamodb", &[]),
    key(Azure, Store, "azure_storage_account_name", &["azure_account_name"]),
    key(
        Azure,
        Store,
        "azure_storage_account_key",
        &["azure_storage_access_key", "azure_storage_master_key", "azure_account_key", "master_key"],
    ),
    key(Azure, Store, "azure_storage_sas_token", &["azure_storage_sas_key", "azure_sas_token"]),
    key(Azure, Store, "azure_storage_token", &["bearer_token", "azure_bearer_token"]),
    key(Azure, Store, "azure_client_id", &["azure_storage_client_id"]),
    key(Azure, Store, "azure_client_secret", &["azure_storage_client_secret"]),
    key(Azure, Store, "azure_tenant_id", &["azure_storage_tenant_id", "azure_authority_id", "azure_storage_authority_id"]),
    key(Azure, Store, "azure_authority_host", &["azure_storage_authority_host"]),
    key(Azure, Store, "azure_federated_token_file", &[]),
    key(Azure, Store, "azure_msi_endpoint", &["azure_identity_endpoint"]),
    key(Azure, Store, "azure_object_id", &[]),
    key(Azure, Store, "azure_msi_resource_id", &[]),
    key(Azure, Store, "azure_use_azure_cli", &[]),
    key(Azure, Store, "azure_use_fabric_endpoint", &[]),
    key(Azure, Store, "azure_fabric_token_service_url", &[]),
    key(Azure, Store, "azure_fabric_workload_host", &[]),
    key(Azure, Store, "azure_fabric_session_token", &[]),
    key(Azure, Store, "azure_fabric_cluster_identifier", &[]),
    key(Azure, Store, "azure_storage_use_emulator", &["azure_use_emulator"]),
    key(Azure, Store, "azure_endpoint", &["azure_storage_endpoint"]),
    key(Azure, Store, "azure_container_name", &[]),
    key(Azure, Store, "azure_skip_signature", &[]),
    key(Azure, Store, "azure_disable_tagging", &[]),
    key(Azure, NoEffect, "azure_credential_type", &[]),
    key(Azure, NoEffect, "azure_storage_encryption_key", &["azure_encryption_key"]),
    key(Google, Store, "google_service_account", &["google_service_account_path"]),
    key(Google, Store, "google_service_account_key", &[]),
    key(Google, Store, "google_application_credentials", &[]),
    key(Google, Store, "google_bucket", &["google_bucket_name"]),
    key(Google, Store, "google_base_url", &[]),
    key(Google, Store, "google_skip_signature", &[]),
    key(Google, Ours, "google_bearer_token", &[]),
    key(Any, Store, "allow_http", &[]),
    key(Any, Store, "allow_invalid_certificates", &["allow_insecure"]),
    key(Any, Store, "connect_timeout", &[]),
    key(Any, Store, "default_content_type", &[]),
    key(Any, Store, "http1_only", &[]),
    key(Any, Store, "http2_only", &[]),
    key(Any, Store, "http2_keep_alive_interval", &[]),
    key(Any, Store, "http2_keep_alive_timeout", &[]),
    key(Any, Store, "http2_keep_alive_while_idle", &[]),
    key(Any, Store, "http2_max_frame_size", &[]),
    key(Any, Store, "pool_idle_timeout", &[]),
    key(Any, Store, "pool_max_idle_per_host", &[]),
    key(Any, Store, "proxy_url", &[]),
    key(Any, Store, "proxy_ca_certificate", &[]),
    key(Any, Store, "proxy_excludes", &[]),
    key(Any, Store, "randomize_addresses", &[]),
    key(Any, Store, "timeout", &[]),
    key(Any, Store, "user_agent", &[]),
    key(Any, Ours, "pool_idle_timeout_seconds", &["aws_s3_pool_idle_timeout_seconds"]),
    key(Any, Ours, "max_retries", &[]),
    key(Any, Ours, "retry_timeout", &[]),
    key(Any, Ours, "backoff_config_init_backoff", &["init_backoff"]),
    key(Any, Ours, "backoff_config_max_backoff", &["max_backoff"]),
    key(Any, Ours, "backoff_config_base", &["backoff_base"]),
    key(Any, Ours, "lakebed_cache_dir", &["cache_dir"]),
    key(Any, NoEffect, "read_timeout", &[]),
];

impl Family {
    /// What a name of this family may begin with; an environment variable must.
    fn prefixes(self) -> &'static [&'static str] {
        match self {
            Aws => &["aws_"],
            Azure => &["azure_storage_", "azure_"],
            Google => &["google_"],
            Any => &["aws_", "azure_", "google_", "lakebed_"],
        }
    }
    fn bare(self, spelled: &str) -> &str {
        self.prefixes().iter().find_map(|p| spelled.strip_prefix(p)).unwrap_or(spelled)
    }
}

#[cfg(test)]
impl Key {
    pub fn spellings(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// The key that `spelling` means for a store of `family`.
pub(super) fn find(family: Family, spelling: &str) -> Option<&'static Key> {
    let spelled = spelling.trim().to_ascii_lowercase().replace(['-', '.'], "_");
    let exact = |key: &&Key| key.name == spelled || key.aliases.contains(&spelled.as_str());
    let bare = |key: &&Key| {
        let wanted = key.family.bare(&spelled);
        key.family.bare(key.name) == wanted || key.aliases.iter().any(|a| key.family.bare(a) == wanted)
    };
    let of = |wanted: Family| KEYS.iter().filter(move |k| k.family == wanted);
    of(family).find(exact).or_else(|| of(Any).find(exact)).or_else(|| of(family).find(bare)).or_else(|| of(Any).find(bare))
}

/// The key that an environment variable means for a store of `family`: only names with a prefix count.
pub(super) fn find_variable(family: Family, variable: &str) -> Option<&'static Key> {
    let lower = variable.to_ascii_lowercase();
    let named =
        family.prefixes().iter().any(|p| lower.starts_with(p)) || lower.starts_with("lakebed_") || lower == "delta_dynamo_table_name";
    if named { find(family, variable) } else { None }
}
