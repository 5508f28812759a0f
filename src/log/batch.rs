//! File actions as columns. Kind: shape. Spec: ACT, CKP.
//!
//! `FileRows` holds `add` actions in one Arrow form, whoever wrote them and however; a column that was not read is absent.
//! Invariant: every row has a path.

use super::seen::{FileKey, VectorKey};
use super::stats::stats_text;
use super::{Add, NullableMap, Remove, VectorDescriptor};
use crate::error::{Code, Error, Result};
use arrow::array::{
    Array, ArrayRef, BooleanArray, BooleanBuilder, Int32Array, Int32Builder, Int64Array, Int64Builder, MapArray, MapBuilder, MapFieldNames,
    RecordBatch, StringViewArray, StringViewBuilder, StructArray, cast::AsArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Int64Type, Schema};
use std::borrow::Cow;
use std::sync::Arc;

/// `add` actions as columns. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct FileRows {
    batch: RecordBatch,
    path: StringViewArray,
    partition_values: Option<MapArray>,
    size: Option<Int64Array>,
    modification_time: Option<Int64Array>,
    vector: Option<VectorColumns>,
}

#[derive(Clone, Debug)]
struct VectorColumns {
    present: BooleanArray,
    storage_type: StringViewArray,
    path_or_inline: StringViewArray,
    offset: Int32Array,
    size_in_bytes: Int32Array,
    cardinality: Int64Array,
}

/// Names of the columns of a deletion vector, with their types.
pub(crate) fn vector_fields() -> Fields {
    Fields::from(vec![
        Field::new("storageType", DataType::Utf8View, true),
        Field::new("pathOrInlineDv", DataType::Utf8View, true),
        Field::new("offset", DataType::Int32, true),
        Field::new("sizeInBytes", DataType::Int32, true),
        Field::new("cardinality", DataType::Int64, true),
    ])
}

/// A map of texts in the one form used here.
pub(crate) fn text_map_type() -> DataType {
    let entries = Fields::from(vec![Field::new("key", DataType::Utf8View, false), Field::new("value", DataType::Utf8View, true)]);
    DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries), false)), false)
}

