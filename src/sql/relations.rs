//! Which tables a query reads, and under which names its result's columns go. Kind: pure. Spec: SQL.
//!
//! Every relation that is no common table expression gets a key; what stands behind the keys is loaded before the query is planned,
//! each table and version once, so that a statement reads one snapshot of a table however often it names it.

use super::calls::rewrite;
use super::dialect::SparkDialect;
use super::statement::TableName;
use super::text::tokens;
use super::tokens::{Rewritten, rewritten};
use crate::error::{Code, Error, Result};
use datafusion::sql::sqlparser::ast::{
    ExceptSelectItem, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, Statement, TableAlias, TableFactor, TableVersion, Value, VisitMut, VisitorMut, With,
};
use datafusion::sql::sqlparser::parser::Parser;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

/// How deep a query may nest; the parser counts.
const RECURSION_MAX: usize = 64;
/// How many operators a query may chain: planning recurses over them.
const OPERATORS_MAX: usize = 500;

/// Which version of a table a query reads.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum When {
    Latest,
    Version(u64),
    /// The text of an expression that gives a time.
    Time(String),
}

/// What stands behind a relation.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Relation {
    Rows {
        table: TableName,
        when: When,
    },
    /// The texts of the arguments after the name.
    Changes {
        table: String,
        from: When,
        to: When,
    },
}

/// A query whose relations are keys.
#[derive(Debug)]
pub(super) struct Parsed {
    pub statement: Statement,
    pub relations: BTreeMap<String, Relation>,
    pub hidden: Vec<String>,
    /// How columns of the result are spelled, by their names in lower case.
    pub spelled: HashMap<String, String>,
}

/// Parses a query. `LB-SQL`.
pub(super) fn parse_query(text: &str) -> Result<Parsed> {
    let tokens = tokens(text)?;
    let operators = tokens.iter().filter(|t| is_operator(&t.token)).count();
    if operators > OPERATORS_MAX {
        return Err(Error::new(Code::LIMIT, format!("the statement has {operators} operators; the limit is {OPERATORS_MAX}"))
            .help("write long chains of OR as IN (…)"));
    }
    let Rewritten { tokens, spelled, hidden } = rewritten(tokens)?;
    let mut parser = Parser::new(&SparkDialect).with_recursion_limit(RECURSION_MAX).with_tokens_with_locations(tokens);
    let refused = |e: datafusion::sql::sqlparser::parser::ParserError| {
        let message = match e {
            datafusion::sql::sqlparser::parser::ParserError::ParserError(message)
            | datafusion::sql::sqlparser::parser::ParserError::TokenizerError(message) => message,
            other => other.to_string(),
        };
        Error::new(Code::SQL, format!("the statement does not parse: {message}"))
    };
    let mut query = parser.parse_query().map_err(refused)?;
    parser.expect_token(&datafusion::sql::sqlparser::tokenizer::Token::EOF).map_err(refused)?;
    let mut names = HashMap::new();
    name_columns(&mut query.body, &spelled, &mut names);
    let mut visitor = Visitor { scopes: Vec::new(), waiting: Vec::new(), relations: BTreeMap::new(), hidden: &hidden };
    if let ControlFlow::Break(e) = query.visit(&mut visitor) {
        return Err(e);
    }
    let relations = visitor.relations;
    Ok(Parsed { statement: Statement::Query(query), relations, hidden, spelled: names })
}

fn is_operator(token: &datafusion::sql::sqlparser::tokenizer::Token) -> bool {
    use datafusion::sql::sqlparser::tokenizer::Token::*;
    match token {
        Plus | Minus | Div | Mod | StringConcat | Pipe | Ampersand | Caret => true,
        Word(w) => w.quote_style.is_none() && ["and", "or", "union", "intersect", "except"].iter().any(|o| w.value.eq_ignore_ascii_case(o)),
        _ => false,
    }
}

