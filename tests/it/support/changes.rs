//! Random histories of row changes, as data: the same change is run by lakebed and by a peer, and told in each one's language.

use super::random::Random;
use serde_json::{Map, Value, json};

/// The columns of every table of a history: name and type.
pub const COLUMNS: [(&str, &str); 6] =
    [("id", "BIGINT"), ("k", "INT"), ("s", "STRING"), ("p", "STRING"), ("d", "DATE"), ("x", "DECIMAL(10,2)")];

/// One row, by column; missing is null.
pub type Row = Map<String, Value>;

/// One change of a table. Expressions are SQL that all engines read alike; the target of a merge is `t`, its source `s`.
#[derive(Clone, Debug)]
pub enum Change {
    Append(Vec<Row>),
    /// Replaces all rows, or those of one partition.
    Overwrite(Vec<Row>, Option<String>),
    Delete(String),
    Update(Vec<(String, String)>, String),
    Merge {
        source: Vec<Row>,
        on: String,
        clauses: Vec<Clause>,
    },
}

/// One clause of a merge.
#[derive(Clone, Debug)]
pub struct Clause {
    pub kind: Kind,
    pub condition: Option<String>,
    /// For an update or an insert; empty stands for all columns.
    pub set: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Update,
    Delete,
    Insert,
    UpdateTargetOnly,
    DeleteTargetOnly,
}

/// A source of random choices that a seed replays.
pub struct Chooser {
    random: Random,
    next_id: i64,
}

