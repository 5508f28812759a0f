//! What lets an Iceberg reader use the data files of a table. Kind: pure. Spec: ICE.
//!
//! Three versions of one idea, so one file: each is a row of `COMPATS`. Invariant: a table on which one is active keeps all its rules;
//! what would break one is refused when the table is made or changed, and when a file is added.

use super::commit::CommitDraft;
use super::drafts::{TableDraft, WritePlan};
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{TableFeature, TableState, column_mapping, row_tracking};
use crate::error::{Code, Error, Result};
use crate::expr::Expr;
use crate::schema::{DataType, Field, Struct, any_field, any_type, metadata_key, try_map_fields};
use serde_json::{Map, Value};

/// The tag of a file that keeps the rules.
const TAG: &str = "ICEBERG_COMPAT_VERSION";
const MAPPING_MODE: &str = "delta.columnMapping.mode";
const DELETION_VECTORS: &str = "delta.enableDeletionVectors";
const FORMATS: &str = "delta.universalFormat.enabledFormats";
const ROW_TRACKING: &str = "delta.enableRowTracking";
/// The field ids that Iceberg reserves for what rows are called and when they were written.
const ROW_ID_FIELD: i32 = 2_147_483_540;
const ROW_COMMIT_VERSION_FIELD: i32 = 2_147_483_539;

struct Compat {
    feature: TableFeature,
    version: u8,
    property: &'static str,
}

const COMPATS: [Compat; 3] = [
    Compat { feature: TableFeature::IcebergCompatV1, version: 1, property: "delta.enableIcebergCompatV1" },
    Compat { feature: TableFeature::IcebergCompatV2, version: 2, property: "delta.enableIcebergCompatV2" },
    Compat { feature: TableFeature::IcebergCompatV3, version: 3, property: "delta.enableIcebergCompatV3" },
];

const V1: &Compat = &COMPATS[0];
const V2: &Compat = &COMPATS[1];
const V3: &Compat = &COMPATS[2];

const fn record(compat: &'static Compat, name: &'static str, requires: &'static [TableFeature], hooks: Hooks) -> FeatureSpec {
    FeatureSpec {
        feature: compat.feature,
        name,
        aliases: &[],
        scope: Scope::Writer,
        legacy: None,
        requires,
        active: Active::WhenProperty(compat.property),
        support: Support::Full,
        joins_quietly: true,
        hooks,
    }
}

pub(super) const SPEC_V1: FeatureSpec = record(
    V1,
    "icebergCompatV1",
    &[TableFeature::ColumnMapping],
    Hooks {
        shape_table: Some(|draft| V1.shape(draft)),
        check_table: Some(|before, after| {
            check_formats(before, after)?;
            V1.check(before, after)
        }),
        write_stages: Some(|state, plan| V1.write_stages(state, plan)),
        stamp_commit: Some(|_, _, draft| V1.stamp(draft)),
        ..Hooks::NONE
    },
);
pub(super) const SPEC_V2: FeatureSpec = record(
    V2,
    "icebergCompatV2",
    &[TableFeature::ColumnMapping],
    Hooks {
        shape_table: Some(|draft| V2.shape(draft)),
        check_table: Some(|before, after| V2.check(before, after)),
        write_stages: Some(|state, plan| V2.write_stages(state, plan)),
        stamp_commit: Some(|_, _, draft| V2.stamp(draft)),
        ..Hooks::NONE
    },
);
pub(super) const SPEC_V3: FeatureSpec = record(
    V3,
    "icebergCompatV3",
    &[TableFeature::ColumnMapping, TableFeature::RowTracking],
    Hooks {
        shape_table: Some(|draft| V3.shape(draft)),
        check_table: Some(|before, after| V3.check(before, after)),
        write_stages: Some(|state, plan| V3.write_stages(state, plan)),
        stamp_commit: Some(|_, _, draft| V3.stamp(draft)),
        ..Hooks::NONE
    },
);

/// Refuses formats that nobody makes, and an Iceberg table beside a Delta table that no Iceberg reader could use. What a table brings from
/// elsewhere stays.
fn check_formats(before: Option<&TableState>, after: &TableState) -> Result<()> {
    let formats = after.property(FORMATS).unwrap_or_default();
    let named: Vec<&str> = formats.split(',').map(str::trim).filter(|format| !format.is_empty()).collect();
    let is_new = before.is_none_or(|before| before.property(FORMATS) != after.property(FORMATS));
    if let Some(unknown) = named.iter().find(|format| is_new && !["iceberg", "hudi"].contains(format)) {
        return Err(Error::new(Code::PROPERTY, format!("`{unknown}` is no format that a table can have beside its own"))
            .with("property", FORMATS)
            .help("name `iceberg` or `hudi`, separated by a comma"));
    }
    let lacks = |state: &TableState| {
        state.property(FORMATS).is_some_and(|formats| formats.split(',').any(|format| format.trim() == "iceberg"))
            && !COMPATS.iter().any(|compat| state.is_active(compat.feature))
    };
    if lacks(after) && !before.is_some_and(lacks) {
        return Err(Error::new(Code::PROPERTY, "the format `iceberg` needs Iceberg compatibility")
            .with("property", FORMATS)
            .help(format!("set `{}` to `true` with it, or leave the format out", V2.property)));
    }
    Ok(())
}

