//! INSERT and MERGE: rows of a query as rows of a table. Kind: edge. Spec: SQL.

use super::query::Planned;
use super::shape::converted;
use super::statement::{Insert, Merge};
use super::text::{with_defaults, without_qualifier};
use super::{Rows, Session};
use crate::data::input::InputRows;
use crate::error::{Code, Error, Result};
use crate::expr::{BoundExpr, Expr, MergeClause};
use crate::operations::{Report, SaveMode};
use crate::schema::{DataType, Struct, evolve};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Fields, Schema, SchemaRef};
use futures::StreamExt;
use std::sync::Arc;

/// Runs an INSERT.
pub(super) async fn insert(session: &Session, insert: &Insert) -> Result<Report> {
    let table = session.table(&insert.table)?;
    let base = table.snapshot().await?;
    let names = given_columns(insert, base.state().schema());
    let default = |column: usize| names.get(column).map_or(Ok("NULL"), |name| base.state().default_text(name)).map(str::to_owned);
    let source = with_defaults(&insert.source, default)?;
    let query = Planned::new(session, &source, false).await?;
    let own = query.base(&table).await?;
    let base = own.as_ref().unwrap_or(&base);
    let rows = assigned(query.rows().await?, insert, base.state().schema())?;
    let append = base.append(rows.schema, (session.watch)(rows.batches));
    let append = own.iter().fold(append, |append, base| append.reading(Arc::clone(base)));
    let append = match replaced(insert)? {
        Some(condition) => append.mode(SaveMode::Overwrite).replace_where(condition),
        None if insert.overwrite => append.mode(SaveMode::Overwrite),
        None => append,
    };
    append.run().await
}

/// Runs a MERGE: the source is a query, the rest is text that the operation reads.
pub(super) async fn merge(session: &Session, merge: &Merge) -> Result<Report> {
    let table = session.table(&merge.target)?;
    let on = Expr::sql(&merge.on)?;
    let clauses = merge.clauses.iter().map(|text| MergeClause::sql(text)).collect::<Result<Vec<_>>>()?;
    let query = Planned::new(session, &merge.source, false).await?;
    let own = query.base(&table).await?;
    let source = query.rows().await?;
    let source = InputRows { schema: source.schema, batches: (session.watch)(source.batches) };
    let source_alias = merge.source_alias.as_deref().unwrap_or(&merge.source_name);
    let operation =
        table.merge(source, on).target_alias(merge.target_alias.as_deref().unwrap_or(merge.target.qualifier())).source_alias(source_alias);
    let operation = clauses.into_iter().fold(operation, |operation, clause| operation.when(clause));
    let operation = own.into_iter().fold(operation, |operation, base| operation.reading(base));
    let operation = if merge.schema_evolution { operation.schema_evolution() } else { operation };
    operation.run().await
}

/// Which rows go: those of a condition, or of the partitions that the statement names.
fn replaced(insert: &Insert) -> Result<Option<Expr>> {
    if let Some(condition) = &insert.replace_where {
        return Ok(Some(Expr::sql(&without_qualifier(condition, insert.table.qualifier())?)?));
    }
    let named = insert.partition.iter().filter_map(|(name, value)| Some(format!("`{}` <=> {}", name.replace('`', "``"), value.as_ref()?)));
    let named: Vec<String> = named.collect();
    if !insert.overwrite || named.is_empty() { Ok(None) } else { Expr::sql(&named.join(" AND ")).map(Some) }
}

/// How one column of the table is filled.
enum Source {
    /// From a column of the query, as it is or in another type.
    Column(usize, Conversion),
    /// From the statement.
    Value(BoundExpr),
}

enum Conversion {
    None,
    /// Values that a cast of the language converts.
    Expression(BoundExpr),
    Arrow,
}

/// The value that a partition column has in all rows, if the statement says one.
fn in_all_rows<'a>(insert: &'a Insert, name: &str) -> Option<&'a str> {
    insert.partition.iter().find(|(partition, _)| partition.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_deref())
}

/// The columns that rows give values to, in their order, where they are not found by name.
fn given_columns(insert: &Insert, table: &Struct) -> Vec<String> {
    let all = || table.fields.iter().map(|f| f.name.clone()).filter(|name| in_all_rows(insert, name).is_none()).collect();
    insert.columns.clone().unwrap_or_else(all)
}

