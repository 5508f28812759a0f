//! Which row groups and pages of a file can hold matching rows. Kind: pure. Spec: DAT, SKIP.
//!
//! Statistics are used only where file and table have the same type, and never where writers are known to have ordered them otherwise.
//! Invariant: a row that matches is never left out.

use crate::data::columns::{FaithfulLeaf, Wanted};
use crate::error::Result;
use crate::expr::{ColumnStats, Pruner};
use crate::schema::FieldPath;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array, UInt64Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{nullif, take};
use arrow::datatypes::{DataType as ArrowType, Date32Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::ParquetMetaData;
use std::collections::HashMap;
use std::ops::Range;

/// The largest bloom filter that is read.
const FILTER_MAX: u64 = 4 << 20;

/// Minimum, maximum and null count of one leaf, one row a container.
#[derive(Clone, Debug, Default)]
struct LeafStats {
    min: Option<ArrayRef>,
    max: Option<ArrayRef>,
    nulls: Option<UInt64Array>,
    /// Bloom filters; a container without one may hold anything.
    filters: Vec<Option<Sbbf>>,
}

/// Statistics of row groups or of runs of rows.
struct Stats<'a> {
    leaves: HashMap<&'a FieldPath, LeafStats>,
    rows: UInt64Array,
}

impl ColumnStats for Stats<'_> {
    fn containers(&self) -> usize {
        self.rows.len()
    }
    fn min(&self, column: &FieldPath) -> Option<ArrayRef> {
        self.leaves.get(column)?.min.clone()
    }
    fn max(&self, column: &FieldPath) -> Option<ArrayRef> {
        self.leaves.get(column)?.max.clone()
    }
    fn null_count(&self, column: &FieldPath) -> Option<UInt64Array> {
        self.leaves.get(column)?.nulls.clone()
    }
    fn row_count(&self) -> Option<UInt64Array> {
        Some(self.rows.clone())
    }
    fn may_contain(&self, column: &FieldPath, value: &ArrayRef) -> Option<BooleanBuffer> {
        let filters = &self.leaves.get(column)?.filters;
        (filters.len() == self.rows.len()).then(|| filters.iter().map(|f| f.as_ref().is_none_or(|f| may_hold(f, value))).collect())
    }
}

/// Whether a filter admits a value that is stored as Parquet stores its Arrow type. Types that are stored in several ways are admitted.
fn may_hold(filter: &Sbbf, value: &ArrayRef) -> bool {
    match value.data_type() {
        ArrowType::Int8 => filter.check(&i32::from(value.as_primitive::<Int8Type>().value(0))),
        ArrowType::Int16 => filter.check(&i32::from(value.as_primitive::<Int16Type>().value(0))),
        ArrowType::Int32 => filter.check(&value.as_primitive::<Int32Type>().value(0)),
        ArrowType::Date32 => filter.check(&value.as_primitive::<Date32Type>().value(0)),
        ArrowType::Int64 => filter.check(&value.as_primitive::<Int64Type>().value(0)),
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => filter.check(&value.as_primitive::<TimestampMicrosecondType>().value(0)),
        ArrowType::Utf8 => filter.check(value.as_string::<i32>().value(0)),
        ArrowType::Binary => filter.check(value.as_binary::<i32>().value(0)),
        _ => true,
    }
}

/// The statistics that a filter can use in one file.
pub(super) struct FilePruner<'a> {
    pruner: &'a Pruner,
    leaves: Vec<(&'a FieldPath, FaithfulLeaf)>,
}

