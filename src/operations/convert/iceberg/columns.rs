//! The columns of a data file, found by their ids. Kind: pure. Spec: ICV.

use super::super::schema::of_file;
use super::metadata::id_of;
use super::refused;
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, Field, Struct, can_widen};
use arrow::datatypes::{DataType as ArrowType, Fields};
use parquet::arrow::{PARQUET_FIELD_ID_META_KEY, parquet_to_arrow_schema};
use parquet::file::metadata::ParquetMetaData;
use std::collections::BTreeMap;

/// The columns of one file.
#[derive(Debug)]
pub(super) struct FileColumns {
    /// In the file's order, under the table's names.
    pub columns: Struct,
    /// Names of those that the table does not have, or has in another shape.
    pub foreign: Vec<String>,
    /// By id, the type of those that are wider in the table.
    pub narrower: BTreeMap<i64, DataType>,
}

impl FileColumns {
    /// Finds them in the table. `LB-FEATURE-READ` for a file without ids, `LB-SCHEMA` for a type that does not become the table's.
    pub(super) fn of(file: &ParquetMetaData, table: &Struct) -> Result<FileColumns> {
        let own = of_file(file)?;
        let arrow = parquet_to_arrow_schema(file.file_metadata().schema_descr(), None)
            .map_err(|e| Error::new(Code::SCHEMA, format!("the columns of a file cannot be those of a table: {e}")).caused_by(e))?;
        let mut found = FileColumns { columns: Struct::default(), foreign: Vec::new(), narrower: BTreeMap::new() };
        for (field, arrow) in own.fields.iter().zip(arrow.fields()) {
            let id = id_in(arrow.metadata(), &field.name)?;
            let known = table.fields.iter().find(|column| id_of(column) == Some(id));
            // No column of the table is called so.
            let name = known.map_or_else(|| format!("\u{0}{id}"), |column| column.name.clone());
            let data_type = match known {
                Some(column) => found.matched(field, arrow.data_type(), column)?,
                None => None,
            };
            if data_type.is_none() {
                found.foreign.push(name.clone());
            }
            found.columns.fields.push(Field::new(name, data_type.unwrap_or_else(|| field.data_type.clone()), true));
        }
        Ok(found)
    }
    /// The file's type under the table's names; `None` when the file has fields inside that the table does not have.
    fn matched(&mut self, file: &Field, arrow: &ArrowType, table: &Field) -> Result<Option<DataType>> {
        let differs = || {
            Error::new(Code::SCHEMA, format!("a column is {} in a file and {} in the table", file.data_type, table.data_type))
                .with("column", &table.name)
        };
        match (&file.data_type, arrow, &table.data_type) {
            (DataType::Struct(inner), ArrowType::Struct(arrow), DataType::Struct(known)) => self.matched_struct(inner, arrow, known),
            (DataType::Array { element, .. }, ArrowType::List(arrow), DataType::Array { element: known, .. }) => {
                self.inside(element, arrow.data_type(), known, table)
            }
            (DataType::Map { key, value, .. }, ArrowType::Map(entries, _), DataType::Map { key: known_key, value: known_value, .. }) => {
                let ArrowType::Struct(pair) = entries.data_type() else { return Err(differs()) };
                let [arrow_key, arrow_value] = &pair[..] else { return Err(differs()) };
                self.inside(key, arrow_key.data_type(), known_key, table)?;
                self.inside(value, arrow_value.data_type(), known_value, table)?;
                Ok(Some(file.data_type.clone()))
            }
            (own, _, known) if own == known => Ok(Some(own.clone())),
            (own, _, known) if can_widen(own, known) => {
                let id = id_of(table).ok_or_else(differs)?;
                let narrowest = self.narrower.entry(id).or_insert_with(|| own.clone());
                if can_widen(own, narrowest) {
                    *narrowest = own.clone();
                }
                Ok(Some(own.clone()))
            }
            _ => Err(differs()),
        }
    }
    fn matched_struct(&mut self, file: &Struct, arrow: &Fields, table: &Struct) -> Result<Option<DataType>> {
        let mut fields = Vec::new();
        let mut all = true;
        for (field, arrow) in file.fields.iter().zip(arrow) {
            let id = id_in(arrow.metadata(), &field.name)?;
            match table.fields.iter().find(|column| id_of(column) == Some(id)) {
                Some(column) => match self.matched(field, arrow.data_type(), column)? {
                    Some(data_type) => fields.push(Field::new(&column.name, data_type, true)),
                    None => all = false,
                },
                None => all = false,
            }
        }
        Ok(all.then_some(DataType::Struct(Struct { fields })))
    }
    /// An element, key or value: its type is that of the table.
    fn inside(&mut self, file: &DataType, arrow: &ArrowType, known: &DataType, column: &Field) -> Result<Option<DataType>> {
        let (file, table) = (Field::new("element", file.clone(), true), Field::new(&column.name, known.clone(), true));
        self.matched(&file, arrow, &table)?;
        Ok(Some(DataType::Array { element: Box::new(file.data_type), contains_null: true }))
    }
}

/// The id of a field.
fn id_in(metadata: &std::collections::HashMap<String, String>, name: &str) -> Result<i64> {
    let id = metadata.get(PARQUET_FIELD_ID_META_KEY).and_then(|id| id.parse().ok());
    id.ok_or_else(|| {
        refused("data files without field ids", "rewrite the data files in Iceberg first, so that columns are known by id")
            .with("column", name)
    })
}
