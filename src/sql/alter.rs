//! ALTER TABLE -> an alteration. Kind: pure. Spec: SQL.

use super::statement::unsupported;
use super::text::Words;
use crate::error::Result;
use crate::operations::Alteration;
use crate::schema::{DataType, FieldPath, NewColumn, Position, column_path};
use datafusion::sql::sqlparser::tokenizer::Token;

/// What follows the table's name. `LB-SQL` where it does not parse; `LB-SCHEMA` for columns and types that do not.
pub(super) fn alteration(text: &str) -> Result<Alteration> {
    let mut words = Words::new(text)?;
    let found = one(&mut words)?;
    words.finish()?;
    Ok(found)
}

fn path(words: &mut Words<'_>) -> Result<FieldPath> {
    column_path(&words.path_text()?)
}

fn one(words: &mut Words<'_>) -> Result<Alteration> {
    if words.take("add constraint") {
        let name = words.name()?;
        words.need("check")?;
        return Ok(Alteration::AddConstraint { name, condition: words.parenthesized()?.to_owned() });
    }
    if words.take("drop constraint") {
        let if_exists = words.take("if exists");
        return Ok(Alteration::DropConstraint { name: words.name()?, if_exists });
    }
    if words.take("drop feature") {
        let feature = match words.quoted() {
            Some(feature) => feature,
            None => words.property_key()?,
        };
        return Ok(Alteration::DropFeature { feature, truncate_history: words.take("truncate history") });
    }
    if words.take("set tblproperties") {
        return Ok(Alteration::SetProperties(words.properties()?.into_iter().collect()));
    }
    if words.take("unset tblproperties") {
        words.take("if exists");
        words.need_token(&Token::LParen)?;
        let mut keys = vec![words.property_key()?];
        while words.take_token(&Token::Comma) {
            keys.push(words.property_key()?);
        }
        words.need_token(&Token::RParen)?;
        return Ok(Alteration::UnsetProperties(keys));
    }
    if words.take("cluster by none") {
        return Ok(Alteration::ClusterBy(Vec::new()));
    }
    if words.take("cluster by") {
        let columns = words.name_list()?;
        return Ok(Alteration::ClusterBy(columns.iter().map(|name| column_path(name)).collect::<Result<_>>()?));
    }
    if words.take("add columns") || words.take("add column") {
        let text = if words.peek_open() { words.parenthesized()? } else { words.rest() };
        return Ok(Alteration::AddColumns(NewColumn::from_sql(text)?));
    }
    if words.take("drop columns") || words.take("drop column") {
        words.take("if exists");
        if !words.peek_open() {
            return Ok(Alteration::DropColumns(vec![path(words)?]));
        }
        let columns = words.name_list()?;
        return Ok(Alteration::DropColumns(columns.iter().map(|name| column_path(name)).collect::<Result<_>>()?));
    }
    if words.take("rename column") {
        let column = path(words)?;
        words.need("to")?;
        return Ok(Alteration::RenameColumn { column, to: words.name()? });
    }
    if words.take("alter column") || words.take("change column") {
        return of_column(words);
    }
    if words.peek("replace columns") || words.peek("rename to") || words.peek("add partition") || words.peek("set location") {
        return Err(unsupported(&format!("ALTER TABLE {}", words.rest())));
    }
    Err(words.expected("a change").help(
        "there are ADD, DROP, RENAME and ALTER COLUMN, SET and UNSET TBLPROPERTIES, ADD and DROP CONSTRAINT, DROP FEATURE and CLUSTER BY",
    ))
}

fn of_column(words: &mut Words<'_>) -> Result<Alteration> {
    let column = path(words)?;
    if words.take("type") {
        return Ok(Alteration::ChangeType { column, to: DataType::from_sql(words.rest())? });
    }
    if words.take("set not null") {
        return Ok(Alteration::SetNotNull(column));
    }
    if words.take("drop not null") {
        return Ok(Alteration::DropNotNull(column));
    }
    if words.take("comment") {
        return Ok(Alteration::CommentColumn { column, comment: words.need_quoted()? });
    }
    if words.take("first") {
        return Ok(Alteration::MoveColumn { column, to: Position::First });
    }
    if words.take("after") {
        return Ok(Alteration::MoveColumn { column, to: Position::After(words.name()?) });
    }
    if words.take("sync identity") {
        return Ok(Alteration::SyncIdentity(column));
    }
    if words.take("set default") {
        let default = words.rest().to_owned();
        return if default.is_empty() { Err(words.expected("a value")) } else { Ok(Alteration::SetDefault { column, default }) };
    }
    if words.take("drop default") {
        return Ok(Alteration::DropDefault(column));
    }
    Err(words.expected("TYPE, SET and DROP NOT NULL, SET and DROP DEFAULT, COMMENT, FIRST, AFTER or SYNC IDENTITY"))
}
