//! Rows laid out by the values of some columns, without folders. Kind: pure. Spec: CLU.
//!
//! The columns stand in a domain, under the names that files use. Invariant: a clustered table has no partition columns, and each
//! clustering column is there, has statistics and a type whose values can be skipped by.

use super::column_mapping::{MappingMode, physical_name};
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{StatsColumns, TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::log::DomainMetadata;
use crate::schema::{DataType, Field, FieldPath, Struct};
use serde_json::{Value, json};

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::Clustering,
    name: "clustering",
    aliases: &[],
    scope: Scope::Writer,
    legacy: None,
    requires: &[TableFeature::DomainMetadata],
    active: Active::When(|state| state.domain(DOMAIN).is_some()),
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks { shape_table: Some(shape_table), check_table: Some(check_table), ..Hooks::NONE },
};

const DOMAIN: &str = "delta.clustering";
/// As many as Spark takes.
const COLUMNS_MAX: usize = 4;

/// Writes down by which columns files are clustered, when that is asked for.
fn shape_table(draft: &mut super::TableDraft<'_>) -> Result<()> {
    let Some(columns) = draft.cluster_by.clone() else { return Ok(()) };
    let domain = domain(&draft.schema, &columns, super::column_mapping::mode_of(draft)?)?;
    draft.domains.push(domain);
    Ok(())
}

/// The domain that clusters a table of this schema by these columns; without any, the table stays one that can be clustered.
fn domain(schema: &Struct, columns: &[FieldPath], mode: MappingMode) -> Result<DomainMetadata> {
    let mut physical: Vec<FieldPath> = Vec::with_capacity(columns.len());
    for column in columns {
        let fields = follow(schema, column, |fields, step| fields.index_of(step));
        let path: FieldPath = fields
            .ok_or_else(|| refused("the column is not in the table", column))?
            .into_iter()
            .map(|field| physical_name(field, mode).to_owned())
            .collect();
        if physical.contains(&path) {
            return Err(refused("the column is named twice", column));
        }
        physical.push(path);
    }
    let configuration = json!({ "clusteringColumns": physical, "domainName": DOMAIN }).to_string();
    Ok(DomainMetadata { domain: DOMAIN.to_owned(), configuration, removed: false })
}

fn check_table(_: Option<&TableState>, state: &TableState) -> Result<()> {
    let Some(columns) = state.clustering_columns()? else { return Ok(()) };
    if columns.len() > COLUMNS_MAX {
        return Err(Error::new(Code::SCHEMA, format!("a table is clustered by at most {COLUMNS_MAX} columns"))
            .with("columns", columns.iter().map(|column| column.join(".")).collect::<Vec<_>>().join(", ")));
    }
    if !columns.is_empty() && !state.partition_columns().is_empty() {
        return Err(Error::new(Code::SCHEMA, "a table is either clustered or partitioned")
            .with("partition", state.partition_columns().join(", "))
            .help("leave out the partition columns: clustering does their work"));
    }
    let stats = state.stats_columns()?;
    for column in &columns {
        let fields = follow(state.schema(), column, |fields, step| fields.index_of(step));
        let leaf = fields.and_then(|fields| fields.last().copied()).ok_or_else(|| refused("the column is not in the table", column))?;
        if !can_skip(&leaf.data_type) {
            return Err(refused(&format!("values of type {} cannot be skipped by", leaf.data_type), column));
        }
        if !has_stats(&stats, state.schema(), column) {
            return Err(refused("the column has no statistics", column)
                .help("name it in `delta.dataSkippingStatsColumns`, or raise `delta.dataSkippingNumIndexedCols`"));
        }
    }
    Ok(())
}

fn refused(why: &str, column: &[String]) -> Error {
    Error::new(Code::SCHEMA, format!("the table cannot be clustered so: {why}")).with("column", column.join("."))
}

