//! The columns of files that become one table. Kind: pure. Spec: CVT.

use crate::error::{Code, Error, Result};
use crate::schema::evolve::{self, Widening};
use crate::schema::{DataType, Field, Struct};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::basic::Type as Physical;
use parquet::file::metadata::ParquetMetaData;

/// The columns of one file, nullable. `LB-SCHEMA` for a type that a table cannot have.
pub(super) fn of_file(file: &ParquetMetaData) -> Result<Struct> {
    let descriptor = file.file_metadata().schema_descr();
    let arrow = parquet_to_arrow_schema(descriptor, None)
        .map_err(|e| Error::new(Code::SCHEMA, format!("the columns of a file cannot be those of a table: {e}")).caused_by(e))?;
    let mut schema = evolve::nullable(&Struct::from_arrow(&arrow)?);
    // Times of the old form are instants, whatever the file says of them.
    for leaf in descriptor.columns().iter().filter(|leaf| leaf.physical_type() == Physical::INT96) {
        match (leaf.path().parts(), schema.fields.iter_mut().find(|field| leaf.path().parts().first() == Some(&field.name))) {
            ([_], Some(field)) => field.data_type = DataType::Timestamp,
            _ => {
                return Err(Error::new(Code::SCHEMA, "a time of the old form (INT96) lies inside another column, which is not converted")
                    .with("column", leaf.path().string()));
            }
        }
    }
    Ok(schema)
}

/// The columns so far with those of one more file. `LB-SCHEMA` names a column that has another type there.
pub(super) fn united(all: Struct, file: &Struct) -> Result<Struct> {
    if let Some((column, is, other)) = difference(&all, file, "") {
        return Err(Error::new(Code::SCHEMA, format!("a column is {other} in this file and {is} in another one")).with("column", column));
    }
    Ok(evolve::grown(&all, file, Widening::Off))
}

/// The first column that both have with different types.
fn difference(all: &Struct, file: &Struct, prefix: &str) -> Option<(String, String, String)> {
    file.fields.iter().find_map(|field| {
        let known = all.field(&field.name)?;
        differing(&known.data_type, &field.data_type, &format!("{prefix}{}", field.name))
    })
}

fn differing(a: &DataType, b: &DataType, path: &str) -> Option<(String, String, String)> {
    match (a, b) {
        (DataType::Struct(a), DataType::Struct(b)) => difference(a, b, &format!("{path}.")),
        (DataType::Array { element: a, .. }, DataType::Array { element: b, .. }) => differing(a, b, &format!("{path}.element")),
        (DataType::Map { key: a, value: x, .. }, DataType::Map { key: b, value: y, .. }) => {
            differing(a, b, &format!("{path}.key")).or_else(|| differing(x, y, &format!("{path}.value")))
        }
        (a, b) if a == b => None,
        (a, b) => Some((path.to_owned(), a.to_string(), b.to_string())),
    }
}

/// The columns of the files with those of the folders: at the end, or in place of one of the same name.
pub(super) fn with_partitions(mut columns: Struct, partitions: &Struct) -> Struct {
    for partition in &partitions.fields {
        let field = Field::new(&partition.name, partition.data_type.clone(), partition.nullable);
        match columns.index_of(&partition.name) {
            Some(at) => columns.fields[at] = field,
            None => columns.fields.push(field),
        }
    }
    columns
}
