//! Copies of tables, tables of files, manifests.

use super::row_changes::{Row, batch, made, rows};
use super::*;
use lakebed::{At, CloneTable, Code, Expr, StorageOptions, Version};
use serde_json::json;

fn row(id: i64, p: &str) -> Row {
    Row { id: Some(id), n: Some(id * 2), p: Some(p.to_owned()) }
}

/// A table with odd partitions and a deletion vector.
async fn source() -> Place {
    let place = made(&["p"], &[("delta.enableDeletionVectors", "true"), ("delta.enableRowTracking", "true")]).await;
    append(&place.table, vec![batch(&[row(1, "a b"), row(2, "x=y/%"), row(3, "x=y/%"), row(4, "é")])]).run().await.unwrap();
    place.table.delete().filter(Expr::sql("id = 3").unwrap()).run().await.unwrap();
    place
}

async fn clone_of(source: &Place, target: &Table) -> CloneTable {
    source.table.snapshot().await.unwrap().clone_to(target)
}

fn allowed(place: &Place, root: &Place) -> Table {
    let options = StorageOptions::new().allow_root(root.folder.path().to_str().unwrap());
    Table::at(place.folder.path().to_str().unwrap()).storage_options(options).open().unwrap()
}

fn all_files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => out.extend(all_files(&path)),
            false => _ = out.insert(path.to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()),
        }
    }
    out
}

// spec: CPY-1, CPY-2, CPY-3
#[tokio::test]
async fn a_shallow_copy_names_the_sources_files_and_is_read_where_that_is_permitted() {
    let (source, copy) = (source().await, place());
    let before = all_files(source.folder.path());
    let report = clone_of(&source, &copy.table).await.property("owner", "me").run().await.unwrap();
    assert_eq!((report.version, report.operation.as_str(), &report.metrics["sourceNumOfFiles"]), (Some(Version(0)), "CLONE", &json!(3)));
    assert_eq!(all_files(source.folder.path()), before, "the source is never written");
    assert_eq!(copy.files(), 0);
    let reader = allowed(&copy, &source);
    assert_eq!(rows(&reader).await, rows(&source.table).await);
    let info = &copy.actions(0, "commitInfo")[0];
    assert_eq!(info["operationParameters"]["sourceVersion"], 2);
    assert!(info["operationParameters"]["source"].as_str().unwrap().starts_with("delta.`file:"));
    for add in copy.actions(0, "add") {
        assert!(add["path"].as_str().unwrap().starts_with("file:///"), "{add}");
        assert!(add["deletionVector"].is_null() || add["deletionVector"]["storageType"] == "p", "{add}");
        assert_eq!(add["defaultRowCommitVersion"], 0, "rows of a copy are new rows");
    }
    let (now, then) = (&copy.actions(0, "metaData")[0], &source.actions(0, "metaData")[0]);
    assert!(now["id"] != then["id"] && now["configuration"]["owner"] == "me" && now["schemaString"] == then["schemaString"]);
    let key = "delta.rowTracking.materializedRowIdColumnName";
    assert_ne!(now["configuration"][key], then["configuration"][key]);
    // Without permission nothing of it is opened.
    let scan = copy.table.snapshot().await.unwrap().scan().build().unwrap();
    let refused: Vec<_> = futures::StreamExt::collect::<Vec<_>>(scan.stream()).await;
    assert!(refused.iter().any(|r| r.as_ref().is_err_and(|e| e.code().as_str().starts_with("LB-PATH"))));
    // It is a table of its own.
    append(&reader, vec![batch(&[row(9, "a b")])]).run().await.unwrap();
    reader.delete().filter(Expr::sql("id = 1").unwrap()).run().await.unwrap();
    assert_eq!(rows(&reader).await.iter().filter_map(|r| r.id).collect::<Vec<_>>(), [2, 4, 9]);
    assert_eq!(all_files(source.folder.path()), before);
    let e = clone_of(&source, &copy.table).await.run().await.unwrap_err();
    assert_eq!(e.code(), Code::TABLE_EXISTS);
}