impl FileRows {
    /// The rows of a checkpoint's `add` column; every row must be an `add`.
    pub fn from_column(column: &StructArray) -> Result<FileRows> {
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (field, array) in column.fields().iter().zip(column.columns()) {
            let array = match field.name().as_str() {
                "path" | "stats" | "clusteringProvider" => as_type(array, &DataType::Utf8View)?,
                "size" | "modificationTime" | "baseRowId" | "defaultRowCommitVersion" => as_type(array, &DataType::Int64)?,
                "dataChange" => as_type(array, &DataType::Boolean)?,
                "partitionValues" | "tags" => as_type(array, &text_map_type())?,
                "deletionVector" => vector_column(array)?,
                "stats_parsed" | "partitionValues_parsed" => Arc::clone(array),
                _ => continue,
            };
            fields.push(Field::new(field.name(), array.data_type().clone(), true));
            arrays.push(array);
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(shape)?;
        FileRows::from_batch(batch)
    }

    /// Some columns of any rows, for what can be concluded from them; such rows have no path.
    pub fn facts(column: &StructArray) -> Result<FileRows> {
        let path: ArrayRef = Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n("", column.len())));
        let fields = column.fields().iter().cloned().chain([Arc::new(Field::new("path", DataType::Utf8View, true))]);
        let columns = column.columns().iter().cloned().chain([path]).collect();
        FileRows::from_column(&StructArray::try_new(fields.collect(), columns, None).map_err(shape)?)
    }

    fn from_batch(batch: RecordBatch) -> Result<FileRows> {
        let column = |name: &str| batch.column_by_name(name);
        let path = column("path").map(|c| c.as_string_view().clone()).ok_or_else(|| shape("the path column is missing"))?;
        if path.null_count() > 0 {
            return Err(shape("a file without a path"));
        }
        let longs = |name: &str| column(name).map(|c| c.as_primitive::<Int64Type>().clone());
        let vector = column("deletionVector").map(|c| {
            let c = c.as_struct();
            // Some writers leave a struct of nulls where there is no vector.
            VectorColumns {
                present: super::checkpoint::present(c, 0),
                storage_type: c.column(0).as_string_view().clone(),
                path_or_inline: c.column(1).as_string_view().clone(),
                offset: c.column(2).as_primitive::<Int32Type>().clone(),
                size_in_bytes: c.column(3).as_primitive::<Int32Type>().clone(),
                cardinality: c.column(4).as_primitive::<Int64Type>().clone(),
            }
        });
        Ok(FileRows {
            partition_values: column("partitionValues").map(|c| c.as_map().clone()),
            size: longs("size"),
            modification_time: longs("modificationTime"),
            vector,
            path,
            batch,
        })
    }

    /// The rows of decoded actions, with all columns.
    pub fn from_adds<'a>(adds: impl IntoIterator<Item = &'a Add>) -> Result<FileRows> {
        let mut builder = Builder::default();
        adds.into_iter().for_each(|add| builder.push(add));
        FileRows::from_batch(builder.finish()?)
    }

    /// The columns of an `add` action without its parsed ones, in Spark's order.
    pub fn standard_fields() -> [(&'static str, DataType); 11] {
        [
            ("path", DataType::Utf8View),
            ("partitionValues", text_map_type()),
            ("size", DataType::Int64),
            ("modificationTime", DataType::Int64),
            ("dataChange", DataType::Boolean),
            ("stats", DataType::Utf8View),
            ("tags", text_map_type()),
            ("deletionVector", DataType::Struct(vector_fields())),
            ("baseRowId", DataType::Int64),
            ("defaultRowCommitVersion", DataType::Int64),
            ("clusteringProvider", DataType::Utf8View),
        ]
    }
    /// Exactly those columns, so that rows of different sources fit together; parsed statistics become text where there is none.
    pub fn standard(&self) -> Result<FileRows> {
        let text = |row: usize| match self.stats() {
            Some(texts) if texts.is_valid(row) => Some(Cow::Borrowed(texts.value(row))),
            _ => stats_text(self.stats_parsed()?, row).map(Cow::Owned),
        };
        let lacks_text = || self.stats().is_none_or(|texts| texts.null_count() > 0);
        let column = |(name, data_type): (&'static str, DataType)| -> (&str, ArrayRef, bool) {
            let array = match self.column(name) {
                _ if name == "stats" && self.stats_parsed().is_some() && lacks_text() => {
                    Arc::new((0..self.len()).map(text).collect::<StringViewArray>())
                }
                Some(array) => Arc::clone(array),
                None => arrow::array::new_null_array(&data_type, self.len()),
            };
            (name, array, true)
        };
        let columns = FileRows::standard_fields().map(column);
        FileRows::from_batch(RecordBatch::try_from_iter_with_nullable(columns).map_err(shape)?)
    }
    /// About how many bytes the texts and numbers of these rows are.
    pub fn bytes(&self) -> u64 {
        let texts: u64 = self.stats().map_or(0, |s| s.lengths().map(u64::from).sum());
        self.path.lengths().map(u64::from).sum::<u64>() + texts + 256 * self.len() as u64
    }

    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }
    /// Only the rows that `keep` marks.
    pub fn filter(&self, keep: &BooleanArray) -> Result<FileRows> {
        if keep.null_count() == 0 && keep.true_count() == self.len() {
            return Ok(self.clone());
        }
        FileRows::from_batch(filter_record_batch(&self.batch, keep).map_err(shape)?)
    }
    /// These rows in this order.
    pub fn take(&self, rows: &arrow::array::UInt32Array) -> Result<FileRows> {
        FileRows::from_batch(take_record_batch(&self.batch, rows).map_err(shape)?)
    }
    /// All rows of several of one shape.
    pub fn concat(parts: &[FileRows]) -> Result<FileRows> {
        let batches: Vec<&RecordBatch> = parts.iter().map(|p| &p.batch).collect();
        let Some(first) = batches.first() else { return FileRows::from_adds([]) };
        FileRows::from_batch(concat_batches(&first.schema(), batches.iter().copied()).map_err(shape)?)
    }
    /// A column by its name in the log.
    pub fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.batch.column_by_name(name)
    }
    pub fn stats(&self) -> Option<&StringViewArray> {
        self.column("stats").map(|c| c.as_string_view())
    }
    pub fn stats_parsed(&self) -> Option<&StructArray> {
        self.column("stats_parsed").and_then(|c| c.as_struct_opt())
    }
    pub fn partition_values(&self) -> Option<&MapArray> {
        self.partition_values.as_ref()
    }
    pub fn path(&self, row: usize) -> &str {
        self.path.value(row)
    }
    pub fn size(&self, row: usize) -> i64 {
        long(&self.size, row).unwrap_or(0)
    }
    pub fn modification_time(&self, row: usize) -> i64 {
        long(&self.modification_time, row).unwrap_or(0)
    }
    /// What reconciliation compares.
    pub fn key(&self, row: usize) -> FileKey<'_> {
        let vector = self.vector.as_ref().filter(|v| v.present.value(row)).map(|v| VectorKey {
            storage_type: v.storage_type.value(row),
            path_or_inline: v.path_or_inline.value(row),
            offset: v.offset.is_valid(row).then(|| v.offset.value(row)),
        });
        FileKey { path: self.path.value(row), vector }
    }
    pub fn vector(&self, row: usize) -> Option<VectorDescriptor> {
        let v = self.vector.as_ref().filter(|v| v.present.value(row))?;
        Some(VectorDescriptor {
            storage_type: v.storage_type.value(row).to_owned(),
            path_or_inline_dv: v.path_or_inline.value(row).to_owned(),
            offset: v.offset.is_valid(row).then(|| v.offset.value(row)),
            size_in_bytes: v.size_in_bytes.value(row),
            cardinality: v.cardinality.value(row),
        })
    }
    /// The text of a partition value; `None` is null.
    pub fn partition_value(&self, row: usize, physical: &str) -> Option<&str> {
        text_of(self.partition_values.as_ref()?, row, physical)
    }
    /// A number of the action; `None` is null, or not read.
    pub fn number(&self, name: &str, row: usize) -> Option<i64> {
        self.column(name).map(|c| c.as_primitive::<Int64Type>()).filter(|c| c.is_valid(row)).map(|c| c.value(row))
    }
    /// The whole action, from the columns that are there.
    pub fn add(&self, row: usize) -> Add {
        let text = |name: &str| self.column(name).map(|c| c.as_string_view()).filter(|c| c.is_valid(row)).map(|c| c.value(row).to_owned());
        Add {
            path: self.path(row).to_owned(),
            partition_values: self.partition_values.as_ref().and_then(|m| text_map(m, row)).unwrap_or_default(),
            size: self.size(row),
            modification_time: self.modification_time(row),
            data_change: self.column("dataChange").map(|c| c.as_boolean()).is_some_and(|c| c.is_valid(row) && c.value(row)),
            stats: text("stats").or_else(|| stats_text(self.stats_parsed()?, row)),
            tags: self.column("tags").and_then(|c| text_map(c.as_map(), row)),
            deletion_vector: self.vector(row),
            base_row_id: self.number("baseRowId", row),
            default_row_commit_version: self.number("defaultRowCommitVersion", row),
            clustering_provider: text("clusteringProvider"),
        }
    }
}

