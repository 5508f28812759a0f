//! Rows that keep their name for as long as they live, whatever file they are in. Kind: pure. Spec: RID.
//!
//! A file's rows are named by their positions from `baseRowId` on; rows that were moved carry their name in a column of their own.
//! Invariant: no two live rows have the same id, and the high-water mark is never below an id that was given.

use super::commit::CommitDraft;
use super::drafts::{HiddenColumn, MovedColumn, TableDraft, WritePlan};
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{Downgrade, TableFeature, TableState};
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::log::{Add, DomainMetadata, StringMap};
use serde_json::Value;

const ENABLED: &str = "delta.enableRowTracking";
const SUSPENDED: &str = "delta.rowTrackingSuspended";
const ID_COLUMN: &str = "delta.rowTracking.materializedRowIdColumnName";
const VERSION_COLUMN: &str = "delta.rowTracking.materializedRowCommitVersionColumnName";
const DOMAIN: &str = "delta.rowTracking";
const HIGH_WATER_MARK: &str = "rowIdHighWaterMark";
const PRESERVED: &str = "delta.rowTracking.preserved";

/// Active as soon as it is supported: new files need row ids even before the property is set.
pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::RowTracking,
    name: "rowTracking",
    aliases: &[],
    scope: Scope::Writer,
    legacy: None,
    requires: &[TableFeature::DomainMetadata],
    active: Active::When(|state| state.is_true(ENABLED) || state.is_supported(TableFeature::RowTracking) && !state.is_true(SUSPENDED)),
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks {
        shape_table: Some(shape_table),
        check_table: Some(check_table),
        write_stages: Some(write_stages),
        stamp_commit: Some(stamp_commit),
        downgrade: Some(DOWNGRADE),
        ..Hooks::NONE
    },
};

/// Properties that name the columns in which moved rows carry their ids, and how the names begin.
const NAMED_COLUMNS: [(&str, &str); 2] = [(ID_COLUMN, "_row-id-col-"), (VERSION_COLUMN, "_row-commit-version-col-")];

/// Names the columns in which moved rows carry their ids, once for the life of the table.
pub(super) fn shape_table(draft: &mut TableDraft<'_>) -> Result<()> {
    let is_true = |draft: &TableDraft<'_>, key| draft.property(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
    if !is_true(draft, ENABLED) {
        return Ok(());
    }
    if is_true(draft, SUSPENDED) {
        return Err(Error::new(Code::PROPERTY, format!("`{ENABLED}` and `{SUSPENDED}` cannot both be true")));
    }
    for (key, prefix) in NAMED_COLUMNS {
        if draft.property(key).is_none() {
            draft.set_property(key, format!("{prefix}{}", draft.env.new_uuid()));
        }
    }
    Ok(())
}

/// Gives a copy of a table columns of its own in which moved rows carry their ids; those of `copy`, when it has them.
pub(super) fn name_columns_anew(properties: &mut StringMap, copy: Option<&TableState>, env: &Env) {
    for (key, prefix) in NAMED_COLUMNS {
        if let Some(name) = properties.get_mut(key) {
            let kept = copy.and_then(|copy| copy.property(key)).map(str::to_owned);
            *name = kept.unwrap_or_else(|| format!("{prefix}{}", env.new_uuid()));
        }
    }
}

/// What a table says only while its rows have ids, or to have none.
pub(super) const ROW_ID_PROPERTIES: &[&str] = &[ENABLED, SUSPENDED, ID_COLUMN, VERSION_COLUMN];

const DOWNGRADE: Downgrade = Downgrade {
    set: &[(ENABLED, "false"), (SUSPENDED, "true")],
    leftovers: ROW_ID_PROPERTIES,
    domains: Some(DOMAIN),
    strips: Some(|add| {
        add.base_row_id = None;
        add.default_row_commit_version = None;
    }),
    ..Downgrade::NONE
};

/// Rows that are there must have ids before it can be relied on that all have.
fn check_table(before: Option<&TableState>, after: &TableState) -> Result<()> {
    match before {
        Some(before) if after.keeps_row_ids() && !before.gives_row_ids() => {
            Err(Error::new(Code::PROPERTY, format!("`{ENABLED}` cannot be set before the rows of the table have ids"))
                .help("add the feature, give ids to the files that have none, then set the property"))
        }
        _ => Ok(()),
    }
}

/// Moved rows keep their ids only while the feature is enabled, not merely supported.
fn write_stages(state: &TableState, plan: &mut WritePlan) -> Result<()> {
    plan.moved = state.materialised_columns()?;
    Ok(())
}