impl<'a> FilePruner<'a> {
    /// `None` when the file's statistics cannot decide anything.
    pub fn new(pruner: &'a Pruner, wanted: &[Wanted], file: &ParquetMetaData) -> Option<FilePruner<'a>> {
        let leaves: Vec<_> = pruner
            .columns()
            .iter()
            .filter_map(|path| {
                let (top, below) = path.split_first()?;
                let column = wanted.iter().find(|w| w.logical == *top && !w.partition)?;
                Some((path, column.faithful_leaf(below, file.file_metadata())?))
            })
            .collect();
        (!leaves.is_empty()).then_some(FilePruner { pruner, leaves })
    }

    /// Indexes of the row groups that may hold matching rows.
    pub fn row_groups(&self, file: &ParquetMetaData) -> Result<Vec<usize>> {
        let groups = file.row_groups();
        let mut leaves = HashMap::new();
        for (path, leaf) in &self.leaves {
            let converter = self.converter(leaf, file)?;
            // Old writers ordered bytes as signed and decimals as bytes in the statistics that came before `min_value`.
            let old: BooleanArray =
                groups.iter().map(|g| Some(g.column(leaf.leaf).statistics().is_none_or(|s| s.is_min_max_deprecated()))).collect();
            let bounds = |array: parquet::errors::Result<ArrayRef>| array.ok().and_then(|array| nullif(&array, &old).ok());
            let (min, max) = (bounds(converter.row_group_mins(groups)), bounds(converter.row_group_maxes(groups)));
            leaves.insert(*path, LeafStats { min, max, nulls: converter.row_group_null_counts(groups).ok(), ..Default::default() });
        }
        let rows = groups.iter().map(|g| g.num_rows() as u64).collect::<Vec<_>>().into();
        let keep = self.pruner.keep(&Stats { leaves, rows })?;
        Ok((0..groups.len()).filter(|i| keep.value(*i)).collect())
    }

    /// Where the bloom filters of the chosen row groups lie that the filter can use: row group, leaf, bytes.
    pub fn filter_ranges(&self, file: &ParquetMetaData, chosen: &[usize]) -> Vec<(usize, usize, Range<u64>)> {
        let looked_up = self.pruner.looked_up();
        let leaves = self.leaves.iter().filter(|(path, _)| looked_up.contains(path));
        leaves
            .flat_map(|(_, leaf)| {
                chosen.iter().filter_map(move |group| {
                    let column = file.row_group(*group).columns().get(leaf.leaf)?;
                    let offset = u64::try_from(column.bloom_filter_offset()?).ok()?;
                    let length = u64::try_from(column.bloom_filter_length()?).ok().filter(|length| *length <= FILTER_MAX)?;
                    Some((*group, leaf.leaf, offset..offset.checked_add(length)?))
                })
            })
            .collect()
    }

    /// The chosen row groups whose bloom filters (by row group and leaf) admit a value that is looked for.
    pub fn look_up(&self, file: &ParquetMetaData, chosen: &[usize], mut filters: HashMap<(usize, usize), Sbbf>) -> Result<Vec<usize>> {
        let leaves = self.leaves.iter().map(|(path, leaf)| {
            let filters = chosen.iter().map(|group| filters.remove(&(*group, leaf.leaf))).collect();
            (*path, LeafStats { filters, ..Default::default() })
        });
        let leaves = leaves.collect();
        let rows = chosen.iter().map(|group| file.row_group(*group).num_rows() as u64).collect::<Vec<_>>().into();
        let keep = self.pruner.keep(&Stats { leaves, rows })?;
        Ok(chosen.iter().enumerate().filter(|(i, _)| keep.value(*i)).map(|(_, group)| *group).collect())
    }

    /// The rows of the chosen row groups whose pages may hold matching rows; `None` when that is all of them. The file's page index must
    /// have been loaded.
    pub fn pages(&self, file: &ParquetMetaData, chosen: &[usize]) -> Result<Option<RowSelection>> {
        let mut selectors = Vec::new();
        for &group in chosen {
            let rows = file.row_group(group).num_rows() as usize;
            match self.pages_of(file, group)? {
                Some(runs) => selectors.extend(runs),
                None if rows > 0 => selectors.push(RowSelector::select(rows)),
                None => {}
            }
        }
        Ok(selectors.iter().any(|s| s.skip).then(|| RowSelection::from(selectors)))
    }

    /// Pages of different columns begin at different rows: the file is cut at every beginning, and each piece takes the statistics of
    /// the page it lies in.
    fn pages_of(&self, file: &ParquetMetaData, group: usize) -> Result<Option<Vec<RowSelector>>> {
        let (Some(columns), Some(offsets)) = (file.column_index(), file.offset_index()) else { return Ok(None) };
        let (Some(offsets_here), Some(columns_here)) = (offsets.get(group), columns.get(group)) else { return Ok(None) };
        let total = file.row_group(group).num_rows() as u64;
        let mut starts_by_leaf = Vec::with_capacity(self.leaves.len());
        for (_, leaf) in &self.leaves {
            let Some(index) = offsets_here.get(leaf.leaf) else { return Ok(None) };
            let starts: Vec<u64> = index.page_locations().iter().map(|page| page.first_row_index as u64).collect();
            let usable = starts.first() == Some(&0) && starts.is_sorted_by(|a, b| a < b) && starts.last().is_some_and(|last| *last < total);
            if !usable || columns_here.get(leaf.leaf).is_none() {
                return Ok(None);
            }
            starts_by_leaf.push(starts);
        }
        let mut cuts: Vec<u64> = starts_by_leaf.iter().flatten().copied().collect();
        cuts.sort_unstable();
        cuts.dedup();
        let ends = cuts.iter().skip(1).copied().chain([total]);
        let rows: Vec<u64> = cuts.iter().zip(ends).map(|(start, end)| end - start).collect();
        let mut leaves = HashMap::new();
        for ((path, leaf), starts) in self.leaves.iter().zip(&starts_by_leaf) {
            let converter = self.converter(leaf, file)?;
            let page_of: Vec<u32> = cuts.iter().map(|cut| starts.partition_point(|start| start <= cut) as u32 - 1).collect();
            let page_of = UInt32Array::from(page_of);
            let by_piece = |array: Option<ArrayRef>| array.filter(|a| a.len() == starts.len()).and_then(|a| take(&a, &page_of, None).ok());
            let (min, max) = (
                by_piece(converter.data_page_mins(columns, offsets, &[group]).ok()),
                by_piece(converter.data_page_maxes(columns, offsets, &[group]).ok()),
            );
            let page_rows = |page: usize| starts.get(page + 1).unwrap_or(&total) - starts[page];
            // A piece knows its nulls when its page has none, nothing else, or no other piece.
            let nulls = converter.data_page_null_counts(columns, offsets, &[group]).ok().filter(|n| n.len() == starts.len()).map(|nulls| {
                let piece = |(i, page): (usize, &u32)| {
                    let page = *page as usize;
                    let count = nulls.is_valid(page).then(|| nulls.value(page))?;
                    match count {
                        0 => Some(0),
                        all if all == page_rows(page) => Some(rows[i]),
                        some if rows[i] == page_rows(page) => Some(some),
                        _ => None,
                    }
                };
                page_of.values().iter().enumerate().map(piece).collect::<UInt64Array>()
            });
            leaves.insert(*path, LeafStats { min, max, nulls, ..Default::default() });
        }
        let keep = self.pruner.keep(&Stats { leaves, rows: rows.clone().into() })?;
        let runs = rows.iter().enumerate().map(|(i, rows)| RowSelector { row_count: *rows as usize, skip: !keep.value(i) });
        Ok(Some(runs.collect()))
    }

    fn converter<'f>(&self, leaf: &'f FaithfulLeaf, file: &'f ParquetMetaData) -> Result<StatisticsConverter<'f>> {
        StatisticsConverter::from_column_index(leaf.leaf, &leaf.arrow, file.file_metadata().schema_descr())
            .map(|c| c.with_missing_null_counts_as_zero(false))
            .map_err(super::source::from_parquet)
    }
}
