//! What the first variants of a file have in common. Kind: pure. Spec: VAR.

use super::{Leaf, Rows, Shape, parse};
use crate::error::Result;
use parquet_variant::Variant;
use std::collections::BTreeMap;

/// Variants that are looked at.
const ROWS_MAX: usize = 4096;
/// Levels of objects in each other that have columns.
const DEPTH_MAX: usize = 50;
/// Names that are counted in one column.
const NAMES_MAX: usize = 1000;
/// Of how many values one must have a field for it to get columns.
const ONE_OF: usize = 10;

/// How many columns variants of one file may still be spread over.
#[derive(Debug)]
pub(in crate::data) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Budget(300)
    }
}

impl Budget {
    fn take(&mut self) -> bool {
        let left = self.0 > 0;
        self.0 = self.0.saturating_sub(1);
        left
    }
}

/// The shape that suits these variants.
pub(super) fn shape(rows: &Rows<'_>, budget: &mut Budget) -> Result<Shape> {
    let (mut seen, mut names) = (Seen::default(), NAMES_MAX);
    for row in 0..rows.len().min(ROWS_MAX) {
        if let Some((metadata, value)) = rows.bytes(row) {
            seen.see(&parse(metadata, value)?, DEPTH_MAX, &mut names);
        }
    }
    let least = seen.values.div_ceil(ONE_OF).max(1);
    Ok(seen.shape(least, budget))
}

/// What was seen at one place.
#[derive(Debug, Default)]
struct Seen {
    values: usize,
    kind: Kind,
    fields: BTreeMap<String, Seen>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Kind {
    /// Nothing, or the variant null.
    #[default]
    Null,
    Leaf(Leaf),
    Object,
    /// Different types, or one that has no typed column.
    Mixed,
}

impl Kind {
    fn of(value: &Variant<'_, '_>) -> Kind {
        match value {
            Variant::Null => Kind::Null,
            Variant::Object(_) => Kind::Object,
            other => Leaf::of(other).map_or(Kind::Mixed, Kind::Leaf),
        }
    }
    fn join(self, other: Kind) -> Kind {
        match (self, other) {
            (Kind::Null, kind) | (kind, Kind::Null) => kind,
            (Kind::Leaf(a), Kind::Leaf(b)) => a.join(b).map_or(Kind::Mixed, Kind::Leaf),
            (Kind::Object, Kind::Object) => Kind::Object,
            _ => Kind::Mixed,
        }
    }
}

impl Seen {
    fn see(&mut self, value: &Variant<'_, '_>, depth: usize, names: &mut usize) {
        self.values += 1;
        self.kind = self.kind.join(Kind::of(value));
        let Variant::Object(object) = value else { return };
        if depth == 0 || self.kind != Kind::Object {
            return;
        }
        for (name, value) in object.iter() {
            if !self.fields.contains_key(name) {
                if *names == 0 {
                    continue;
                }
                *names -= 1;
            }
            self.fields.entry(name.to_owned()).or_default().see(&value, depth - 1, names);
        }
    }
    fn shape(self, least: usize, budget: &mut Budget) -> Shape {
        // The column of values that are whole.
        if !budget.take() {
            return Shape::Whole;
        }
        match self.kind {
            Kind::Leaf(leaf) if budget.take() => Shape::Leaf(leaf),
            Kind::Object => {
                let frequent = self.fields.into_iter().filter(|(_, field)| field.values >= least);
                let mut fields = Vec::new();
                for (name, field) in frequent {
                    if budget.0 > 0 {
                        fields.push((name, field.shape(least, budget)));
                    }
                }
                if fields.is_empty() { Shape::Whole } else { Shape::Object(fields) }
            }
            _ => Shape::Whole,
        }
    }
}