/// The removed files of a checkpoint's `remove` column; every row must be a `remove`.
pub(crate) fn removes_of(column: &StructArray) -> Result<Vec<Remove>> {
    let rows = FileRows::from_column(column)?;
    let longs = |name: &str| column.column_by_name(name).map(|c| as_type(c, &DataType::Int64)).transpose();
    let deletion = longs("deletionTimestamp")?;
    let extended = column.column_by_name("extendedFileMetadata").map(|c| as_type(c, &DataType::Boolean)).transpose()?;
    let long_at = |c: &Option<ArrayRef>, row: usize| {
        c.as_ref().map(|c| c.as_primitive::<Int64Type>()).filter(|c| c.is_valid(row)).map(|c| c.value(row))
    };
    let has_values = |row: usize| rows.partition_values.as_ref().is_some_and(|m| m.is_valid(row));
    Ok((0..rows.len())
        .map(|row| {
            let add = rows.add(row);
            Remove {
                deletion_timestamp: long_at(&deletion, row),
                data_change: add.data_change,
                extended_file_metadata: extended.as_ref().map(|c| c.as_boolean()).filter(|c| c.is_valid(row)).map(|c| c.value(row)),
                partition_values: has_values(row).then_some(add.partition_values),
                size: long(&rows.size, row),
                stats: add.stats,
                tags: add.tags,
                deletion_vector: add.deletion_vector,
                base_row_id: add.base_row_id,
                default_row_commit_version: add.default_row_commit_version,
                path: add.path,
            }
        })
        .collect())
}

