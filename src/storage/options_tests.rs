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

// spec: STO-16
#[test]
fn debug_text_has_the_names_and_not_the_values() {
    let text = format!("{:?}", options().set("secret_access_key", "CANARY").allow_root("s3://u:CANARY@b/"));
    assert!(text.contains("secret_access_key") && !text.contains("CANARY"), "{text}");
}
