use super::super::keys::KEYS;
use super::*;

fn options() -> StorageOptions {
    StorageOptions::new().environment([])
}

fn environment(variables: &[(&str, &str)]) -> StorageOptions {
    StorageOptions::new().environment(variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
}

// spec: STO-17
#[test]
fn a_key_is_known_in_every_spelling() {
    for (family, name, spellings) in [
        (Family::Aws, "aws_access_key_id", &["AWS_ACCESS_KEY_ID", "access_key_id", "Access-Key-Id", "aws.access.key.id", "access_key"][..]),
        (Family::Aws, "aws_session_token", &["token", "AWS_TOKEN", "session_token"]),
        (Family::Aws, "aws_endpoint_url", &["endpoint", "ENDPOINT_URL", "AWS_ENDPOINT"]),
        (Family::Aws, "allow_http", &["AWS_ALLOW_HTTP", "allow_http", "aws_allow-http"]),
        (Family::Aws, "aws_profile", &["AWS_PROFILE", "profile"]),
        (Family::Aws, "aws_s3_locking_provider", &["AWS_S3_LOCKING_PROVIDER", "s3_locking_provider"]),
        (Family::Aws, "pool_idle_timeout_seconds", &["AWS_S3_POOL_IDLE_TIMEOUT_SECONDS"]),
        (Family::Azure, "azure_storage_account_key", &["ACCOUNT_KEY", "access_key", "azure_storage_access_key", "master_key"]),
        (Family::Azure, "azure_storage_token", &["token", "bearer_token"]),
        (Family::Azure, "azure_endpoint", &["endpoint", "azure_storage_endpoint"]),
        (Family::Azure, "azure_tenant_id", &["tenant_id", "authority_id", "azure_storage_authority_id"]),
        (Family::Azure, "allow_http", &["azure_allow_http"]),
        (Family::Google, "google_service_account", &["service_account", "service_account_path"]),
        (Family::Google, "google_bucket", &["bucket", "bucket_name"]),
        (Family::Google, "max_retries", &["max_retries", "MAX_RETRIES"]),
    ] {
        for spelling in spellings {
            assert_eq!(find(family, spelling).map(|k| k.name), Some(name), "{spelling}");
        }
    }
    assert!(find(Family::Aws, "nonsense").is_none());
    assert!(find(Family::Google, "azure_tenant_id").is_none());
}

// spec: STO-17
#[test]
fn every_name_that_object_store_gets_is_one_it_knows() {
    for key in KEYS.iter().filter(|k| k.used == Use::Store) {
        if matches!(key.family, Family::Aws | Family::Any) {
            assert!(key.name.parse::<object_store::aws::AmazonS3ConfigKey>().is_ok(), "{}", key.name);
        }
        if matches!(key.family, Family::Azure | Family::Any) {
            assert!(key.name.parse::<object_store::azure::AzureConfigKey>().is_ok(), "{}", key.name);
        }
        if matches!(key.family, Family::Google | Family::Any) {
            assert!(key.name.parse::<object_store::gcp::GoogleConfigKey>().is_ok(), "{}", key.name);
        }
    }
}

// spec: STO-17
#[test]
fn no_two_keys_of_a_family_share_a_spelling() {
    let mut seen = std::collections::HashSet::new();
    for key in KEYS {
        for name in key.spellings() {
            assert!(seen.insert((format!("{:?}", key.family), name)), "{name}");
        }
    }
}

// spec: STO-17
#[test]
fn unknown_keys_warn_and_never_fail() {
    let warnings = options().set("aws_regoin", "x").set("AWS_REGION", "y").set("aws_s3_allow_unsafe_rename", "true").warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("aws_regoin") && warnings[0].contains("unknown"));
    assert!(warnings[1].contains("no effect"));
    crate::storage::TableRoot::open("memory:///options/t", &options().set("odd", "1"), &crate::env::Env::system()).unwrap();
}

// spec: STO-17
#[test]
fn the_environment_is_the_fallback_and_needs_a_prefix() {
    let settings =
        environment(&[("AWS_REGION", "eu-north-1"), ("ENDPOINT", "http://no"), ("AWS_ENDPOINT_URL", "http://yes"), ("AWS_TIMEOUT", "5s")])
            .set("region", "mine")
            .settings(Family::Aws);
    assert_eq!(settings.get("aws_region"), Some("mine"));
    assert_eq!(settings.get("aws_endpoint_url"), Some("http://yes"));
    assert_eq!(settings.get("timeout"), Some("5s"));
}