impl<'a> From<&'a Add> for FileKey<'a> {
    fn from(a: &'a Add) -> Self {
        FileKey { path: &a.path, vector: a.deletion_vector.as_ref().map(Into::into) }
    }
}
impl<'a> From<&'a Remove> for FileKey<'a> {
    fn from(r: &'a Remove) -> Self {
        FileKey { path: &r.path, vector: r.deletion_vector.as_ref().map(Into::into) }
    }
}

fn long(column: &Option<Int64Array>, row: usize) -> Option<i64> {
    column.as_ref().filter(|c| c.is_valid(row)).map(|c| c.value(row))
}

/// Where the entries of a row's map lie.
fn entries(map: &MapArray, row: usize) -> std::ops::Range<usize> {
    let offsets = map.value_offsets();
    offsets[row] as usize..offsets[row + 1] as usize
}

/// A value of a map of texts; a key that stands twice means its last value.
pub(crate) fn text_of<'a>(map: &'a MapArray, row: usize, key: &str) -> Option<&'a str> {
    if map.is_null(row) {
        return None;
    }
    let (keys, values) = (map.keys().as_string_view(), map.values().as_string_view());
    let at = entries(map, row).rev().find(|i| keys.value(*i) == key)?;
    values.is_valid(at).then(|| values.value(at))
}

fn text_map(map: &MapArray, row: usize) -> Option<NullableMap> {
    let (keys, values) = (map.keys().as_string_view(), map.values().as_string_view());
    map.is_valid(row).then(|| {
        let text = |i: usize| values.is_valid(i).then(|| values.value(i).to_owned());
        entries(map, row).map(|i| (keys.value(i).to_owned(), text(i))).collect()
    })
}

fn as_type(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if array.data_type() == data_type { Ok(Arc::clone(array)) } else { cast(array, data_type).map_err(shape) }
}

fn vector_column(array: &ArrayRef) -> Result<ArrayRef> {
    let column = array.as_struct_opt().ok_or_else(|| shape("deletionVector is not a struct"))?;
    let fields = vector_fields();
    let children = fields
        .iter()
        .map(|f| match column.column_by_name(f.name()) {
            Some(child) => as_type(child, f.data_type()),
            None => Ok(arrow::array::new_null_array(f.data_type(), column.len())),
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new(fields, children, column.nulls().cloned()).map_err(shape)?))
}

fn shape(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let cause = cause.into();
    Error::new(Code::CKPT, format!("file actions do not have the shape they must have: {cause}")).caused_by(cause)
}