/// The fields on a path, from the top; `position` finds a step among its siblings.
fn follow<'a>(schema: &'a Struct, path: &[String], position: impl Fn(&Struct, &str) -> Option<usize>) -> Option<Vec<&'a Field>> {
    let mut found: Vec<&Field> = Vec::with_capacity(path.len());
    let mut fields = Some(schema);
    for step in path {
        let inside = fields?;
        let field = inside.fields.get(position(inside, step)?)?;
        fields = if let DataType::Struct(inner) = &field.data_type { Some(inner) } else { None };
        found.push(field);
    }
    (!found.is_empty()).then_some(found)
}

fn can_skip(data_type: &DataType) -> bool {
    use DataType::{Byte, Date, Decimal, Double, Float, Integer, Long, Short, String, Timestamp, TimestampNtz};
    matches!(data_type, Byte | Short | Integer | Long | Float | Double | Decimal { .. } | Date | Timestamp | TimestampNtz | String)
}

fn has_stats(columns: &StatsColumns, schema: &Struct, path: &[String]) -> bool {
    let is_same = |a: &[String], b: &[String]| a.len() <= b.len() && a.iter().zip(b).all(|(a, b)| a.to_lowercase() == b.to_lowercase());
    match columns {
        StatsColumns::All => true,
        StatsColumns::First(count) => crate::log::stats::leaves_of(schema).iter().take(*count).any(|(leaf, _)| is_same(path, leaf)),
        StatsColumns::Named(named) => named.iter().any(|named| is_same(named, path)),
    }
}

impl TableState {
    /// Whether new files have statistics of a column, by its logical path.
    pub(crate) fn has_stats(&self, column: &[String]) -> Result<bool> {
        Ok(has_stats(&self.stats_columns()?, self.schema(), column))
    }
    /// The table's record of its clustering.
    pub(super) fn clustering_domain(&self) -> Option<&DomainMetadata> {
        self.domain(DOMAIN)
    }
    /// What makes this table clustered as `other`, an older version of it, is; `None` when it is so already.
    pub(super) fn clustered_as(&self, other: &TableState) -> Option<DomainMetadata> {
        match (self.domain(DOMAIN), other.domain(DOMAIN)) {
            (Some(now), Some(then)) if now.configuration == then.configuration => None,
            (_, Some(then)) => Some(then.clone()),
            (Some(_), None) => {
                let configuration = json!({ "clusteringColumns": [], "domainName": DOMAIN }).to_string();
                Some(DomainMetadata { domain: DOMAIN.to_owned(), configuration, removed: false })
            }
            (None, None) => None,
        }
    }
    /// The logical paths of the clustering columns; `None` when the table is not clustered. `LB-LOG-STATE` when the table's record of
    /// them is not one, or names a column that is not there.
    pub fn clustering_columns(&self) -> Result<Option<Vec<FieldPath>>> {
        let Some(domain) = self.domain(DOMAIN).filter(|_| self.is_supported(TableFeature::Clustering)) else { return Ok(None) };
        let broken = |what: &str| {
            Error::new(Code::LOG_STATE, format!("the record of the clustering columns {what}")).with("configuration", &domain.configuration)
        };
        let parsed: Value = serde_json::from_str(&domain.configuration).map_err(|e| broken("is not JSON").caused_by(e))?;
        let columns = parsed.get("clusteringColumns").and_then(Value::as_array).ok_or_else(|| broken("has no list"))?;
        let path = |column: &Value| -> Option<FieldPath> {
            match column {
                Value::String(name) => Some(vec![name.clone()]),
                Value::Array(steps) => steps.iter().map(|step| step.as_str().map(str::to_owned)).collect(),
                _ => None,
            }
        };
        let logical = |column: &Value| {
            let physical = path(column).ok_or_else(|| broken("names a column by neither text nor path"))?;
            let mode = self.mapping_mode();
            let found = follow(self.schema(), &physical, |fields, step| fields.fields.iter().position(|f| physical_name(f, mode) == step));
            let found = found.ok_or_else(|| broken("names a column that is not there"))?;
            Ok(found.into_iter().map(|field| field.name.clone()).collect())
        };
        columns.iter().map(logical).collect::<Result<Vec<_>>>().map(Some)
    }
}

#[cfg(test)]
#[path = "clustering_tests.rs"]
mod tests;
