//! Which files are laid out along a curve, and how that is noted in them. Kind: pure. Spec: ZOR.
//!
//! Z-order takes all files of a partition, every time. A table that declares its clustering columns is laid out piece by piece: a cube is
//! what one run made, files of a cube have its id among their tags, and a cube that is large enough stays. Invariant: of what has just
//! been clustered nothing is clustered again.

use super::pack::living_bytes;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::exec::{COLUMNS_MAX, Curve};
use crate::features::TableState;
use crate::log::Add;
use crate::schema::paths::quoted_path;
use crate::schema::{DataType, FieldPath};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Spark's names: of tags, and of who keeps files clustered.
const CUBE_ID: &str = "ZCUBE_ID";
const CUBE_COLUMNS: &str = "ZCUBE_ZORDER_BY";
const CUBE_CURVE: &str = "ZCUBE_ZORDER_CURVE";
const PROVIDER: &str = "liquid";
/// Bytes from which on a cube stays, unless the caller says otherwise; one is filled up to half as much again.
pub(super) const CUBE_BYTES: u64 = 100 << 30;

/// The columns by whose values rows lie near each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cluster {
    /// Logical paths.
    pub columns: Vec<FieldPath>,
    /// How many columns the table has.
    pub of: usize,
    pub kind: Kind,
}

/// Who asked for the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// The caller, this once.
    ZOrder,
    /// The table, for good. `full`: files that were clustered by other columns or by another program are taken too.
    Declared { full: bool, cube_bytes: u64 },
}