/// Builds the columns of `add` actions.
struct Builder {
    path: StringViewBuilder,
    partition_values: MapBuilder<StringViewBuilder, StringViewBuilder>,
    size: Int64Builder,
    modification_time: Int64Builder,
    data_change: BooleanBuilder,
    stats: StringViewBuilder,
    tags: MapBuilder<StringViewBuilder, StringViewBuilder>,
    vector: Vec<bool>,
    storage_type: StringViewBuilder,
    path_or_inline: StringViewBuilder,
    offset: Int32Builder,
    size_in_bytes: Int32Builder,
    cardinality: Int64Builder,
    base_row_id: Int64Builder,
    default_row_commit_version: Int64Builder,
    clustering_provider: StringViewBuilder,
}

impl Default for Builder {
    fn default() -> Self {
        let map = || {
            let names = MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
            MapBuilder::new(Some(names), StringViewBuilder::new(), StringViewBuilder::new())
        };
        Builder {
            path: StringViewBuilder::new(),
            partition_values: map(),
            size: Int64Builder::new(),
            modification_time: Int64Builder::new(),
            data_change: BooleanBuilder::new(),
            stats: StringViewBuilder::new(),
            tags: map(),
            vector: Vec::new(),
            storage_type: StringViewBuilder::new(),
            path_or_inline: StringViewBuilder::new(),
            offset: Int32Builder::new(),
            size_in_bytes: Int32Builder::new(),
            cardinality: Int64Builder::new(),
            base_row_id: Int64Builder::new(),
            default_row_commit_version: Int64Builder::new(),
            clustering_provider: StringViewBuilder::new(),
        }
    }
}

impl Builder {
    fn push(&mut self, add: &Add) {
        self.path.append_value(&add.path);
        push_map(&mut self.partition_values, Some(&add.partition_values));
        self.size.append_value(add.size);
        self.modification_time.append_value(add.modification_time);
        self.data_change.append_value(add.data_change);
        self.stats.append_option(add.stats.as_deref());
        push_map(&mut self.tags, add.tags.as_ref());
        let vector = add.deletion_vector.as_ref();
        self.vector.push(vector.is_some());
        self.storage_type.append_option(vector.map(|v| v.storage_type.as_str()));
        self.path_or_inline.append_option(vector.map(|v| v.path_or_inline_dv.as_str()));
        self.offset.append_option(vector.and_then(|v| v.offset));
        self.size_in_bytes.append_option(vector.map(|v| v.size_in_bytes));
        self.cardinality.append_option(vector.map(|v| v.cardinality));
        self.base_row_id.append_option(add.base_row_id);
        self.default_row_commit_version.append_option(add.default_row_commit_version);
        self.clustering_provider.append_option(add.clustering_provider.as_deref());
    }
    fn finish(mut self) -> Result<RecordBatch> {
        let vector = StructArray::try_new(
            vector_fields(),
            vec![
                Arc::new(self.storage_type.finish()),
                Arc::new(self.path_or_inline.finish()),
                Arc::new(self.offset.finish()),
                Arc::new(self.size_in_bytes.finish()),
                Arc::new(self.cardinality.finish()),
            ],
            Some(NullBuffer::from(self.vector)),
        )
        .map_err(shape)?;
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("path", Arc::new(self.path.finish())),
            ("partitionValues", Arc::new(self.partition_values.finish())),
            ("size", Arc::new(self.size.finish())),
            ("modificationTime", Arc::new(self.modification_time.finish())),
            ("dataChange", Arc::new(self.data_change.finish())),
            ("stats", Arc::new(self.stats.finish())),
            ("tags", Arc::new(self.tags.finish())),
            ("deletionVector", Arc::new(vector)),
            ("baseRowId", Arc::new(self.base_row_id.finish())),
            ("defaultRowCommitVersion", Arc::new(self.default_row_commit_version.finish())),
            ("clusteringProvider", Arc::new(self.clustering_provider.finish())),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).map_err(shape)
    }
}

fn push_map(builder: &mut MapBuilder<StringViewBuilder, StringViewBuilder>, map: Option<&NullableMap>) {
    for (key, value) in map.into_iter().flatten() {
        builder.keys().append_value(key);
        builder.values().append_option(value.as_deref());
    }
    // Keys and values have just grown together, so the builder cannot refuse.
    let _ = builder.append(map.is_some());
}