// spec: CPY-4, CPY-5
#[tokio::test]
async fn a_deep_copy_stands_alone_and_a_second_one_copies_what_is_new() {
    let (source, copy) = (source().await, place());
    let report = clone_of(&source, &copy.table).await.deep().run().await.unwrap();
    assert_eq!((report.version, &report.metrics["numCopiedFiles"]), (Some(Version(0)), &json!(3)));
    assert_eq!(rows(&copy.table).await, rows(&source.table).await);
    let same = clone_of(&source, &copy.table).await.deep().run().await.unwrap();
    assert_eq!(same.version, None, "nothing is new");
    append(&source.table, vec![batch(&[row(7, "new")])]).run().await.unwrap();
    source.table.delete().filter(Expr::sql("id = 1 OR id = 2").unwrap()).run().await.unwrap();
    let report = clone_of(&source, &copy.table).await.deep().run().await.unwrap();
    assert_eq!(
        (report.version, &report.metrics["numCopiedFiles"], &report.metrics["numRemovedFiles"]),
        (Some(Version(1)), &json!(1), &json!(2))
    );
    assert_eq!(rows(&copy.table).await, rows(&source.table).await);
    let wanted = rows(&source.table).await;
    source.folder.close().unwrap();
    assert_eq!(rows(&copy.table).await, wanted, "the copy needs nothing of the source");
    let (stranger, other) = (made(&[], &[]).await, place());
    let e = stranger.table.snapshot().await.unwrap().clone_to(&copy.table).deep().run().await.unwrap_err();
    assert_eq!(e.code(), Code::TABLE_EXISTS, "it is a copy of another table");
    stranger.table.snapshot().await.unwrap().clone_to(&other.table).deep().run().await.unwrap();
}

// spec: CPY-4
#[tokio::test]
async fn a_deep_copy_finds_what_an_earlier_try_has_copied_and_names_what_is_missing() {
    let (source, copy) = (source().await, place());
    let gone = std::fs::read_dir(source.folder.path().join("p=é")).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&gone).unwrap();
    std::fs::remove_file(&gone).unwrap();
    let e = clone_of(&source, &copy.table).await.deep().run().await.unwrap_err();
    assert!(e.code() == Code::FILE && e.to_string().contains("p=é"), "{e}");
    assert_eq!(copy.versions(), 0);
    std::fs::write(&gone, &bytes[1..]).unwrap();
    let e = clone_of(&source, &copy.table).await.deep().run().await.unwrap_err();
    assert!(e.code() == Code::FILE && e.to_string().contains("instead of"), "{e}");
    std::fs::write(&gone, bytes).unwrap();
    clone_of(&source, &copy.table).await.deep().run().await.unwrap();
    assert_eq!(rows(&copy.table).await, rows(&source.table).await);
    // A deep copy of a shallow one has the files of the first source.
    let (shallow, second) = (place(), place());
    clone_of(&source, &shallow.table).await.run().await.unwrap();
    let shallow = allowed(&shallow, &source);
    shallow.snapshot().await.unwrap().clone_to(&second.table).deep().run().await.unwrap();
    assert_eq!(rows(&second.table).await, rows(&source.table).await);
}

