//! Columns of a data file -> columns of the table. Kind: pure. Spec: DAT.
//!
//! `Wanted` is what a scan asks for, the same for every file; `FilePlan` is how one file gives it: which leaves to decode, and how each
//! decoded column becomes the table's. Nested fields are found, reordered, left out and filled with nulls like top-level columns.
//! Invariant: a batch that comes out has exactly the schema asked for, whatever the file's schema is.

use super::calendar::Hybrid;
use super::cast::{Cast, cast};
use super::variant;
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, Field, Struct};
use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, RecordBatch, RecordBatchOptions, StructArray, new_empty_array, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, FieldRef, Fields, Schema as ArrowSchema, SchemaRef, TimeUnit};
use parquet::arrow::{PARQUET_FIELD_ID_META_KEY, parquet_to_arrow_schema};
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::FileMetaData;
use std::sync::Arc;

/// How a field of data files is found.
pub(super) type FieldId<'a> = &'a dyn Fn(&Field) -> Option<i32>;

/// One column that a scan asks for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Its name in the table.
    pub logical: String,
    /// Its name, type and field ids in data files.
    node: Node,
    pub data_type: DataType,
    /// Its value is that of the file's partition.
    pub partition: bool,
}

/// A field of the table as data files spell it.
#[derive(Clone, Debug)]
struct Node {
    name: String,
    id: Option<i32>,
    /// The logical field; everything below may be null, for a file may lack it.
    arrow: FieldRef,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Leaf,
    Void,
    Variant,
    Struct(Vec<Node>),
    List(Box<Node>),
    Map(Box<Node>, Box<Node>),
}

impl Wanted {
    /// A column of the table: its logical field and the same with the names of data files. `LB-SCHEMA` for an unknown type.
    pub fn new(logical: &Field, physical: &Field, partition: bool, id: FieldId<'_>) -> Result<Wanted> {
        Ok(Wanted { logical: logical.name.clone(), node: node(logical, physical, id)?, data_type: logical.data_type.clone(), partition })
    }
    /// Its name in data files and partition values.
    pub fn physical(&self) -> &str {
        &self.node.name
    }
    /// Its Arrow field in the batches of the scan.
    pub fn arrow(&self) -> &FieldRef {
        &self.node.arrow
    }
}

fn node(logical: &Field, physical: &Field, id: FieldId<'_>) -> Result<Node> {
    let (kind, arrow) = shape(&logical.data_type, &physical.data_type, id)?;
    let mut arrow = ArrowField::new(&logical.name, arrow, true);
    if matches!(kind, Kind::Variant) {
        arrow = arrow.with_metadata(logical.to_arrow()?.metadata().clone());
    }
    Ok(Node { name: physical.name.clone(), id: id(physical), arrow: Arc::new(arrow), kind })
}

fn shape(logical: &DataType, physical: &DataType, id: FieldId<'_>) -> Result<(Kind, ArrowType)> {
    let inner = |name: &str, l: &DataType, p: &DataType| {
        // Elements, keys and values have no ids of their own here: they are found by their place.
        let (l, p) = (Field::new(name, l.clone(), true), Field::new(name, p.clone(), true));
        node(&l, &p, id).map(Box::new)
    };
    Ok(match (logical, physical) {
        (DataType::Struct(l), DataType::Struct(p)) => {
            let nodes = l.fields.iter().zip(&p.fields).map(|(l, p)| node(l, p, id)).collect::<Result<Vec<_>>>()?;
            let fields: Fields = nodes.iter().map(|n| Arc::clone(&n.arrow)).collect();
            (Kind::Struct(nodes), ArrowType::Struct(fields))
        }
        (DataType::Array { element: l, .. }, DataType::Array { element: p, .. }) => {
            let element = inner("element", l, p)?;
            let arrow = ArrowType::List(Arc::clone(&element.arrow));
            (Kind::List(element), arrow)
        }
        (DataType::Map { key: lk, value: lv, .. }, DataType::Map { key: pk, value: pv, .. }) => {
            let (mut key, value) = (inner("key", lk, pk)?, inner("value", lv, pv)?);
            key.arrow = Arc::new(key.arrow.as_ref().clone().with_nullable(false));
            let entries = Fields::from(vec![Arc::clone(&key.arrow), Arc::clone(&value.arrow)]);
            let arrow = ArrowType::Map(Arc::new(ArrowField::new("key_value", ArrowType::Struct(entries), false)), false);
            (Kind::Map(key, value), arrow)
        }
        (DataType::Void, _) => (Kind::Void, ArrowType::Null),
        (DataType::Variant, _) => (Kind::Variant, DataType::Variant.to_arrow()?),
        (leaf, _) => (Kind::Leaf, leaf.to_arrow()?),
    })
}