impl Compat {
    fn nests_ids(&self) -> bool {
        self.version >= 2
    }
    fn broken(&self, code: Code, what: impl std::fmt::Display) -> Error {
        Error::new(code, format!("Iceberg compatibility version {} {what}", self.version)).with("property", self.property)
    }

    /// A new table gets what it needs and did not choose; a table with data must have it, or ask for it. Then ids for elements, keys
    /// and values, above all ids of columns.
    fn shape(&self, draft: &mut TableDraft<'_>) -> Result<()> {
        if !is_true(draft.property(self.property)) {
            return Ok(());
        }
        if draft.is_new && draft.property(MAPPING_MODE).is_none() {
            draft.set_property(MAPPING_MODE, "name".to_owned());
            column_mapping::shape_table(draft)?;
        }
        if self.version == 3 && draft.is_new && draft.property(ROW_TRACKING).is_none() {
            draft.set_property(ROW_TRACKING, "true".to_owned());
            row_tracking::shape_table(draft)?;
        }
        if self.nests_ids() {
            let mut highest = column_mapping::highest_id(draft);
            draft.schema = try_map_fields(&draft.schema, &mut |field| with_nested_ids(field, &mut highest))?;
            column_mapping::set_highest_id(draft, highest);
        }
        Ok(())
    }

    /// Refuses a table that an Iceberg reader could not use. Types and columns are `LB-SCHEMA`, properties `LB-PROPERTY`.
    fn check(&self, before: Option<&TableState>, after: &TableState) -> Result<()> {
        if !after.is_active(self.feature) {
            return Ok(());
        }
        if let Some(other) = COMPATS.iter().find(|other| other.version != self.version && after.is_true(other.property)) {
            return Err(self.broken(Code::PROPERTY, format!("excludes version {}", other.version)).help("enable one of them"));
        }
        if !after.is_active(TableFeature::ColumnMapping) {
            return Err(self.broken(Code::PROPERTY, "needs column mapping").help(format!("set `{MAPPING_MODE}` to `name`")));
        }
        let has_vectors = match self.version {
            1 => after.is_supported(TableFeature::DeletionVectors),
            2 => after.is_true(DELETION_VECTORS),
            _ => false,
        };
        if has_vectors {
            return Err(self
                .broken(Code::PROPERTY, "excludes deletion vectors")
                .help(format!("set `{DELETION_VECTORS}` to `false` and purge them first")));
        }
        if self.version == 3 && !after.keeps_row_ids() {
            return Err(self.broken(Code::PROPERTY, "needs row tracking").help(format!("set `{ROW_TRACKING}` to `true`")));
        }
        self.check_schema(after.schema())?;
        let partitioning = before.map(|before| (before.partition_columns(), after.partition_columns()));
        match partitioning {
            Some((old, new)) if !old.is_empty() && !new.is_empty() && renamed(before, after) => Err(self
                .broken(Code::SCHEMA, "excludes other partition columns")
                .with("before", old.join(", "))
                .with("after", new.join(", "))),
            _ => Ok(()),
        }
    }

    fn check_schema(&self, schema: &Struct) -> Result<()> {
        for column in &schema.fields {
            let alone = Struct { fields: vec![column.clone()] };
            let mut refused = None;
            any_type(&alone, |data_type| {
                if !self.allows(data_type) {
                    refused = Some(self.broken(Code::SCHEMA, format!("knows no type {data_type}")));
                }
                refused.is_some()
            });
            any_field(&alone, |field| {
                if refused.is_none() {
                    refused = self.check_field(field).err();
                }
                refused.is_some()
            });
            if let Some(e) = refused {
                return Err(e.with("column", &column.name));
            }
        }
        Ok(())
    }

    fn allows(&self, data_type: &DataType) -> bool {
        match data_type {
            DataType::Array { .. } | DataType::Map { .. } => self.version >= 2,
            DataType::Variant => self.version >= 3,
            DataType::Void | DataType::Unknown(_) => false,
            _ => true,
        }
    }