impl Cluster {
    /// By these columns, which the caller names. `LB-SCHEMA` for one that is not there, holds no values that can be ordered, or has no
    /// statistics, `LB-INPUT` for a partition column, one that is named twice, and for a table that declares its own.
    pub(super) fn by(names: &[String], state: &TableState) -> Result<Cluster> {
        if let Some(own) = declared(state)? {
            return Err(Error::new(Code::INPUT, "the table says by which columns its files are clustered")
                .with("columns", names_of(&own).join(", "))
                .help("leave the columns out, or change them with ALTER TABLE … CLUSTER BY"));
        }
        let mut columns = Vec::new();
        for name in names {
            let path = crate::schema::column_path(name)?;
            let column = state.schema().locate(&path)?;
            let refused = |code: Code, what: &str| Err(Error::new(code, format!("rows cannot be ordered so: {what}")).with("column", name));
            if column.repeated || !has_order(column.data_type) {
                return refused(Code::SCHEMA, &format!("values of type {} have no order", column.data_type));
            }
            if column.path.len() == 1 && state.partition_columns().contains(&column.path[0]) {
                return refused(Code::INPUT, "all rows of a file have the same value of a partition column");
            }
            if columns.contains(&column.path) {
                return refused(Code::INPUT, "the column is named twice");
            }
            if !state.has_stats(&column.path)? {
                let help = "name it in `delta.dataSkippingStatsColumns`, or raise `delta.dataSkippingNumIndexedCols`";
                return refused(Code::SCHEMA, "the column has no statistics, so no file could be skipped by it").map_err(|e| e.help(help));
            }
            columns.push(column.path);
        }
        match columns.len() {
            0 => Err(Error::new(Code::INPUT, "no column is named to order rows by")),
            1..=COLUMNS_MAX => Ok(Cluster { columns, of: state.schema().fields.len(), kind: Kind::ZOrder }),
            _ => Err(Error::new(Code::INPUT, format!("rows are ordered by at most {COLUMNS_MAX} columns"))),
        }
    }
    /// By the columns that the table declares; `None` when it declares none.
    pub(super) fn declared(state: &TableState, full: bool, cube_bytes: Option<u64>) -> Result<Option<Cluster>> {
        let kind = Kind::Declared { full, cube_bytes: cube_bytes.unwrap_or(CUBE_BYTES).max(1) };
        Ok(declared(state)?.map(|columns| Cluster { columns, of: state.schema().fields.len(), kind }))
    }
    /// The columns as Spark writes them.
    pub(super) fn names(&self) -> Vec<String> {
        names_of(&self.columns)
    }
    pub(super) fn curve(&self) -> Curve {
        Curve::through(self.columns.len())
    }
    /// Of the files of one partition those that are laid out together.
    pub(super) fn divide(&self, files: Vec<Add>) -> Vec<(Vec<Add>, &'static str)> {
        match self.kind {
            Kind::ZOrder if files.is_empty() => Vec::new(),
            Kind::ZOrder => vec![(files, "is laid out along a curve")],
            Kind::Declared { full, cube_bytes } => {
                self.cubes(files, full, cube_bytes).into_iter().map(|files| (files, "is clustered with others")).collect()
            }
        }
    }
    /// Notes in new files that they are one cube.
    pub(super) fn tag(&self, files: &mut [Add], env: &Env) {
        if self.kind == Kind::ZOrder {
            return;
        }
        let id = env.new_uuid().to_string();
        let curve = if self.columns.len() > 1 { "hilbert" } else { "zorder" };
        let columns = serde_json::Value::from(self.names()).to_string();
        for file in files {
            let tags = file.tags.get_or_insert_default();
            tags.insert(CUBE_ID.to_owned(), Some(id.clone()));
            tags.insert(CUBE_COLUMNS.to_owned(), Some(columns.clone()));
            tags.insert(CUBE_CURVE.to_owned(), Some(curve.to_owned()));
            file.clustering_provider = Some(PROVIDER.to_owned());
        }
    }
    /// What each new cube is made of: files without one first, then cubes that are not large enough, whole.
    fn cubes(&self, files: Vec<Add>, full: bool, cube_bytes: u64) -> Vec<Vec<Add>> {
        let mut loose = Vec::new();
        let mut cubes: BTreeMap<String, Vec<Add>> = BTreeMap::new();
        for file in files {
            match self.standing(&file) {
                Standing::Loose => loose.push(file),
                Standing::Cube(id) => cubes.entry(id).or_default().push(file),
                Standing::Foreign if full => loose.push(file),
                Standing::Foreign => {}
            }
        }
        cubes.retain(|_, files| files.iter().map(living_bytes).sum::<u64>() < cube_bytes);
        if loose.is_empty() && cubes.len() < 2 {
            return Vec::new();
        }
        let most = cube_bytes.saturating_add(cube_bytes / 2);
        let mut made: Vec<(Vec<Add>, u64, BTreeSet<Option<String>>)> = Vec::new();
        let loose = loose.into_iter().map(|file| (None, vec![file]));
        for (cube, files) in loose.chain(cubes.into_iter().map(|(id, files)| (Some(id), files))) {
            let bytes: u64 = files.iter().map(living_bytes).sum();
            match made.last_mut().filter(|(_, filled, _)| filled.saturating_add(bytes) <= most) {
                Some((into, filled, of)) => {
                    into.extend(files);
                    *filled += bytes;
                    of.insert(cube);
                }
                None => made.push((files, bytes, BTreeSet::from([cube]))),
            }
        }
        // A cube that found nobody stays what it is.
        let is_new = |of: &BTreeSet<Option<String>>| of.len() > 1 || of.contains(&None);
        made.into_iter().filter(|(_, _, of)| is_new(of)).map(|(files, ..)| files).collect()
    }
    fn standing(&self, file: &Add) -> Standing {
        let tag = |name: &str| file.tags.as_ref().and_then(|tags| tags.get(name)?.as_deref());
        if file.clustering_provider.as_deref().is_some_and(|provider| provider != PROVIDER) {
            return Standing::Foreign;
        }
        match (tag(CUBE_ID), tag(CUBE_COLUMNS).map(serde_json::from_str::<Vec<String>>)) {
            (Some(id), Some(Ok(columns))) if columns == self.names() => Standing::Cube(id.to_owned()),
            (Some(_), Some(_)) => Standing::Foreign,
            _ => Standing::Loose,
        }
    }
}

/// What a file is to the table's clustering.
enum Standing {
    /// Not clustered.
    Loose,
    /// Part of a cube of the same columns.
    Cube(String),
    /// Clustered by other columns or by somebody else.
    Foreign,
}

fn declared(state: &TableState) -> Result<Option<Vec<FieldPath>>> {
    Ok(state.clustering_columns()?.filter(|columns| !columns.is_empty()))
}

fn names_of(columns: &[FieldPath]) -> Vec<String> {
    columns.iter().map(|path| quoted_path(path)).collect()
}

fn has_order(data_type: &DataType) -> bool {
    use DataType::{Array, Map, Struct, Unknown, Variant, Void};
    !matches!(data_type, Struct(_) | Array { .. } | Map { .. } | Variant | Void | Unknown(_))
}

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod tests;