/// Names the columns of the outermost SELECT: as they are spelled, and expressions by their text.
fn name_columns(
    body: &mut SetExpr,
    spelled: &HashMap<datafusion::sql::sqlparser::tokenizer::Location, String>,
    names: &mut HashMap<String, String>,
) {
    let select = match body {
        SetExpr::Select(select) => select,
        SetExpr::Query(query) => return name_columns(&mut query.body, spelled, names),
        SetExpr::SetOperation { left, .. } => return name_columns(left, spelled, names),
        _ => return,
    };
    let spelling = |ident: &Ident| spelled.get(&ident.span.start).cloned().unwrap_or_else(|| ident.value.clone());
    for item in &mut select.projection {
        match item {
            SelectItem::ExprWithAlias { alias, .. } => {
                let name = spelling(alias);
                names.insert(name.to_lowercase(), name);
            }
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) => {
                let name = spelling(ident);
                names.insert(ident.value.to_lowercase(), name);
            }
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(path)) => {
                let Some(last) = path.last() else { continue };
                let name = spelling(last);
                let key = unused(names, last.value.to_lowercase());
                names.insert(key.clone(), name);
                // A field of a struct would be named after the function that reads it.
                *item = SelectItem::ExprWithAlias { expr: Expr::CompoundIdentifier(path.clone()), alias: Ident::with_quote('`', key) };
            }
            SelectItem::UnnamedExpr(expr) => {
                let name = expr.to_string();
                let key = unused(names, name.to_lowercase());
                names.insert(key.clone(), name);
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('`', key) };
            }
            _ => {}
        }
    }
}

/// A name that no column has yet: what tells two of one name apart is not shown.
fn unused(names: &HashMap<String, String>, mut key: String) -> String {
    while names.contains_key(&key) {
        key.push(' ');
    }
    key
}

struct Visitor<'a> {
    /// The common table expressions that are visible, innermost last.
    scopes: Vec<Vec<String>>,
    /// `WITH` clauses of the queries that are being visited: they are visited first and put back at the end.
    waiting: Vec<Option<With>>,
    relations: BTreeMap<String, Relation>,
    hidden: &'a [String],
}

fn refused(message: impl Into<String>) -> ControlFlow<Error> {
    ControlFlow::Break(Error::new(Code::SQL, message))
}

impl VisitorMut for Visitor<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.scopes.push(Vec::new());
        let mut with = query.with.take();
        if let Some(with) = &mut with {
            for table in &mut with.cte_tables {
                let name = table.alias.name.value.to_lowercase();
                if with.recursive {
                    self.see(&name);
                }
                // Its own name still means a table outside.
                table.query.visit(self)?;
                self.see(&name);
            }
        }
        self.waiting.push(with);
        ControlFlow::Continue(())
    }
    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        query.with = self.waiting.pop().flatten();
        self.scopes.pop();
        ControlFlow::Continue(())
    }
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match rewrite(expr, &SparkDialect) {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => ControlFlow::Break(e),
        }
    }
    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        // The planner takes columns of different subqueries for one when they are named after the same expression.
        for (i, item) in select.projection.iter_mut().enumerate() {
            if let SelectItem::UnnamedExpr(expr) = item
                && !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
            {
                let alias = Ident::with_quote('`', format!("{} {i}", expr.to_string().to_lowercase()));
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
        }
        if self.hidden.is_empty() {
            return ControlFlow::Continue(());
        }
        // `*` does not show hidden columns.
        let mut projection = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            match item {
                SelectItem::Wildcard(options) => {
                    let factors = select.from.iter().flat_map(|t| std::iter::once(&t.relation).chain(t.joins.iter().map(|j| &j.relation)));
                    for factor in factors {
                        let mut options = options.clone();
                        let Some(alias) = alias_of(factor) else {
                            return refused("`*` needs names for all tables where hidden columns are read");
                        };
                        if self.is_table(factor) {
                            self.hide(&mut options.opt_except);
                        }
                        let kind = SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(vec![alias.clone()]));
                        projection.push(SelectItem::QualifiedWildcard(kind, options));
                    }
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), mut options) => {
                    let mut factors =
                        select.from.iter().flat_map(|t| std::iter::once(&t.relation).chain(t.joins.iter().map(|j| &j.relation)));
                    let named = |f: &&TableFactor| alias_of(f).is_some_and(|alias| alias.value.eq_ignore_ascii_case(&last_name(&name)));
                    if factors.find(named).is_some_and(|f| self.is_table(f)) {
                        self.hide(&mut options.opt_except);
                    }
                    projection.push(SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options));
                }
                other => projection.push(other),
            }
        }
        select.projection = projection;
        ControlFlow::Continue(())
    }
    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let TableFactor::Table { name, alias, args, version, sample, with_hints, partitions, json_path, index_hints, .. } = factor else {
            return match factor {
                TableFactor::Derived { sample: Some(_), .. } => refused("TABLESAMPLE is not supported"),
                _ => ControlFlow::Continue(()),
            };
        };
        if sample.is_some() || !with_hints.is_empty() || !partitions.is_empty() || json_path.is_some() || !index_hints.is_empty() {
            return refused("samples and hints of tables are not supported");
        }
        let idents: Vec<String> = name.0.iter().filter_map(|part| part.as_ident().map(|i| i.value.clone())).collect();
        let relation = if let Some(arguments) = args.as_ref() {
            if idents.len() != 1 || !["table_changes", "table_changes_by_path"].contains(&idents[0].to_lowercase().as_str()) {
                return ControlFlow::Continue(());
            }
            changes_of(&arguments.args)
        } else if let [one] = idents.as_slice()
            && version.is_none()
            && (self.scopes.iter().flatten().any(|seen| *seen == one.to_lowercase()) || self.relations.contains_key(one))
        {
            return ControlFlow::Continue(());
        } else {
            when_of(version.take()).map(|when| Relation::Rows { table: TableName::of(idents.clone()), when })
        };
        let relation = match relation {
            Ok(relation) => relation,
            Err(e) => return ControlFlow::Break(e),
        };
        if alias.is_none() {
            let name = idents.last().map(|n| n.to_lowercase()).unwrap_or_default();
            *alias = Some(TableAlias { explicit: true, name: Ident::with_quote('`', name), columns: Vec::new(), at: None });
        }
        let key = key_of(&relation);
        *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote('`', key.clone()))]);
        *args = None;
        self.relations.insert(key, relation);
        ControlFlow::Continue(())
    }
}

