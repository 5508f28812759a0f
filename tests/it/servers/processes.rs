//! Real writer processes on one table of a real object store, some of them killed.

use super::{fresh, s3_table};
use crate::processes::{commits, judge, write};

#[tokio::test]
async fn writer_process() {
    write(s3_table).await;
}

// spec: COM-4, COM-5, COM-6, COM-9
#[tokio::test]
async fn killed_processes_on_one_table_in_minio_leave_every_acknowledged_commit_exactly_once() {
    let url = format!("s3://lake/{}", fresh("processes"));
    judge("servers::processes::writer_process", &url, s3_table(&url), commits()).await;
}