// spec: STO-18
#[test]
fn a_credential_that_is_given_is_not_mixed_with_one_of_the_environment() {
    let env = [("AWS_ACCESS_KEY_ID", "e"), ("AWS_SECRET_ACCESS_KEY", "e"), ("AWS_SESSION_TOKEN", "e"), ("AWS_REGION", "r")];
    let settings = environment(&env).set("access_key_id", "g").set("secret_access_key", "g").settings(Family::Aws);
    assert_eq!((settings.get("aws_access_key_id"), settings.get("aws_session_token")), (Some("g"), None));
    assert_eq!(settings.get("aws_region"), Some("r"));
    let settings = environment(&env).set("profile", "p").settings(Family::Aws);
    assert_eq!((settings.get("aws_access_key_id"), settings.get("aws_profile")), (None, Some("p")));
}

// spec: STO-17
#[test]
fn a_key_that_is_given_beats_every_variable_that_answers_the_same_question() {
    for (family, (variable, found), (key, name)) in [
        (Family::Aws, ("AWS_ENDPOINT_URL_S3", "aws_endpoint_url_s3"), ("aws_endpoint_url", "aws_endpoint_url")),
        (Family::Aws, ("AWS_ENDPOINT_URL", "aws_endpoint_url"), ("endpoint_url_s3", "aws_endpoint_url_s3")),
        (Family::Aws, ("AWS_REGION", "aws_region"), ("aws_default_region", "aws_default_region")),
        (
            Family::Aws,
            ("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "aws_virtual_hosted_style_request"),
            ("aws_s3_addressing_style", "aws_s3_addressing_style"),
        ),
        (Family::Azure, ("AZURE_STORAGE_USE_EMULATOR", "azure_storage_use_emulator"), ("endpoint", "azure_endpoint")),
        (Family::Azure, ("AZURE_SKIP_SIGNATURE", "azure_skip_signature"), ("account_key", "azure_storage_account_key")),
        (Family::Aws, ("AWS_ACCESS_KEY_ID", "aws_access_key_id"), ("container_credentials_full_uri", "aws_container_credentials_full_uri")),
    ] {
        let from_environment = environment(&[(variable, "e")]);
        assert_eq!(from_environment.settings(family).get(found), Some("e"), "{variable}");
        let settings = from_environment.set(key, "g").settings(family);
        assert_eq!((settings.get(found), settings.get(name)), (None, Some("g")), "{key} against {variable}");
    }
    let settings = environment(&[("AWS_ACCESS_KEY_ID", "e")]).set("aws_skip_signature", "false").settings(Family::Aws);
    assert_eq!(settings.get("aws_access_key_id"), Some("e"), "a switch that is off is no credential");
}

// spec: STO-16
#[test]
fn debug_text_has_the_names_and_not_the_values() {
    let text = format!("{:?}", options().set("secret_access_key", "CANARY").allow_root("s3://u:CANARY@b/"));
    assert!(text.contains("secret_access_key") && !text.contains("CANARY"), "{text}");
}

/// Keys that users of object_store, delta-rs and the AWS tools hold, as they write them.
const HELD: &[(Family, &str)] = &[
    (
        Family::Aws,
        "aws_access_key_id aws_secret_access_key aws_session_token aws_token aws_region aws_default_region aws_endpoint_url aws_endpoint \
         aws_endpoint_url_s3 aws_endpoint_url_sts aws_bucket aws_bucket_name aws_virtual_hosted_style_request aws_s3_express \
         aws_imdsv1_fallback aws_metadata_endpoint aws_unsigned_payload aws_checksum_algorithm aws_container_credentials_relative_uri \
         aws_container_credentials_full_uri aws_container_authorization_token_file aws_web_identity_token_file aws_role_arn \
         aws_role_session_name aws_skip_signature aws_copy_if_not_exists aws_conditional_put aws_disable_tagging aws_disable_bulk_delete \
         aws_request_payer aws_server_side_encryption aws_sse_kms_key_id aws_sse_bucket_key_enabled aws_sse_customer_key_base64 \
         aws_allow_http AWS_PROFILE AWS_IAM_ROLE_ARN AWS_IAM_ROLE_SESSION_NAME AWS_S3_ADDRESSING_STYLE AWS_S3_ALLOW_UNSAFE_RENAME \
         AWS_S3_LOCKING_PROVIDER DELTA_DYNAMO_TABLE_NAME AWS_ENDPOINT_URL_DYNAMODB AWS_REGION_DYNAMODB AWS_ACCESS_KEY_ID_DYNAMODB \
         AWS_SECRET_ACCESS_KEY_DYNAMODB AWS_SESSION_TOKEN_DYNAMODB AWS_EC2_METADATA_DISABLED AWS_EC2_METADATA_TIMEOUT \
         AWS_FORCE_CREDENTIAL_LOAD AWS_S3_POOL_IDLE_TIMEOUT_SECONDS",
    ),
    (
        Family::Azure,
        "azure_storage_account_name account_name azure_storage_account_key azure_storage_access_key access_key account_key \
         azure_storage_sas_token azure_storage_sas_key sas_key sas_token azure_storage_token bearer_token azure_client_id \
         azure_client_secret azure_tenant_id azure_authority_id azure_authority_host azure_federated_token_file azure_msi_endpoint \
         azure_identity_endpoint identity_endpoint azure_object_id azure_msi_resource_id azure_use_azure_cli azure_use_fabric_endpoint \
         azure_fabric_token_service_url azure_fabric_workload_host azure_fabric_session_token azure_fabric_cluster_identifier \
         azure_storage_use_emulator azure_endpoint azure_container_name azure_skip_signature azure_disable_tagging azure_credential_type \
         azure_storage_encryption_key azure_allow_http",
    ),
    (
        Family::Google,
        "google_service_account google_service_account_path service_account google_service_account_key google_application_credentials \
         google_bucket google_bucket_name google_base_url google_bearer_token google_skip_signature",
    ),
];
/// For every store.
const HELD_BY_ALL: &str = "allow_http allow_invalid_certificates connect_timeout timeout read_timeout pool_idle_timeout \
    pool_max_idle_per_host proxy_url proxy_ca_certificate proxy_excludes http1_only http2_only http2_keep_alive_interval \
    http2_keep_alive_timeout http2_keep_alive_while_idle http2_max_frame_size randomize_addresses user_agent max_retries retry_timeout \
    backoff_config.init_backoff backoff_config.max_backoff backoff_config.base";

// spec: STO-17
#[test]
fn every_key_that_users_hold_is_known_in_any_case_and_without_its_prefix() {
    for (family, held) in HELD {
        for key in held.split_whitespace().chain(HELD_BY_ALL.split_whitespace()) {
            let known = find(*family, key).unwrap_or_else(|| panic!("{key} is unknown"));
            for spelling in [key.to_uppercase(), key.replace('_', "-"), key.replace('_', ".")] {
                assert!(std::ptr::eq(find(*family, &spelling).unwrap(), known), "{spelling}");
            }
            let bare = ["aws_", "azure_storage_", "azure_", "google_"].iter().find_map(|p| key.strip_prefix(p));
            assert!(bare.is_none_or(|bare| find(*family, bare).is_some()), "{key} without its prefix");
            let options = options().set(key, "1");
            assert!(options.warnings().iter().all(|w| w.contains("has no effect")), "{key}: {:?}", options.warnings());
        }
    }
}

fn table_of_keys() -> String {
    let mut text =
        "## Option keys\n\nWritten from `src/storage/keys.rs` by a test (`LAKEBED_BLESS=1 cargo test --lib storage`); do not edit.\n\n\
         | store | key | also | effect |\n|---|---|---|---|\n"
            .to_owned();
    for key in KEYS {
        let effect = if key.used == Use::NoEffect { "none" } else { "" };
        let store = match key.family {
            Family::Aws => "S3",
            Family::Azure => "Azure",
            Family::Google => "GCS",
            Family::Any => "all",
        };
        let also: Vec<String> = key.spellings().skip(1).map(|a| format!("`{a}`")).collect();
        text.push_str(&format!("| {store} | `{}` | {} | {effect} |\n", key.name, also.join(", ")));
    }
    text
}

// spec: STO-17
#[test]
fn the_page_of_stores_lists_every_key() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/stores.md");
    let text = std::fs::read_to_string(page).unwrap();
    let words = text.split("## Option keys").next().unwrap();
    let expected = format!("{words}{}", table_of_keys());
    if std::env::var("LAKEBED_BLESS").is_ok() {
        std::fs::write(page, &expected).unwrap();
    }
    assert!(std::fs::read_to_string(page).unwrap() == expected, "spec/stores.md is not what src/storage/keys.rs says: LAKEBED_BLESS=1");
}