// spec: CPY-6, PLN-1, PLN-2
#[tokio::test]
async fn a_copy_shows_its_plan_and_carries_out_that_very_plan() {
    let (source, copy) = (source().await, place());
    let shallow = clone_of(&source, &copy.table).await.plan().await.unwrap();
    assert_eq!((shallow.summary().amount("add").count, shallow.summary().read_version, shallow.summary().requests.put), (3, None, 1));
    let plan = clone_of(&source, &copy.table).await.deep().plan().await.unwrap();
    let summary = plan.summary().clone();
    // Three data files and a vector.
    assert_eq!((summary.amount("add").count, summary.amount("copy").count, summary.amount("found").count), (3, 4, 0));
    assert_eq!((summary.bytes_written, summary.items.len()), (summary.amount("copy").bytes, 4));
    assert_eq!(copy.versions(), 0, "a plan does nothing");
    let kept: lakebed::ClonePlan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(kept, plan);
    let report = clone_of(&source, &copy.table).await.deep().execute(kept).await.unwrap();
    let (planned, actual) = (report.planned.unwrap(), report.actual.unwrap());
    assert_eq!((&planned, report.version), (&summary, Some(Version(0))));
    assert_eq!(actual.requests.get, 4, "what is copied, and nothing else, is read by whoever has a plan");
    assert!(actual.bytes_written > planned.bytes_written, "the commit is on top");
    assert_eq!(rows(&copy.table).await, rows(&source.table).await);
    // Half of another copy is there already.
    let other = place();
    let half = source.folder.path().join("p=é");
    std::fs::create_dir(other.folder.path().join("p=é")).unwrap();
    let file = std::fs::read_dir(half).unwrap().next().unwrap().unwrap();
    std::fs::copy(file.path(), other.folder.path().join("p=é").join(file.file_name())).unwrap();
    let plan = clone_of(&source, &other.table).await.deep().plan().await.unwrap();
    assert_eq!((plan.summary().amount("copy").count, plan.summary().amount("found").count), (3, 1));
    let report = clone_of(&source, &other.table).await.deep().run().await.unwrap();
    let (planned, actual) = (report.planned.unwrap().requests, report.actual.unwrap().requests);
    assert_eq!((planned.head, planned.put), (actual.head, actual.put), "requests are known beforehand");
    assert_eq!(rows(&other.table).await, rows(&source.table).await);
    // The plan of a copy that moved on is made anew, that of another version refused.
    append(&source.table, vec![batch(&[row(7, "new")])]).run().await.unwrap();
    let plan = clone_of(&source, &copy.table).await.deep().plan().await.unwrap();
    append(&copy.table, vec![batch(&[row(99, "stray")])]).run().await.unwrap();
    let report = clone_of(&source, &copy.table).await.deep().execute(plan.clone()).await.unwrap();
    assert_eq!((report.planned.unwrap().amount("remove").count, plan.summary().amount("remove").count), (1, 0));
    assert_eq!(rows(&copy.table).await, rows(&source.table).await);
    source.table.delete().filter(Expr::sql("id = 7").unwrap()).run().await.unwrap();
    let e = clone_of(&source, &copy.table).await.deep().execute(plan).await.unwrap_err();
    assert_eq!(e.code(), Code::INPUT);
}

fn parquet(place: &Place, name: &str, batch: &RecordBatch) {
    let path = place.folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

// spec: CVT-1, CVT-2, CVT-4, CVT-5
#[tokio::test]
async fn a_folder_of_parquet_becomes_a_table_where_it_lies() {
    let place = place();
    parquet(&place, "p=a b/1.parquet", &ids_and_texts(&[(1, Some("x")), (5, None)]));
    let extra = Arc::new(Int64Array::from(vec![7])) as ArrayRef;
    let wider = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![9])) as ArrayRef), ("extra", extra)]).unwrap();
    parquet(&place, "p=x%3Dy%2F%25/2.parquet", &wider);
    parquet(&place, "p=__HIVE_DEFAULT_PARTITION__/3.parquet", &ids_and_texts(&[(11, Some("z"))]));
    std::fs::write(place.folder.path().join("_SUCCESS"), b"").unwrap();
    let e = place.table.convert().run().await.unwrap_err();
    assert!(e.code() == Code::SCHEMA && e.next_step().unwrap().contains("--partition-schema"), "{e}");
    let before: Vec<_> = all_files(place.folder.path()).into_iter().collect();
    let report = place.table.convert().partition_schema(Struct::from_sql("p STRING").unwrap()).run().await.unwrap();
    assert_eq!((report.version, report.operation.as_str(), &report.metrics["numConvertedFiles"]), (Some(Version(0)), "CONVERT", &json!(3)));
    let after = all_files(place.folder.path());
    assert!(before.iter().all(|(name, bytes)| &after[name] == bytes), "no file is touched");
    let info = &place.actions(0, "commitInfo")[0]["operationParameters"];
    assert_eq!(*info, json!({"numFiles": 3, "partitionedBy": "[\"p\"]", "collectStats": true, "sourceFormat": "parquet"}));
    let snapshot = place.table.snapshot().await.unwrap();
    assert_eq!(snapshot.state().schema().fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["id", "s", "extra", "p"]);
    let count = async |text: &str| snapshot.scan().filter(Expr::sql(text).unwrap()).build().unwrap().count().await.unwrap();
    assert_eq!(
        (count("p = 'x=y/%' AND extra = 7 AND s IS NULL").await, count("p IS NULL").await, count("p = 'a b' AND id > 1").await),
        (1, 1, 1)
    );
    let stats: Value = serde_json::from_str(
        place.actions(0, "add").iter().find(|a| a["partitionValues"]["p"] == "a b").unwrap()["stats"].as_str().unwrap(),
    )
    .unwrap();
    assert_eq!(
        stats,
        json!({"numRecords": 2, "minValues": {"id": 1, "s": "x"}, "maxValues": {"id": 5, "s": "x"}, "nullCount": {"id": 0, "s": 1}})
    );
    let e = place.table.convert().run().await.unwrap_err();
    assert_eq!(e.code(), Code::TABLE_EXISTS);
}

