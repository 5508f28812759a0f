//! Whether what a transaction wants is a legal commit on a base. Kind: pure. Spec: COM.

use super::rebase::Base;
use super::{RowDelete, Work};
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::features::TableState;
use crate::log::VectorDescriptor;
use std::collections::HashMap;
use std::hash::Hash;

/// Refuses what must not stand in one commit, or on this table. `LB-INPUT` names the doubled object; errors of
/// `TableState::check_writable` and of the features come first.
pub(crate) fn check(work: &Work, base: &Base, after: &TableState) -> Result<()> {
    base.state.check_writable()?;
    after.check_writable()?;
    let intent = &work.intent;
    if base.version.is_none() && (intent.protocol.is_none() || intent.metadata.is_none()) {
        return Err(Error::new(Code::INPUT, "the first commit of a table must set its protocol and its metadata"));
    }
    if intent.removes_anything() && !work.reads.reads_rows() {
        return Err(Error::new(Code::INPUT, "files are removed, but nothing was read")
            .help("record what was read with Transaction::read, so that concurrent changes to it are noticed"));
    }
    once("application", intent.apps.iter().map(|a| a.app_id.as_str()))?;
    once("domain", intent.domains.iter().map(|d| d.domain.as_str()))?;
    let file = |path: &'_ str| work.paths.normalise(path).into_owned();
    let shortened = once_with("path of deleted rows", intent.row_deletes.iter().map(|r| (file(&r.file.path), r.file.path.as_str(), ())))?;
    let added = once_with("added path", intent.adds.iter().map(|a| (file(&a.path), a.path.as_str(), vector_id(&a.deletion_vector))))?;
    let removed =
        once_with("removed path", intent.removes.iter().map(|r| (file(&r.path), r.path.as_str(), vector_id(&r.deletion_vector))))?;
    if let Some((path, _)) = added.iter().find(|(path, vector)| removed.get(*path) == Some(vector)) {
        return Err(Error::new(Code::INPUT, "a file is removed and added in one commit with the same deletion vector")
            .with("path", String::from_utf8_lossy(path)));
    }
    if let Some((path, ())) = shortened.iter().find(|(path, ())| added.contains_key(*path) || removed.contains_key(*path)) {
        return Err(Error::new(Code::INPUT, "rows of a file are deleted in the commit that also adds or removes the file")
            .with("path", String::from_utf8_lossy(path)));
    }
    once("change file", intent.cdcs.iter().map(|c| c.path.as_str()))?;
    intent.row_deletes.iter().try_for_each(check_vector)?;
    check_features(work, base, after)?;
    intent.removes.iter().try_for_each(|remove| after.check_remove(remove))?;
    intent.row_deletes.iter().try_for_each(|rows| after.check_remove(&rows.remove(Timestamp(0))))
}

/// Refuses a vector that does not grow by exactly the rows that go, or that exceeds its file. These are our own words, so a
/// contradiction is a defect of whoever staged them.
fn check_vector(rows: &RowDelete) -> Result<()> {
    let wrong = |what: &str| Err(Error::new(Code::INTERNAL, what).with("path", &rows.file.path));
    let Some(records) = rows.records() else {
        return wrong("rows of a file are deleted by a vector, but its statistics do not say how many rows it has");
    };
    let grown = i64::try_from(rows.rows.len()).ok().and_then(|n| n.checked_add(rows.deleted_before()));
    match rows.vector.cardinality {
        _ if rows.rows.is_empty() => wrong("a new deletion vector deletes no new row"),
        n if Some(n) != grown => wrong("a new deletion vector does not hold the rows of the old one and the new ones"),
        n if n > records || rows.rows.max().is_some_and(|max| i64::try_from(max).is_ok_and(|max| max >= records)) => {
            wrong("a deletion vector names rows that its file does not have")
        }
        _ => Ok(()),
    }
}

/// Refuses what readers or writers of the table would not expect: an action that its protocol does not allow, a lowered protocol, another
/// identity.
fn check_features(work: &Work, base: &Base, after: &TableState) -> Result<()> {
    let intent = &work.intent;
    intent.domains.iter().try_for_each(|domain| after.check_domain(domain))?;
    intent.adds.iter().try_for_each(|add| after.check_add(add))?;
    intent.row_deletes.iter().filter_map(RowDelete::add).try_for_each(|add| after.check_add(&add))?;
    if base.version.is_none() {
        return Ok(());
    }
    if !intent.drops_feature
        && let Some(lost) = base.state.protocol_loss(after)
    {
        return Err(Error::new(Code::INPUT, format!("a commit must not take back what the protocol promises: {lost}")));
    }
    let ids = (&base.state.metadata().id, &after.metadata().id);
    match ids.0 == ids.1 {
        true => Ok(()),
        false => Err(Error::new(Code::INPUT, "the identity of a table never changes").with("table", ids.0).with("metadata", ids.1)),
    }
}

fn vector_id(vector: &Option<VectorDescriptor>) -> Option<String> {
    vector.as_ref().map(VectorDescriptor::unique_id)
}

fn once<'a>(what: &'static str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    once_with(what, names.map(|n| (n, n, ()))).map(|_| ())
}

/// The values by key; `LB-INPUT` with the name of a key that comes twice.
fn once_with<'a, K: Eq + Hash, T>(what: &'static str, items: impl Iterator<Item = (K, &'a str, T)>) -> Result<HashMap<K, T>> {
    let mut seen = HashMap::new();
    for (key, name, value) in items {
        if seen.insert(key, value).is_some() {
            return Err(Error::new(Code::INPUT, "the commit names something twice").with(what, name));
        }
    }
    Ok(seen)
}