impl Visitor<'_> {
    fn see(&mut self, name: &str) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(name.to_owned());
        }
    }
    fn is_table(&self, factor: &TableFactor) -> bool {
        matches!(factor, TableFactor::Table { name, .. } if matches!(self.relations.get(&last_name(name)), Some(Relation::Rows { .. })))
    }
    fn hide(&self, except: &mut Option<ExceptSelectItem>) {
        let mut all: Vec<Ident> = self.hidden.iter().map(|name| Ident::with_quote('`', name)).collect();
        if let Some(ExceptSelectItem { first_element, additional_elements }) = except.take() {
            all.push(first_element);
            all.extend(additional_elements);
        }
        let first_element = all.remove(0);
        *except = Some(ExceptSelectItem { first_element, additional_elements: all });
    }
}

fn last_name(name: &ObjectName) -> String {
    name.0.last().and_then(|part| part.as_ident()).map(|i| i.value.clone()).unwrap_or_default()
}

fn alias_of(factor: &TableFactor) -> Option<&Ident> {
    match factor {
        TableFactor::Table { alias, name, .. } => {
            alias.as_ref().map(|a| &a.name).or_else(|| name.0.last().and_then(|part| part.as_ident()))
        }
        TableFactor::Derived { alias, .. } => alias.as_ref().map(|a| &a.name),
        _ => None,
    }
}

/// What names a relation in plans.
fn key_of(relation: &Relation) -> String {
    let at = |when: &When| match when {
        When::Latest => String::new(),
        When::Version(version) => format!("@v{version}"),
        When::Time(time) => format!("@{time}"),
    };
    match relation {
        Relation::Rows { table, when } => format!("{table}{}", at(when)),
        Relation::Changes { table, from, to } => format!("table_changes({table}, {}, {})", at(from), at(to)),
    }
}

fn when_of(version: Option<TableVersion>) -> Result<When> {
    Ok(match version {
        None => When::Latest,
        Some(TableVersion::VersionAsOf(number)) => match number.to_string().parse() {
            Ok(version) => When::Version(version),
            Err(_) => return Err(Error::new(Code::SQL, format!("{number} is no version"))),
        },
        Some(TableVersion::TimestampAsOf(time) | TableVersion::ForSystemTimeAsOf(time)) => When::Time(time.to_string()),
        Some(_) => return Err(Error::new(Code::SQL, "a version is picked by VERSION AS OF or TIMESTAMP AS OF")),
    })
}

/// `table_changes('name or path', from[, to])`.
fn changes_of(arguments: &[FunctionArg]) -> Result<Relation> {
    let usage =
        || Error::new(Code::SQL, "table_changes takes the table as text, the first version or time, and the last one if there is one");
    let expr = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    let exprs: Option<Vec<Expr>> = arguments.iter().map(expr).collect();
    let exprs = exprs.filter(|e| (2..=3).contains(&e.len())).ok_or_else(usage)?;
    let table = match &exprs[0] {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.clone(),
            _ => return Err(usage()),
        },
        _ => return Err(usage()),
    };
    let when = |expr: Option<&Expr>| match expr {
        None => When::Latest,
        Some(expr) => expr.to_string().parse().map_or_else(|_| When::Time(expr.to_string()), When::Version),
    };
    Ok(Relation::Changes { table, from: when(Some(&exprs[1])), to: when(exprs.get(2)) })
}

#[cfg(test)]
#[path = "relations_tests.rs"]
mod tests;