impl Chooser {
    pub fn new(seed: u64) -> Chooser {
        Chooser { random: Random::new(seed), next_id: 0 }
    }
    pub fn below(&mut self, n: usize) -> usize {
        self.random.below(n as u64) as usize
    }
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
    /// True once in `n` times.
    pub fn rarely(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn row(&mut self, id: i64) -> Row {
        let mut row = Map::from_iter([("id".to_owned(), json!(id))]);
        if !self.rarely(5) {
            row.insert("k".to_owned(), json!(self.below(8)));
        }
        let texts: [(&str, &[&str]); 4] = [
            ("s", &["a", "ab", "b", "é", "O'K", "z z", "%"]),
            ("p", &["x", "y", "a b"]),
            ("d", &["2024-02-29", "1969-12-31", "2024-03-01"]),
            ("x", &["0.00", "-1.50", "12345678.25"]),
        ];
        for (name, values) in texts {
            if !self.rarely(6) {
                row.insert(name.to_owned(), json!(self.one(values)));
            }
        }
        row
    }
    fn rows(&mut self, max: usize) -> Vec<Row> {
        let count = 1 + self.below(max);
        (0..count)
            .map(|_| {
                self.next_id += 1;
                self.row(self.next_id)
            })
            .collect()
    }

    /// A condition over the columns, each named with `prefix`.
    pub fn condition(&mut self, prefix: &str, depth: usize) -> String {
        let p = prefix;
        if depth > 0 && self.rarely(2) {
            let (a, b) = (self.condition(p, depth - 1), self.condition(p, depth - 1));
            return match self.below(3) {
                0 => format!("({a} AND {b})"),
                1 => format!("({a} OR {b})"),
                _ => format!("NOT ({a})"),
            };
        }
        let (n, id) = (self.below(8), 1 + self.below(self.next_id.max(1) as usize));
        match self.below(12) {
            0 => format!("{p}k > {n}"),
            1 => format!("{p}k = {n}"),
            2 => format!("{p}k IS NULL"),
            3 => format!("{p}s = '{}'", self.one(&["a", "b", "z z"])),
            4 => format!("{p}s LIKE 'a%'"),
            5 => format!("{p}p = '{}'", self.one(&["x", "y", "a b"])),
            6 => format!("{p}p IS NULL"),
            7 => format!("{p}d < DATE '2024-03-01'"),
            8 => format!("{p}x >= 0"),
            9 => format!("{p}id = {id}"),
            10 => format!("{p}id % 3 = {}", n % 3),
            _ => format!("{p}k IN (1, 3, 5)"),
        }
    }
    /// An assignment to one of the columns, from columns named with one of `prefixes`.
    fn assignment(&mut self, prefixes: &[&str]) -> (String, String) {
        let p = self.one(prefixes);
        let (column, expression) = match self.below(6) {
            0 => ("k", format!("{p}k + 1")),
            1 => ("k", "NULL".to_owned()),
            2 => ("s", format!("{p}s || '!'")),
            3 => ("s", format!("upper({p}s)")),
            4 => ("p", format!("'{}'", self.one(&["x", "y", "a b"]))),
            _ => ("x", "1.25".to_owned()),
        };
        (column.to_owned(), expression)
    }
    fn assignments(&mut self, prefixes: &[&str]) -> Vec<(String, String)> {
        let mut set = vec![self.assignment(prefixes)];
        let more = self.assignment(prefixes);
        if more.0 != set[0].0 && self.rarely(2) {
            set.push(more);
        }
        set
    }

    /// The next change of a history.
    pub fn change(&mut self) -> Change {
        match self.below(10) {
            0..=2 => Change::Append(self.rows(6)),
            3 | 4 => Change::Delete(self.condition("", 2)),
            5 | 6 => {
                let set = self.assignments(&[""]);
                Change::Update(set, self.condition("", 2))
            }
            7 if self.rarely(3) => Change::Overwrite(self.rows(5), None),
            7 => {
                let p = self.one(&["x", "y", "a b"]);
                let mut rows = self.rows(4);
                rows.iter_mut().for_each(|row| drop(row.insert("p".to_owned(), json!(p))));
                Change::Overwrite(rows, Some(format!("p = '{p}'")))
            }
            _ => self.merge(),
        }
    }

    fn merge(&mut self) -> Change {
        let mut source = self.rows(4);
        for _ in 0..1 + self.below(4) {
            let known = 1 + self.below(self.next_id.max(1) as usize) as i64;
            // A key that comes twice is an error for whoever changes its row; that happens, but not often.
            if source.iter().all(|row| row["id"] != json!(known)) || self.rarely(8) {
                source.push(self.row(known));
            }
        }
        let on = match self.below(4) {
            0 => "t.id = s.id AND t.p = s.p".to_owned(),
            1 => format!("t.id = s.id AND {}", self.condition("t.", 0)),
            _ => "t.id = s.id".to_owned(),
        };
        let mut clauses = Vec::new();
        let mut clause = |this: &mut Chooser, kind: Kind, prefixes: &[&str], conditional: bool| {
            let side = if kind == Kind::Insert { "s." } else { "t." };
            let condition = conditional.then(|| this.condition(side, 1));
            let all = matches!(kind, Kind::Update | Kind::Insert) && this.rarely(2);
            let set = match kind {
                _ if all => Vec::new(),
                Kind::Update | Kind::UpdateTargetOnly => this.assignments(prefixes),
                Kind::Insert => ["id", "k", "p"].iter().map(|c| ((*c).to_owned(), format!("s.{c}"))).collect(),
                Kind::Delete | Kind::DeleteTargetOnly => Vec::new(),
            };
            clauses.push(Clause { kind, condition, set });
        };
        if self.rarely(2) {
            let kind = if self.rarely(2) { Kind::Delete } else { Kind::Update };
            clause(self, kind, &["s.", "t."], true);
        }
        if !self.rarely(4) {
            let kind = if self.rarely(4) { Kind::Delete } else { Kind::Update };
            clause(self, kind, &["s.", "t."], false);
        }
        if !self.rarely(3) {
            let conditional = self.rarely(2);
            clause(self, Kind::Insert, &["s."], conditional);
        }
        if self.rarely(4) {
            let kind = if self.rarely(2) { Kind::DeleteTargetOnly } else { Kind::UpdateTargetOnly };
            clause(self, kind, &["t."], true);
        }
        if clauses.is_empty() {
            clauses.push(Clause { kind: Kind::Insert, condition: None, set: Vec::new() });
        }
        Change::Merge { source, on, clauses }
    }
}

impl Clause {
    /// The text after `WHEN`.
    pub fn to_sql(&self) -> String {
        let (who, star) = match self.kind {
            Kind::Update | Kind::Delete => ("MATCHED", "UPDATE SET *"),
            Kind::Insert => ("NOT MATCHED", "INSERT *"),
            Kind::UpdateTargetOnly | Kind::DeleteTargetOnly => ("NOT MATCHED BY SOURCE", ""),
        };
        let condition = self.condition.as_ref().map(|c| format!(" AND {c}")).unwrap_or_default();
        let list = |f: fn(&(String, String)) -> String| self.set.iter().map(f).collect::<Vec<_>>().join(", ");
        let action = match self.kind {
            Kind::Delete | Kind::DeleteTargetOnly => "DELETE".to_owned(),
            _ if self.set.is_empty() => star.to_owned(),
            Kind::Insert => format!("INSERT ({}) VALUES ({})", list(|(c, _)| c.clone()), list(|(_, e)| e.clone())),
            Kind::Update | Kind::UpdateTargetOnly => format!("UPDATE SET {}", list(|(c, e)| format!("{c} = {e}"))),
        };
        format!("{who}{condition} THEN {action}")
    }
}

/// A value as a literal of its column's type.
fn literal(row: &Row, (name, data_type): (&str, &str)) -> String {
    match row.get(name) {
        None => format!("CAST(NULL AS {data_type})"),
        Some(Value::String(text)) => format!("CAST('{}' AS {data_type})", text.replace('\'', "\\'")),
        Some(number) => format!("CAST({number} AS {data_type})"),
    }
}

/// The rows as a relation of SQL.
pub fn relation(rows: &[Row]) -> String {
    let rows: Vec<String> = rows.iter().map(|row| format!("({})", COLUMNS.map(|column| literal(row, column)).join(", "))).collect();
    format!("(SELECT * FROM VALUES {} AS v({}))", rows.join(", "), COLUMNS.map(|(name, _)| name).join(", "))
}

impl Change {
    /// The statement of Spark's dialect; `{t}` stands for the table.
    pub fn to_sql(&self) -> String {
        match self {
            Change::Append(rows) => format!("INSERT INTO {{t}} {}", select(rows)),
            Change::Overwrite(rows, None) => format!("INSERT OVERWRITE {{t}} {}", select(rows)),
            Change::Overwrite(rows, Some(predicate)) => format!("INSERT INTO {{t}} REPLACE WHERE {predicate} {}", select(rows)),
            Change::Delete(predicate) => format!("DELETE FROM {{t}} WHERE {predicate}"),
            Change::Update(set, predicate) => {
                let set: Vec<String> = set.iter().map(|(c, e)| format!("{c} = {e}")).collect();
                format!("UPDATE {{t}} SET {} WHERE {predicate}", set.join(", "))
            }
            Change::Merge { source, on, clauses } => {
                let clauses: Vec<String> = clauses.iter().map(|c| format!("WHEN {}", c.to_sql())).collect();
                format!("MERGE INTO {{t}} t USING {} s ON {on} {}", relation(source), clauses.join(" "))
            }
        }
    }
    /// The request that deltalake understands (`deltalake_change`).
    pub fn to_deltalake(&self) -> Value {
        let map = |set: &[(String, String)]| set.iter().map(|(c, e)| (c.clone(), json!(e))).collect::<Map<_, _>>();
        match self {
            Change::Append(rows) => json!({"append": rows}),
            Change::Overwrite(rows, predicate) => json!({"overwrite": rows, "where": predicate}),
            Change::Delete(predicate) => json!({"delete": predicate}),
            Change::Update(set, predicate) => json!({"update": map(set), "where": predicate}),
            Change::Merge { source, on, clauses } => {
                let clauses: Vec<Value> = clauses
                    .iter()
                    .map(|c| {
                        let kind = match (c.kind, c.set.is_empty()) {
                            (Kind::Update, true) => "matched_update_all",
                            (Kind::Update, false) => "matched_update",
                            (Kind::Delete, _) => "matched_delete",
                            (Kind::Insert, true) => "not_matched_insert_all",
                            (Kind::Insert, false) => "not_matched_insert",
                            (Kind::UpdateTargetOnly, _) => "not_matched_by_source_update",
                            (Kind::DeleteTargetOnly, _) => "not_matched_by_source_delete",
                        };
                        let mut out = json!({"kind": kind, "where": c.condition});
                        if !c.set.is_empty() {
                            out["set"] = Value::Object(map(&c.set));
                        }
                        out
                    })
                    .collect();
                json!({"merge": source, "on": on, "clauses": clauses})
            }
        }
    }
}

fn select(rows: &[Row]) -> String {
    format!("SELECT * FROM {}", relation(rows))
}
