//! Which columns each step of a merge reads, so that no other is decoded or kept. Kind: pure. Spec: MRG.

use super::chunk::Joint;
use super::plan::{Clause, Plan};
use arrow::datatypes::{Field, SchemaRef};
use std::collections::BTreeSet;

/// Which columns each step reads.
pub(super) struct Reads {
    pub on: Joint,
    pub matched: Joint,
    /// Of the images of a kind of clauses, by clause.
    pub images: [Vec<Joint>; 2],
    pub insert: Joint,
    /// Source columns of all images of rows that stay.
    pub of_updates: Joint,
    /// Target columns for matching, and those that new versions read.
    pub first: Vec<String>,
    pub of_images: Vec<String>,
    /// Joint names of all source columns that anything reads.
    pub source: BTreeSet<String>,
}

impl Reads {
    pub fn new(plan: &Plan) -> Reads {
        let joint = |names: &BTreeSet<String>| Joint::new(names, |name| plan.sides.source_column(name).is_some());
        let of_conditions = |clauses: &[Clause]| -> BTreeSet<String> {
            clauses.iter().filter_map(|c| c.condition.as_ref()).flat_map(|c| c.columns().iter().cloned()).collect()
        };
        let of_images = |clauses: &[Clause]| -> Vec<BTreeSet<String>> {
            let of = |clause: &Clause| {
                let mut names = BTreeSet::new();
                if let Some(image) = clause.image() {
                    // A column that the merge adds to the table has no value in its rows yet.
                    image.read(&mut |name| {
                        if !plan.is_new(name) {
                            names.insert(name.to_owned());
                        }
                    });
                }
                names
            };
            clauses.iter().map(of).collect()
        };
        let on: BTreeSet<String> = plan.on.columns().iter().cloned().collect();
        let (matched, by_source) = (of_conditions(&plan.matched), of_conditions(&plan.not_matched_by_source));
        let images = [of_images(&plan.matched), of_images(&plan.not_matched_by_source)];
        let mut insert = of_conditions(&plan.not_matched);
        insert.extend(of_images(&plan.not_matched).into_iter().flatten());
        let is_source = |name: &&String| plan.sides.source_column(name).is_some();
        let early: BTreeSet<String> = on.iter().chain(&matched).chain(&by_source).cloned().collect();
        let all_images: BTreeSet<String> = images.iter().flatten().flatten().cloned().collect();
        let source = early.iter().chain(&all_images).chain(&insert).filter(is_source).cloned().collect();
        let first: Vec<String> = early.iter().filter(|n| !is_source(n)).cloned().collect();
        let of_images = all_images.iter().filter(|n| !is_source(n) && !plan.moved.iter().any(|h| h.name() == n.as_str()));
        Reads {
            of_images: of_images.cloned().collect(),
            on: joint(&on),
            matched: joint(&matched),
            images: images.map(|clauses| clauses.iter().map(joint).collect()),
            insert: joint(&insert),
            of_updates: Joint { target: Vec::new(), source: all_images.iter().filter(is_source).cloned().collect() },
            first,
            source,
        }
    }
    /// Whether new versions need more of their row than matching reads.
    pub fn need_whole_rows(&self, plan: &Plan) -> bool {
        let updates = plan.matched.iter().chain(&plan.not_matched_by_source).any(|c| c.image().is_some());
        updates && !(plan.moved.is_empty() && self.of_images.iter().all(|name| self.first.contains(name)))
    }
    /// The fields of the source columns that new versions read.
    pub fn fields_of_updates(&self, source: &SchemaRef) -> Vec<Field> {
        let fields = source.fields().iter().filter(|f| self.of_updates.source.contains(f.name()));
        fields.map(|f| f.as_ref().clone().with_nullable(true)).collect()
    }
}