/// Gives every file that has none the ids above the mark and the version of this commit; files that were there keep theirs.
fn stamp_commit(before: &TableState, after: &TableState, draft: &mut CommitDraft) -> Result<()> {
    let mark = before.row_id_high_water_mark()?;
    // A file that comes back from an older version or another place may lie above the mark.
    let last = |add: &Add| Some(add.base_row_id?.saturating_add(add.num_records().unwrap_or(0).max(0)).saturating_sub(1));
    let mut highest = draft.adds.iter().filter_map(last).fold(mark, i64::max);
    for add in &mut draft.adds {
        if add.base_row_id.is_none() {
            let rows = add.num_records().filter(|rows| *rows >= 0).ok_or_else(|| {
                Error::new(Code::INPUT, "a file whose rows are to have ids does not say how many it has")
                    .with("path", &add.path)
                    .help("give the file statistics with `numRecords`")
            })?;
            let used_up = || Error::new(Code::LIMIT, "the table has used up its row ids").with("path", &add.path);
            let base = highest.checked_add(1).ok_or_else(used_up)?;
            highest = highest.checked_add(rows).ok_or_else(used_up)?;
            add.base_row_id = Some(base);
        }
        add.default_row_commit_version.get_or_insert(i64::try_from(draft.version.0).unwrap_or(i64::MAX));
    }
    if highest > mark {
        draft.domains.retain(|domain| domain.domain != DOMAIN);
        draft.domains.push(high_water_mark(highest));
    }
    let carried = draft.prepared_on.as_ref().is_none_or(|state| state.keeps_row_ids());
    if draft.removes && after.keeps_row_ids() && carried {
        draft.tags.insert(PRESERVED.to_owned(), "true".to_owned());
    }
    Ok(())
}

/// The record of the highest row id that was ever given.
pub(super) fn high_water_mark(highest: i64) -> DomainMetadata {
    let configuration = format!("{{\"{HIGH_WATER_MARK}\":{highest},\"domainName\":\"{DOMAIN}\"}}");
    DomainMetadata { domain: DOMAIN.to_owned(), configuration, removed: false }
}

impl TableState {
    /// The hidden columns that must travel with rows that are moved from file to file; a changed row has a null commit version.
    pub(crate) fn moved_columns(&self) -> Vec<HiddenColumn> {
        match self.keeps_row_ids() {
            true => vec![HiddenColumn::RowId, HiddenColumn::RowCommitVersion],
            false => Vec::new(),
        }
    }
    /// Whether files of new commits get row ids.
    pub(crate) fn gives_row_ids(&self) -> bool {
        self.is_active(TableFeature::RowTracking)
    }
    /// Whether rows keep their ids when they are moved.
    /// The feature that must be supported, and under which all files get row ids, before these properties are set.
    pub(crate) fn feature_before(&self, properties: &StringMap) -> Option<&'static str> {
        let asked = properties.iter().any(|(key, value)| key.eq_ignore_ascii_case(ENABLED) && value.trim().eq_ignore_ascii_case("true"));
        (asked && !self.keeps_row_ids() && !self.is_true(SUSPENDED)).then_some(SPEC.name)
    }
    pub(super) fn keeps_row_ids(&self) -> bool {
        self.is_supported(TableFeature::RowTracking) && self.is_true(ENABLED)
    }
    /// The same for who reads ids. `LB-SCHEMA` when the rows of the table have none.
    pub(crate) fn stored_row_ids(&self) -> Result<Vec<MovedColumn>> {
        if !self.keeps_row_ids() {
            return Err(Error::new(Code::SCHEMA, "the rows of the table have no ids that last")
                .with("column", HiddenColumn::RowId.name())
                .help(format!("set the table property `{ENABLED}` to `true`; all rows have ids from then on")));
        }
        self.materialised_columns()
    }
    /// Under which names files store the ids of moved rows. `LB-LOG-STATE` when the table does not say.
    fn materialised_columns(&self) -> Result<Vec<MovedColumn>> {
        let named = |(column, key): (HiddenColumn, &str)| {
            let name = self.property(key).filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| Error::new(Code::LOG_STATE, format!("row tracking is enabled, but `{key}` is not set")))?;
            if self.physical_schema().field(name).is_some() || self.schema().field(name).is_some() {
                return Err(Error::new(Code::LOG_STATE, "a column has the name under which files store row ids").with("column", name));
            }
            Ok(MovedColumn { column, name: name.to_owned(), field_id: None })
        };
        let columns = [(HiddenColumn::RowId, ID_COLUMN), (HiddenColumn::RowCommitVersion, VERSION_COLUMN)];
        if self.keeps_row_ids() { columns.into_iter().map(named).collect() } else { Ok(Vec::new()) }
    }
    /// The highest row id that was ever given; -1 before the first. `LB-LOG-STATE` when the table's record is not a number.
    pub(super) fn row_id_high_water_mark(&self) -> Result<i64> {
        let Some(domain) = self.domain(DOMAIN) else { return Ok(-1) };
        let parsed: Option<Value> = serde_json::from_str(&domain.configuration).ok();
        parsed.and_then(|value| value.get(HIGH_WATER_MARK)?.as_i64()).ok_or_else(|| {
            Error::new(Code::LOG_STATE, "the highest row id is not recorded as a number")
                .with("domain", DOMAIN)
                .with("configuration", &domain.configuration)
        })
    }
}

#[cfg(test)]
#[path = "row_tracking_tests.rs"]
mod tests;
