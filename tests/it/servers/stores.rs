//! The conformance suite over real servers. Those of the other clouds run in the long lane only and are named so.

use super::{address, fresh, s3_options};
use crate::conformance::suite;
use lakebed::StorageOptions;

#[tokio::test(flavor = "multi_thread")]
async fn minio_conforms() {
    suite(&format!("s3://lake/{} a+b%25/t", fresh("conformance")), &s3_options("LAKEBED_TEST_S3_ENDPOINT")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_s3_conforms() {
    suite(&format!("s3://lake/{} a+b%25/t", fresh("conformance")), &s3_options("LAKEBED_TEST_S3_ENDPOINT_2")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite_conforms_long_lane() {
    let cache = tempfile::tempdir().unwrap();
    // The account and key that every Azurite starts with; they are public.
    let account = "devstoreaccount1";
    let options = StorageOptions::new()
        .environment([])
        .set("azure_endpoint", format!("{}/{account}", address("LAKEBED_TEST_AZURITE")))
        .set("account_name", account)
        .set("account_key", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
        .set("cache_dir", cache.path().to_str().unwrap());
    suite(&format!("az://lake/{}/t", fresh("conformance")), &options).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gcs_conforms_long_lane() {
    let cache = tempfile::tempdir().unwrap();
    let account = serde_json::json!({
        "gcs_base_url": address("LAKEBED_TEST_GCS"), "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""
    });
    let options = StorageOptions::new()
        .environment([])
        .set("google_service_account_key", account.to_string())
        .set("allow_http", "true")
        .set("cache_dir", cache.path().to_str().unwrap());
    suite(&format!("gs://lake/{}/t", fresh("conformance")), &options).await;
}
