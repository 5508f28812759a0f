//! The conformance suite over real servers. Those of the other clouds run in the long lane only and are named so.

use super::{address, fresh, s3_options};
use crate::care;
use crate::conformance::suite;
use crate::remote::{append, failing, two_batches_and};
use futures::stream::{self, StreamExt};
use lakebed::{StorageOptions, Table};
use object_store::ClientOptions;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpConnector, HttpRequest, ReqwestConnector};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn minio_conforms() {
    suite(&format!("s3://lake/{} a+b%25/t", fresh("conformance")), &s3_options("LAKEBED_TEST_S3_ENDPOINT")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_s3_conforms() {
    suite(&format!("s3://lake/{} a+b%25/t", fresh("conformance")), &s3_options("LAKEBED_TEST_S3_ENDPOINT_2")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_on_minio_are_cared_for() {
    care::suite(&format!("s3://lake/{} a+b%25", fresh("care")), &s3_options("LAKEBED_TEST_S3_ENDPOINT")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_on_a_second_s3_are_cared_for() {
    care::suite(&format!("s3://lake/{} a+b%25", fresh("care")), &s3_options("LAKEBED_TEST_S3_ENDPOINT_2")).await;
}

fn azurite(cache: &tempfile::TempDir) -> StorageOptions {
    // The account and key that every Azurite starts with; they are public.
    let account = "devstoreaccount1";
    StorageOptions::new()
        .environment([])
        .set("azure_endpoint", format!("{}/{account}", address("LAKEBED_TEST_AZURITE")))
        .set("account_name", account)
        .set("account_key", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
        .set("cache_dir", cache.path().to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite_conforms_and_its_tables_are_cared_for_long_lane() {
    let cache = tempfile::tempdir().unwrap();
    suite(&format!("az://lake/{}/t", fresh("conformance")), &azurite(&cache)).await;
    care::suite(&format!("az://lake/{}", fresh("care")), &azurite(&cache)).await;
}

fn fake_gcs(cache: &tempfile::TempDir) -> StorageOptions {
    let account = serde_json::json!({
        "gcs_base_url": address("LAKEBED_TEST_GCS"), "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""
    });
    StorageOptions::new()
        .environment([])
        .set("google_service_account_key", account.to_string())
        .set("allow_http", "true")
        .set("cache_dir", cache.path().to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn gcs_conforms_and_its_tables_are_cared_for_long_lane() {
    let cache = tempfile::tempdir().unwrap();
    suite(&format!("gs://lake/{}/t", fresh("conformance")), &fake_gcs(&cache)).await;
    care::suite(&format!("gs://lake/{}", fresh("care")), &fake_gcs(&cache)).await;
}

/// What an S3 server says about uploads in parts that are neither complete nor aborted.
async fn unfinished_uploads(variable: &str) -> String {
    let keys = |name: &str, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    let credential = AwsCredential {
        key_id: keys("LAKEBED_TEST_S3_KEY", "lake"),
        secret_key: keys("LAKEBED_TEST_S3_SECRET", "lakelake123"),
        token: None,
    };
    let mut request = HttpRequest::new(Vec::new().into());
    *request.uri_mut() = format!("{}/lake?uploads=", address(variable)).parse().unwrap();
    AwsAuthorizer::new(&credential, "s3", "us-east-1").authorize(&mut request, None);
    let client = ReqwestConnector::default().connect(&ClientOptions::new().with_allow_http(true)).unwrap();
    let answer = client.execute(request).await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    String::from_utf8(answer.into_body().bytes().await.unwrap().to_vec()).unwrap()
}

async fn uploads_end_with_their_append(variable: &str) {
    let name = fresh("uploads");
    let table = Table::at(&format!("s3://lake/{name}/t")).storage_options(s3_options(variable)).open().unwrap();
    assert!(append(&table, two_batches_and(failing())).await.is_err());
    assert!(!unfinished_uploads(variable).await.contains(&name), "an append that failed");

    let limit = Instant::now() + Duration::from_secs(60);
    let work = tokio::spawn(async move { append(&table, two_batches_and(stream::pending().boxed())).await.map(|_| ()) });
    while !unfinished_uploads(variable).await.contains(&name) {
        assert!(Instant::now() < limit && !work.is_finished(), "no upload began");
    }
    work.abort();
    while unfinished_uploads(variable).await.contains(&name) {
        assert!(Instant::now() < limit, "an append that was dropped left its upload");
    }
}

// spec: STO-5
#[tokio::test(flavor = "multi_thread")]
async fn minio_keeps_no_upload_of_an_append_that_failed_or_was_dropped() {
    uploads_end_with_their_append("LAKEBED_TEST_S3_ENDPOINT").await;
}

// spec: STO-5
#[tokio::test(flavor = "multi_thread")]
async fn a_second_s3_keeps_no_upload_of_an_append_that_failed_or_was_dropped() {
    uploads_end_with_their_append("LAKEBED_TEST_S3_ENDPOINT_2").await;
}