/// The rows under the names and types of the columns that they go into.
fn assigned(rows: Rows, insert: &Insert, table: &Struct) -> Result<Rows> {
    let field = |name: &str| {
        table.field(name).ok_or_else(|| {
            let known: Vec<&str> = table.fields.iter().map(|f| f.name.as_str()).collect();
            Error::new(Code::SQL, format!("the table has no column `{name}`"))
                .with("column", name)
                .help(format!("its columns are: {}", known.join(", ")))
        })
    };
    for (name, _) in &insert.partition {
        field(name)?;
    }
    let names: Vec<String> = match insert.by_name {
        true => rows.schema.fields().iter().map(|f| f.name().clone()).collect(),
        false => given_columns(insert, table),
    };
    if names.len() != rows.schema.fields().len() {
        return Err(Error::new(
            Code::SQL,
            format!("the rows have {} columns where the table takes {}", rows.schema.fields().len(), names.len()),
        )
        .with("columns", names.join(", "))
        .help("name the columns that are given: INSERT INTO t (a, b) …"));
    }
    let (mut fields, mut sources) = (Vec::new(), Vec::new());
    for (i, name) in names.iter().enumerate() {
        let to = field(name)?;
        if fields.iter().any(|f: &Field| f.name().eq_ignore_ascii_case(&to.name)) {
            return Err(Error::new(Code::SQL, format!("the column `{name}` is given twice")).with("column", name));
        }
        let target = to.to_arrow()?.with_nullable(true);
        sources.push(Source::Column(i, conversion(rows.schema.field(i), to)?));
        fields.push(target);
    }
    for (name, value) in &insert.partition {
        let Some(value) = value else { continue };
        let to = field(name)?;
        let text = format!("CAST({value} AS {})", to.data_type);
        sources.push(Source::Value(Expr::sql(&text)?.bind(&Struct::default())?));
        fields.push(to.to_arrow()?.with_nullable(true));
    }
    let schema: SchemaRef = Arc::new(Schema::new(Fields::from(fields)));
    let shape = Arc::clone(&schema);
    let batches = rows.batches.map(move |batch| fill(&batch?, &sources, &shape)).boxed();
    Ok(Rows { schema, batches })
}

fn conversion(from: &Field, to: &crate::schema::Field) -> Result<Conversion> {
    let one = Struct::from_arrow(&Schema::new(vec![from.clone().with_name("c")]))?;
    let Some(has) = one.fields.first() else { return Ok(Conversion::None) };
    if evolve::nullable_within(&has.data_type) == evolve::nullable_within(&to.data_type) {
        return Ok(Conversion::None);
    }
    let nested = |t: &DataType| matches!(t, DataType::Struct(_) | DataType::Array { .. } | DataType::Map { .. } | DataType::Variant);
    if nested(&to.data_type) || nested(&has.data_type) {
        return Ok(Conversion::Arrow);
    }
    let cast = Expr::sql(&format!("CAST(c AS {})", to.data_type))?.bind(&one);
    cast.map(Conversion::Expression).map_err(|e| e.with("column", &to.name))
}

fn fill(batch: &RecordBatch, sources: &[Source], schema: &SchemaRef) -> Result<RecordBatch> {
    let column = |(source, field): (&Source, &arrow::datatypes::FieldRef)| -> Result<ArrayRef> {
        let filled = match source {
            Source::Value(value) => value.evaluate(&empty(batch.num_rows())?)?,
            Source::Column(i, Conversion::Expression(cast)) => {
                let one = Schema::new(vec![Field::new("c", batch.column(*i).data_type().clone(), true)]);
                cast.evaluate(&RecordBatch::try_new(Arc::new(one), vec![Arc::clone(batch.column(*i))])?)?
            }
            Source::Column(i, _) => Arc::clone(batch.column(*i)),
        };
        converted(&filled, field.data_type()).map_err(|e| e.with("column", field.name()))
    };
    let columns = sources.iter().zip(schema.fields()).map(column).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

fn empty(rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?)
}