// spec: CVT-6, PLN-2
#[tokio::test]
async fn converting_shows_its_plan_and_carries_out_that_very_plan() {
    let place = place();
    parquet(&place, "p=1/a.parquet", &ids_and_texts(&[(1, Some("x"))]));
    parquet(&place, "p=2/b.parquet", &ids_and_texts(&[(2, None)]));
    let convert = || place.table.convert().partition_schema(Struct::from_sql("p INT").unwrap());
    let plan = convert().plan().await.unwrap();
    let summary = plan.summary().clone();
    assert_eq!((summary.amount("add").count, summary.items[0].path.as_str(), summary.read_version), (2, "p=1/a.parquet", None));
    assert!(summary.requests.get >= 2 && summary.requests.put == 1 && summary.bytes_read > 0, "{summary:?}");
    assert_eq!(place.versions(), 0);
    let kept: lakebed::ConvertPlan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    // What the plan says is committed, and the files are not read again.
    parquet(&place, "p=3/late.parquet", &ids_and_texts(&[(3, None)]));
    let report = convert().execute(kept).await.unwrap();
    let (planned, actual) = (report.planned.unwrap(), report.actual.unwrap());
    assert_eq!((planned, actual.requests.get), (summary, 0));
    assert_eq!(place.table.snapshot().await.unwrap().scan().build().unwrap().count().await.unwrap(), 2);
}

// spec: CVT-4
#[tokio::test]
async fn folders_that_are_no_table_are_refused_by_name() {
    let empty = place();
    assert_eq!(empty.table.convert().run().await.unwrap_err().code(), Code::TABLE);
    let mixed = place();
    parquet(&mixed, "1.parquet", &ids_and_texts(&[(1, None)]));
    let texts = RecordBatch::try_from_iter([("id", Arc::new(StringArray::from(vec!["1"])) as ArrayRef)]).unwrap();
    parquet(&mixed, "2.parquet", &texts);
    let e = mixed.table.convert().run().await.unwrap_err();
    assert!(e.code() == Code::SCHEMA && e.to_string().contains("2.parquet") && e.to_string().contains("id"), "{e}");
    std::fs::write(mixed.folder.path().join("2.parquet"), b"no Parquet at all").unwrap();
    let e = mixed.table.convert().run().await.unwrap_err();
    assert!(e.code() == Code::FILE && e.to_string().contains("2.parquet"), "{e}");
    assert_eq!((empty.versions(), mixed.versions()), (0, 0));
}

// spec: MAN-1, MAN-2
#[tokio::test]
async fn manifests_list_the_files_of_each_partition_and_go_with_it() {
    let place = made(&["p"], &[]).await;
    append(&place.table, vec![batch(&[row(1, "a b"), row(2, "x=y/%")])]).run().await.unwrap();
    let report = place.table.generate_manifest().run().await.unwrap();
    assert_eq!((report.version, &report.metrics["numManifests"], &report.metrics["numFiles"]), (None, &json!(2), &json!(2)));
    let manifest = |folder: &str| place.folder.path().join("_symlink_format_manifest").join(folder).join("manifest");
    for folder in ["p=a b", "p=x%3Dy%2F%25"] {
        let text = std::fs::read_to_string(manifest(folder)).unwrap();
        let line = text.strip_suffix('\n').unwrap();
        assert!(std::path::Path::new(line.strip_prefix("file://").unwrap()).is_file(), "{line}");
        assert!(line.contains(&format!("/{folder}/")), "names stand as they are: {line}");
    }
    place.table.delete().filter(Expr::sql("id = 1").unwrap()).run().await.unwrap();
    let report = place.table.generate_manifest().run().await.unwrap();
    assert_eq!(report.metrics["numDeletedManifests"], 1);
    assert!(!manifest("p=a b").exists() && manifest("p=x%3Dy%2F%25").exists());
    let none = made(&[], &[]).await;
    none.table.generate_manifest().run().await.unwrap();
    assert_eq!(std::fs::read_to_string(none.folder.path().join("_symlink_format_manifest/manifest")).unwrap(), "");
}