/// The logical Arrow schema of these columns, all nullable: a file may hold nulls or lack the column whatever the table says.
pub(super) fn schema_of(wanted: &[Wanted]) -> SchemaRef {
    Arc::new(ArrowSchema::new(wanted.iter().map(|w| Arc::clone(w.arrow())).collect::<Fields>()))
}

/// How one file gives the wanted columns.
#[derive(Debug)]
pub(super) struct FilePlan {
    /// The file's schema as the decoder is to see it: INT96 as micros, unmarked text as text.
    pub hinted: SchemaRef,
    /// Leaves to decode, ascending.
    pub leaves: Vec<usize>,
    /// Values are stored in a type from which the table's was widened.
    pub widens: bool,
    columns: Vec<Column>,
    schema: SchemaRef,
}

#[derive(Debug)]
enum Column {
    /// One value for the whole file.
    Constant(ArrayRef),
    Null,
    /// A decoded root column, by its place among the decoded ones.
    Decoded(usize, Shape),
}

/// How a decoded array becomes the table's.
#[derive(Clone, Debug)]
enum Shape {
    Leaf(Cast),
    Variant,
    /// By child of the result: its place among the decoded children.
    Struct(Fields, Vec<Option<(usize, Shape)>>),
    List(FieldRef, Box<Shape>),
    Map(FieldRef, Box<Shape>, Box<Shape>),
    /// Decoded only for its length.
    Nulls(ArrowType),
}

/// A leaf of a file whose values and order are the table's: its statistics may be used.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FaithfulLeaf {
    pub leaf: usize,
    pub arrow: FieldRef,
}

