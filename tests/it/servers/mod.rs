//! The conformance suite over real servers on loopback. `tests/run` starts them and names their addresses; a missing address fails.

use crate::conformance::suite;
use lakebed::StorageOptions;

fn address(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run these tests through tests/run"))
}

/// A place in the bucket that no earlier run has used.
fn fresh() -> String {
    format!("conformance/{}", lakebed::Env::system().new_uuid())
}

async fn s3(variable: &str) {
    let cache = tempfile::tempdir().unwrap();
    let options = StorageOptions::new()
        .environment([])
        .set("endpoint", address(variable))
        .set("access_key_id", std::env::var("LAKEBED_TEST_S3_KEY").unwrap_or_else(|_| "lake".to_owned()))
        .set("secret_access_key", std::env::var("LAKEBED_TEST_S3_SECRET").unwrap_or_else(|_| "lakelake123".to_owned()))
        .set("region", "us-east-1")
        .set("cache_dir", cache.path().to_str().unwrap());
    suite(&format!("s3://lake/{} a+b%25/t", fresh()), &options).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn minio() {
    s3("LAKEBED_TEST_S3_ENDPOINT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn second_s3() {
    s3("LAKEBED_TEST_S3_ENDPOINT_2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite() {
    let cache = tempfile::tempdir().unwrap();
    // The account and key that every Azurite starts with; they are public.
    let account = "devstoreaccount1";
    let options = StorageOptions::new()
        .environment([])
        .set("azure_endpoint", format!("{}/{account}", address("LAKEBED_TEST_AZURITE")))
        .set("account_name", account)
        .set("account_key", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
        .set("cache_dir", cache.path().to_str().unwrap());
    suite(&format!("az://lake/{}/t", fresh()), &options).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gcs() {
    let cache = tempfile::tempdir().unwrap();
    let account = serde_json::json!({
        "gcs_base_url": address("LAKEBED_TEST_GCS"), "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""
    });
    let options = StorageOptions::new()
        .environment([])
        .set("google_service_account_key", account.to_string())
        .set("allow_http", "true")
        .set("cache_dir", cache.path().to_str().unwrap());
    suite(&format!("gs://lake/{}/t", fresh()), &options).await;
}