// spec: MAN-4
#[tokio::test]
async fn commits_renew_the_manifests_of_the_partitions_that_they_change() {
    let place = made(&["p"], &[("delta.compatibility.symlinkFormatManifest.enabled", "true")]).await;
    let manifest = |p: &str| place.folder.path().join(format!("_symlink_format_manifest/p={p}/manifest"));
    let lines = |p: &str| std::fs::read_to_string(manifest(p)).map_or(0, |text| text.lines().count());
    let all = async |rows: &[Row]| {
        let report = append(&place.table, vec![batch(rows)]).run().await.unwrap();
        assert_eq!(report.warnings, [] as [String; 0]);
    };
    all(&[row(1, "a"), row(2, "b")]).await;
    assert_eq!((lines("a"), lines("b")), (1, 1));
    std::fs::remove_file(manifest("b")).unwrap();
    all(&[row(3, "a")]).await;
    assert_eq!((lines("a"), manifest("b").exists()), (2, false), "only what changed is written");
    let report = place.table.optimize().run().await.unwrap();
    assert_eq!((report.version, report.warnings.len(), lines("a")), (Some(Version(3)), 0, 1));
    place.table.delete().filter(Expr::sql("p = 'a'").unwrap()).run().await.unwrap();
    assert!(!manifest("a").exists(), "a partition without files has none");
    place.table.restore(At::Version(Version(2))).run().await.unwrap();
    assert_eq!(lines("a"), 2);
    // What stands in the way is a warning.
    let mapped = made(&[], &[("delta.compatibility.symlinkFormatManifest.enabled", "true"), ("delta.columnMapping.mode", "name")]).await;
    let report = append(&mapped.table, vec![batch(&[row(1, "a")])]).run().await.unwrap();
    assert!(report.version.is_some() && report.warnings[0].contains("manifests were not renewed"), "{:?}", report.warnings);
}

// spec: MAN-3
#[tokio::test]
async fn tables_whose_files_do_not_say_it_all_have_no_manifests() {
    let vectors = source().await;
    let e = vectors.table.generate_manifest().run().await.unwrap_err();
    assert!(e.code() == Code::FEATURE_WRITE && e.next_step().is_some(), "{e}");
    let mapped = made(&[], &[("delta.columnMapping.mode", "name")]).await;
    let e = mapped.table.generate_manifest().run().await.unwrap_err();
    assert_eq!(e.code(), Code::FEATURE_WRITE);
    assert!(!vectors.folder.path().join("_symlink_format_manifest").exists());
}

// spec: DIF-1, DIF-2, DIF-3
#[tokio::test]
async fn versions_differ_in_rows_and_not_in_where_rows_lie() {
    for properties in [&[][..], &[("delta.enableDeletionVectors", "true")]] {
        let place = made(&[], properties).await;
        append(&place.table, vec![batch(&[row(1, "a"), row(2, "a"), row(2, "a"), row(3, "c")])]).run().await.unwrap();
        place.table.update().set("n", Expr::sql("n + 1").unwrap()).filter(Expr::sql("id = 3").unwrap()).run().await.unwrap();
        place.table.delete().filter(Expr::sql("id = 1").unwrap()).run().await.unwrap();
        append(&place.table, vec![batch(&[row(2, "a"), row(9, "z")])]).run().await.unwrap();
        place.set_property("owner", "me");
        let at = |v: u64| At::Version(Version(v));
        let between = async |from: u64, to: u64| {
            let d = place.table.diff(at(from)).to(at(to)).run().await.unwrap();
            (d.rows_added, d.rows_removed)
        };
        assert_eq!(between(0, 1).await, (4, 0));
        assert_eq!(between(1, 2).await, (1, 1), "an update is one row that goes and one that comes");
        assert_eq!(between(2, 3).await, (0, 1));
        assert_eq!(between(1, 4).await, (3, 2));
        assert_eq!(between(4, 1).await, (2, 3));
        assert_eq!(between(3, 3).await, (0, 0));
        let all = place.table.diff(at(4)).run().await.unwrap();
        assert_eq!((all.to, all.files_added, all.property_changes.len()), (Version(5), 0, 1));
        assert_eq!((all.property_changes[0].property.as_str(), all.property_changes[0].to.as_deref()), ("owner", Some("me")));
    }
}