impl FilePlan {
    /// Plans a file. `constant` gives the value of a partition column as an array of one row. `LB-SCHEMA` names the column and both
    /// types when they do not fit, `LB-FILE` when the footer's schema is unusable.
    pub fn new(wanted: &[Wanted], file: &FileMetaData, constant: &dyn Fn(&Wanted) -> Result<ArrayRef>) -> Result<FilePlan> {
        let mut walk = Walk::new(wanted, file)?;
        let mut found = Vec::with_capacity(wanted.len());
        for w in wanted {
            found.push(match (w.partition, &w.node.kind) {
                (true, _) | (_, Kind::Void) => None,
                _ => walk.top(&w.node)?,
            });
        }
        let mut roots: Vec<usize> = found.iter().flatten().map(|(root, _)| *root).collect();
        roots.sort_unstable();
        roots.dedup();
        let columns = wanted.iter().zip(found).map(|(w, found)| {
            Ok(match found {
                _ if w.partition => Column::Constant(constant(w)?),
                Some((root, shape)) => Column::Decoded(roots.partition_point(|r| *r < root), shape),
                None => Column::Null,
            })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let Walk { arrow, mut leaves, hints, widens, .. } = walk;
        leaves.sort_unstable();
        leaves.dedup();
        Ok(FilePlan { hinted: with_hints(&arrow, &hints), leaves, widens, columns, schema: schema_of(wanted) })
    }
    /// The wanted columns of a decoded batch.
    pub fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let columns = self.columns.iter().zip(self.schema.fields()).map(|(column, field)| match column {
            Column::Constant(one) => repeat(one, rows),
            Column::Null => Ok(new_null_array(field.data_type(), rows)),
            Column::Decoded(at, shape) => match batch.columns().get(*at) {
                Some(array) => shape.apply(array).map_err(|e| e.with("column", field.name())),
                None => Err(Error::new(Code::INTERNAL, "the decoder left out a column").with("column", field.name())),
            },
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

/// An array of `rows` times the one value of `one`.
pub(super) fn repeat(one: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    if one.is_null(0) || rows == 0 {
        return Ok(if rows == 0 { new_empty_array(one.data_type()) } else { new_null_array(one.data_type(), rows) });
    }
    Ok(take(one, &arrow::array::UInt32Array::from(vec![0; rows]), None)?)
}

impl Shape {
    fn apply(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let unexpected = || Error::new(Code::FILE, format!("a column was decoded as {}, which its schema does not say", array.data_type()));
        Ok(match self {
            Shape::Leaf(cast) => cast.apply(array)?,
            Shape::Variant => variant::unshredded(array)?,
            Shape::Nulls(to) => new_null_array(to, array.len()),
            Shape::Struct(fields, children) => {
                let from = array.as_struct_opt().ok_or_else(unexpected)?;
                let children = children.iter().zip(fields).map(|(child, field)| match child {
                    None => Ok(new_null_array(field.data_type(), from.len())),
                    Some((at, shape)) => {
                        shape.apply(from.columns().get(*at).ok_or_else(unexpected)?).map_err(|e| e.with("field", field.name()))
                    }
                });
                let children = children.collect::<Result<Vec<_>>>()?;
                Arc::new(StructArray::try_new_with_length(fields.clone(), children, from.nulls().cloned(), from.len())?)
            }
            Shape::List(field, element) => {
                let from = array.as_list_opt::<i32>().ok_or_else(unexpected)?;
                let values = element.apply(from.values())?;
                Arc::new(ListArray::try_new(Arc::clone(field), from.offsets().clone(), values, from.nulls().cloned())?)
            }
            Shape::Map(field, key, value) => {
                let from = array.as_map_opt().ok_or_else(unexpected)?;
                let ArrowType::Struct(fields) = field.data_type() else { return Err(unexpected()) };
                let entries = vec![key.apply(from.keys())?, value.apply(from.values())?];
                let entries = StructArray::try_new(fields.clone(), entries, None)?;
                Arc::new(MapArray::try_new(Arc::clone(field), from.offsets().clone(), entries, from.nulls().cloned(), false)?)
            }
        })
    }
}

/// The walk over the wanted fields and the file's schema, side by side.
struct Walk<'a> {
    arrow: ArrowSchema,
    file: &'a FileMetaData,
    hybrid: Hybrid,
    leaves: Vec<usize>,
    /// Leaves that the decoder is to give in another type.
    hints: Vec<(usize, ArrowType)>,
    widens: bool,
    /// Columns are found by id, and the file has ids.
    by_id: bool,
}

impl<'a> Walk<'a> {
    fn new(wanted: &[Wanted], file: &'a FileMetaData) -> Result<Walk<'a>> {
        // Without key-value metadata: what a writer's own Arrow schema says about views or dictionaries is not ours.
        let arrow = parquet_to_arrow_schema(file.schema_descr(), None)
            .map_err(|e| Error::new(Code::FILE, format!("the file's schema is unusable: {e}")).caused_by(e))?;
        if arrow.fields().iter().map(|f| leaf_count(f.data_type())).sum::<usize>() != file.schema_descr().num_columns() {
            return Err(Error::new(Code::FILE, "the file's schema holds columns that cannot be read"));
        }
        let by_id = wanted.iter().any(|w| w.node.id.is_some());
        if by_id && !arrow.fields().is_empty() && !arrow.fields().iter().any(|f| f.metadata().contains_key(PARQUET_FIELD_ID_META_KEY)) {
            return Err(Error::new(Code::FILE, "the table finds columns by field id, and the file has none"));
        }
        Ok(Walk { arrow, file, hybrid: Hybrid::of(file), leaves: Vec::new(), hints: Vec::new(), widens: false, by_id })
    }

    /// A top-level column: which root it is and how it is read; `None` when the file has nothing of it.
    fn top(&mut self, node: &Node) -> Result<Option<(usize, Shape)>> {
        let fields = self.arrow.fields().clone();
        let Some(root) = find(&fields, node, self.by_id)? else { return Ok(None) };
        let first = fields.iter().take(root).map(|f| leaf_count(f.data_type())).sum();
        let shape = self.visit(node, &fields[root], first).map_err(|e| e.with("column", node.arrow.name()))?;
        Ok(shape.map(|shape| (root, shape)))
    }

    /// How `from`, whose first leaf is `first`, gives `node`; `None` when it holds nothing of it.
    fn visit(&mut self, node: &Node, from: &ArrowField, first: usize) -> Result<Option<Shape>> {
        let unfit = || {
            let (file, table) = (from.data_type(), node.arrow.data_type());
            let help = "the file cannot be read as this table; was it written with another schema?";
            Error::new(Code::SCHEMA, format!("the file holds {file} where the table has {table}")).help(help)
        };
        match (&node.kind, from.data_type()) {
            (Kind::Void, _) => Ok(None),
            (Kind::Leaf, _) => self.leaf(node, from.data_type(), first).map(Some).ok_or_else(unfit),
            (Kind::Variant, ArrowType::Struct(children)) => {
                let has = |name| children.iter().any(|c| c.name() == name);
                if !has("metadata") || !(has("value") || has("typed_value")) {
                    return Err(unfit());
                }
                self.leaves.extend(first..first + leaf_count(from.data_type()));
                Ok(Some(Shape::Variant))
            }
            (Kind::Struct(nodes), ArrowType::Struct(children)) => {
                let mut found = Vec::with_capacity(nodes.len());
                for n in nodes {
                    let Some(at) = find(children, n, self.by_id)? else {
                        found.push(None);
                        continue;
                    };
                    let first = first + children.iter().take(at).map(|f| leaf_count(f.data_type())).sum::<usize>();
                    let shape = self.visit(n, &children[at], first).map_err(|e| e.with("field", n.arrow.name()))?;
                    found.push(shape.map(|shape| (at, shape)));
                }
                let mut decoded: Vec<usize> = found.iter().flatten().map(|(at, _)| *at).collect();
                if decoded.is_empty() {
                    return Ok(None);
                }
                decoded.sort_unstable();
                decoded.dedup();
                let found = found.into_iter().map(|f| f.map(|(at, shape)| (decoded.partition_point(|d| *d < at), shape))).collect();
                let ArrowType::Struct(fields) = node.arrow.data_type() else { return Err(unfit()) };
                Ok(Some(Shape::Struct(fields.clone(), found)))
            }
            (Kind::List(element), ArrowType::List(inner)) => {
                let element_shape = self.inside(element, inner, first)?;
                Ok(Some(Shape::List(Arc::clone(&element.arrow), Box::new(element_shape))))
            }
            (Kind::Map(key, value), ArrowType::Map(entries, _)) => {
                let ArrowType::Struct(pair) = entries.data_type() else { return Err(unfit()) };
                let [from_key, from_value] = pair.as_ref() else { return Err(unfit()) };
                let key_shape = self.inside(key, from_key, first)?;
                let value_shape = self.inside(value, from_value, first + leaf_count(from_key.data_type()))?;
                let ArrowType::Map(entries, _) = node.arrow.data_type() else { return Err(unfit()) };
                Ok(Some(Shape::Map(Arc::clone(entries), Box::new(key_shape), Box::new(value_shape))))
            }
            _ => Err(unfit()),
        }
    }

    /// An element, key or value: when nothing of it is wanted or there, one leaf is decoded for the lengths alone.
    fn inside(&mut self, node: &Node, from: &ArrowField, first: usize) -> Result<Shape> {
        Ok(self.visit(node, from, first)?.unwrap_or_else(|| {
            self.leaves.push(first);
            Shape::Nulls(node.arrow.data_type().clone())
        }))
    }

    fn leaf(&mut self, node: &Node, from: &ArrowType, leaf: usize) -> Option<Shape> {
        let to = node.arrow.data_type();
        let int96 = self.file.schema_descr().column(leaf).physical_type() == PhysicalType::INT96;
        // INT96 spans more than nanoseconds of 64 bits can count: it is decoded as micros.
        let hint = match (from, to) {
            (ArrowType::Timestamp(..), ArrowType::Timestamp(_, zone)) if int96 => ArrowType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            (ArrowType::Timestamp(..), _) if int96 => ArrowType::Timestamp(TimeUnit::Microsecond, None),
            (ArrowType::Binary, ArrowType::Utf8) => ArrowType::Utf8,
            _ => from.clone(),
        };
        let cast = cast(&hint, to, if int96 { self.hybrid.int96 } else { self.hybrid.dates })?;
        self.widens |= cast.widens(&hint);
        if hint != *from {
            self.hints.push((leaf, hint));
        }
        self.leaves.push(leaf);
        Some(Shape::Leaf(cast))
    }
}

impl Wanted {
    /// The leaf of a file that holds the field at `path` below this column (this column itself when it is empty), if its statistics
    /// hold for the table as they are.
    pub fn faithful_leaf(&self, path: &[String], file: &FileMetaData) -> Option<FaithfulLeaf> {
        let mut walk = Walk::new(std::slice::from_ref(self), file).ok()?;
        let mut fields = walk.arrow.fields().clone();
        let (mut node, mut first) = (&self.node, 0);
        let mut path = path.iter();
        loop {
            let at = find(&fields, node, walk.by_id).ok()??;
            first += fields.iter().take(at).map(|f| leaf_count(f.data_type())).sum::<usize>();
            let from = Arc::clone(&fields[at]);
            match (&node.kind, from.data_type(), path.next()) {
                (Kind::Leaf, from_type, None) => {
                    let int96 = file.schema_descr().column(first).physical_type() == PhysicalType::INT96;
                    let Some(Shape::Leaf(cast)) = walk.leaf(node, from_type, first) else { return None };
                    let unhinted = walk.hints.is_empty();
                    return (!int96 && unhinted && cast.keeps_order(from_type))
                        .then(|| FaithfulLeaf { leaf: first, arrow: Arc::clone(&node.arrow) });
                }
                (Kind::Struct(nodes), ArrowType::Struct(children), Some(name)) => {
                    node = nodes.iter().find(|n| n.arrow.name() == name)?;
                    fields = children.clone();
                }
                _ => return None,
            }
        }
    }
}

/// Where the file keeps a field: by id, or by exact name, or by the one name that differs only in case.
fn find(fields: &Fields, node: &Node, by_id: bool) -> Result<Option<usize>> {
    if let (true, Some(id)) = (by_id, node.id) {
        let id = id.to_string();
        return Ok(fields.iter().position(|f| f.metadata().get(PARQUET_FIELD_ID_META_KEY) == Some(&id)));
    }
    if let Some(exact) = fields.iter().position(|f| *f.name() == node.name) {
        return Ok(Some(exact));
    }
    let lower = node.name.to_lowercase();
    let mut alike = fields.iter().enumerate().filter(|(_, f)| f.name().to_lowercase() == lower).map(|(i, _)| i);
    match (alike.next(), alike.next()) {
        (Some(_), Some(_)) => Err(Error::new(Code::SCHEMA, "the file has several columns whose names differ only in case")
            .with("column", node.arrow.name())
            .help("rename them in the file, or give the table the exact name of one")),
        (one, _) => Ok(one),
    }
}

fn leaf_count(arrow: &ArrowType) -> usize {
    match arrow {
        ArrowType::Struct(fields) => fields.iter().map(|f| leaf_count(f.data_type())).sum(),
        ArrowType::List(inner) | ArrowType::LargeList(inner) | ArrowType::FixedSizeList(inner, _) | ArrowType::Map(inner, _) => {
            leaf_count(inner.data_type())
        }
        _ => 1,
    }
}

/// The schema with other types for some leaves (counted as Parquet counts its columns).
pub(super) fn with_hints(schema: &ArrowSchema, hints: &[(usize, ArrowType)]) -> SchemaRef {
    let mut leaf = 0;
    let fields: Fields = schema.fields().iter().map(|f| hinted(f, &mut leaf, hints)).collect();
    Arc::new(ArrowSchema::new(fields))
}

fn hinted(field: &FieldRef, leaf: &mut usize, hints: &[(usize, ArrowType)]) -> FieldRef {
    let arrow = match field.data_type() {
        ArrowType::Struct(fields) => ArrowType::Struct(fields.iter().map(|f| hinted(f, leaf, hints)).collect()),
        ArrowType::List(inner) => ArrowType::List(hinted(inner, leaf, hints)),
        ArrowType::Map(inner, sorted) => ArrowType::Map(hinted(inner, leaf, hints), *sorted),
        other => {
            let hint = hints.iter().find(|(at, _)| at == leaf).map_or(other, |(_, hint)| hint);
            *leaf += 1;
            hint.clone()
        }
    };
    Arc::new(field.as_ref().clone().with_data_type(arrow))
}

/// The columns of a scan: the named ones in their order, or all. `LB-SCHEMA` names a column that the table lacks.
pub(super) fn wanted(
    logical: &Struct,
    physical: &Struct,
    partitions: &[String],
    id: FieldId<'_>,
    names: Option<&[String]>,
) -> Result<Vec<Wanted>> {
    let one = |i: usize| {
        let field = &logical.fields[i];
        let partition = partitions.contains(&field.name);
        Wanted::new(field, &physical.fields[i], partition, id)
    };
    match names {
        None => (0..logical.fields.len()).map(one).collect(),
        Some(names) => names
            .iter()
            .map(|name| {
                let i = logical.index_of(name).ok_or_else(|| {
                    let known: Vec<&str> = logical.fields.iter().map(|f| f.name.as_str()).collect();
                    Error::new(Code::SCHEMA, format!("the table has no column `{name}`"))
                        .with("column", name)
                        .help(format!("its columns are: {}", known.join(", ")))
                })?;
                one(i)
            })
            .collect(),
    }
}