    fn check_field(&self, field: &Field) -> Result<()> {
        let changes = field.metadata.get(metadata_key::TYPE_CHANGES).and_then(Value::as_array);
        if let Some(change) = changes.into_iter().flatten().find(|change| !iceberg_widens(change)) {
            return Err(self.broken(Code::SCHEMA, format!("cannot follow the type change {change}")));
        }
        let default = field.metadata.get(metadata_key::CURRENT_DEFAULT).filter(|_| self.version == 3);
        if default.is_some_and(|sql| !sql.as_str().is_some_and(is_literal)) {
            return Err(self.broken(Code::SCHEMA, "allows only literals as defaults"));
        }
        if self.nests_ids() && nested_paths(field).iter().any(|path| nested_id(field, path).is_none()) {
            return Err(self.broken(Code::SCHEMA, "needs field ids for elements, keys and values"));
        }
        Ok(())
    }

    fn write_stages(&self, _: &TableState, plan: &mut WritePlan) -> Result<()> {
        plan.partition_columns = true;
        if self.version == 3 {
            for moved in &mut plan.moved {
                moved.field_id = match moved.column {
                    super::HiddenColumn::RowId => Some(ROW_ID_FIELD),
                    super::HiddenColumn::RowCommitVersion => Some(ROW_COMMIT_VERSION_FIELD),
                    _ => None,
                };
            }
        }
        Ok(())
    }

    /// Every file says how many rows it has, and which rules it keeps.
    fn stamp(&self, draft: &mut CommitDraft) -> Result<()> {
        for add in &mut draft.adds {
            if add.num_records().is_none() {
                return Err(self.broken(Code::INPUT, "needs files that say how many rows they have").with("path", &add.path));
            }
            if self.version >= 2 && add.data_change && add.deletion_vector.is_none() {
                let tags = add.tags.get_or_insert_default();
                if !tags.contains_key(TAG) {
                    tags.insert(TAG.to_owned(), Some(self.version.to_string()));
                }
            }
        }
        Ok(())
    }
}

fn is_true(value: Option<&str>) -> bool {
    value.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// Whether the partition columns became others; one that only has another name is the same.
fn renamed(before: Option<&TableState>, after: &TableState) -> bool {
    let physical = |state: &TableState| -> Vec<String> {
        state.partition_columns().iter().filter_map(|name| state.physical_name(name)).map(str::to_owned).collect()
    };
    before.is_some_and(|before| physical(before) != physical(after))
}

/// Whole numbers and floats that grow, decimals of one scale.
fn iceberg_widens(change: &Value) -> bool {
    use DataType::{Byte, Decimal, Double, Float, Integer, Long, Short};
    let side = |key: &str| change.get(key).and_then(|value| DataType::from_json_value(value).ok());
    match (side("fromType"), side("toType")) {
        (Some(Byte), Some(Short | Integer | Long)) | (Some(Short), Some(Integer | Long)) | (Some(Integer), Some(Long)) => true,
        (Some(Float), Some(Double)) => true,
        (Some(Decimal { precision, scale }), Some(Decimal { precision: p, scale: s })) => scale == s && p >= precision,
        _ => false,
    }
}

fn is_literal(sql: &str) -> bool {
    Expr::sql(sql).is_ok_and(|expr| expr.is_literal())
}

/// The paths below a field that have ids of their own, under its physical name: not into structs, whose fields have theirs.
fn nested_paths(field: &Field) -> Vec<String> {
    fn visit(data_type: &DataType, path: String, out: &mut Vec<String>) {
        match data_type {
            DataType::Array { element, .. } => {
                let path = format!("{path}.element");
                out.push(path.clone());
                visit(element, path, out);
            }
            DataType::Map { key, value, .. } => {
                for (step, inner) in [("key", key), ("value", value)] {
                    let path = format!("{path}.{step}");
                    out.push(path.clone());
                    visit(inner, path, out);
                }
            }
            _ => {}
        }
    }
    let name = field.metadata.get(metadata_key::MAPPING_NAME).and_then(Value::as_str).unwrap_or(&field.name);
    let mut out = Vec::new();
    visit(&field.data_type, name.to_owned(), &mut out);
    out
}

fn nested_id(field: &Field, path: &str) -> Option<i64> {
    field.metadata.get(metadata_key::MAPPING_NESTED_IDS)?.get(path)?.as_i64()
}

/// The field with an id for each nested path that has none, above `highest`.
fn with_nested_ids(field: &Field, highest: &mut i32) -> Result<Field> {
    let mut ids = Map::new();
    for path in nested_paths(field) {
        let id = match nested_id(field, &path) {
            Some(id) => id,
            None => {
                *highest = highest.checked_add(1).ok_or_else(|| Error::new(Code::LIMIT, "the table has used up its column ids"))?;
                i64::from(*highest)
            }
        };
        ids.insert(path, id.into());
    }
    let mut field = field.clone();
    field.metadata.insert(metadata_key::MAPPING_NESTED_IDS.to_owned(), ids.into());
    Ok(field)
}

#[cfg(test)]
#[path = "iceberg_compat_tests.rs"]
mod tests;
