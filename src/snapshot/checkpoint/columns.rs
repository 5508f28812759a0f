//! Which columns the files of a checkpoint get, and their order. Kind: pure. Spec: CKP.

use crate::error::{Code, Error, Result};
use crate::features::{StatsColumns, TableState};
use crate::log::batch::FileRows;
use crate::log::checkpoint::FileColumns;
use crate::log::stats::{StatsLeaf, StatsReader, leaves_of, partition_column};
use crate::schema::{DataType, Field, Struct};
use arrow::array::ArrayRef;
use arrow::row::{RowConverter, SortField};

/// Which parsed columns the table's checkpoints get. (CKP-9)
pub(super) fn file_columns(state: &TableState) -> Result<FileColumns> {
    let physical = state.physical_schema();
    let is_partition = |name: &str| state.partition_columns().iter().any(|p| state.physical_name(p) == Some(name));
    let partitions: Vec<Field> =
        state.partition_columns().iter().filter_map(|logical| physical.fields.get(state.schema().index_of(logical)?).cloned()).collect();
    let data = Struct { fields: physical.fields.iter().filter(|f| !is_partition(&f.name)).cloned().collect() };
    let known = |(_, data_type): &(Vec<String>, DataType)| !matches!(data_type, DataType::Void | DataType::Unknown(_));
    let all = leaves_of(&data).into_iter().filter(known);
    let leaves: Vec<(Vec<String>, DataType)> = match state.stats_columns()? {
        StatsColumns::All => all.collect(),
        StatsColumns::First(n) => all.take(n).collect(),
        StatsColumns::Named(paths) => {
            let named: Vec<Vec<String>> = paths.iter().filter_map(|p| physical_prefix(state, p)).collect();
            all.filter(|(path, _)| named.iter().any(|n| path.starts_with(n))).collect()
        }
    };
    let leaves = leaves.into_iter().map(|(path, data_type)| StatsLeaf::new(path, data_type)).collect::<Result<_>>()?;
    Ok(FileColumns {
        partitions,
        stats: StatsReader::new(leaves),
        text: state.checkpoint_stats_as_json()?,
        parsed: state.checkpoint_stats_as_struct()?,
    })
}

fn physical_prefix(state: &TableState, path: &[String]) -> Option<Vec<String>> {
    let (mut logical, mut physical) = (state.schema(), state.physical_schema());
    let mut names = Vec::new();
    for (i, name) in path.iter().enumerate() {
        let at = logical.index_of(name)?;
        names.push(physical.fields.get(at)?.name.clone());
        match (&logical.fields[at].data_type, &physical.fields[at].data_type) {
            (DataType::Struct(l), DataType::Struct(p)) => (logical, physical) = (l, p),
            _ => return (i + 1 == path.len()).then_some(names),
        }
    }
    Some(names)
}

/// The order of files in a checkpoint: by partition values, then by the least value of the first column that has one. (CKP-12)
pub(super) fn order_of(rows: &FileRows, columns: &FileColumns) -> Result<Vec<u32>> {
    let mut keys: Vec<ArrayRef> = Vec::new();
    for p in &columns.partitions {
        keys.push(partition_column(rows, &p.name, &p.data_type)?.values);
    }
    let first = columns.stats.leaves().iter().find(|leaf| leaf.has_bounds());
    if let (Some(leaf), Some(texts)) = (first, rows.stats()) {
        let stats = StatsReader::new(vec![leaf.clone()]).read_json(texts);
        keys.extend(stats.leaves.into_iter().filter_map(|l| l.bounds).map(|(least, _)| least));
    }
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    if keys.is_empty() {
        return Ok(order);
    }
    let sorting = |e: arrow::error::ArrowError| Error::new(Code::INTERNAL, "files of a checkpoint do not sort").caused_by(e);
    let fields = keys.iter().map(|k| SortField::new(k.data_type().clone())).collect();
    let keys = RowConverter::new(fields).and_then(|c| c.convert_columns(&keys)).map_err(sorting)?;
    order.sort_by_key(|row| keys.row(*row as usize));
    Ok(order)
}
