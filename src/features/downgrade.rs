//! Taking a feature off a table: what must go first, and the protocol that is left. Kind: pure. Spec: DRF.

use super::properties::{feature_named, find};
use super::spec::Scope;
use super::versions::protocol_without;
use super::{ALL, FeatureSpec, TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::log::{Action, Add, Protocol, StringMap};
use crate::schema::{Struct, try_map_fields};

/// How the traces of a feature are removed.
pub(crate) struct Downgrade {
    /// Says what the user must remove first.
    pub(crate) check: Option<fn(&TableState) -> Result<()>>,
    /// Properties that stop the feature, set before anything else.
    pub(crate) set: &'static [(&'static str, &'static str)],
    /// Properties that stop the feature, dropped before anything else.
    pub(crate) unset: &'static [&'static str],
    /// Properties that mean nothing without the feature, dropped with it.
    pub(crate) leftovers: &'static [&'static str],
    /// Keys of column metadata that mean nothing without the feature.
    pub(crate) column_keys: &'static [&'static str],
    /// Domains that are dropped: all that begin so.
    pub(crate) domains: Option<&'static str>,
    /// Whether the rows of a file must be written anew, because it needs the feature to be read.
    pub(crate) rewrites: Option<fn(&Add) -> bool>,
    /// Whether that may hold for files whose columns are stored in types from which the table's were widened.
    pub(crate) rewrites_narrower: Option<fn(&TableState) -> bool>,
    /// Takes the traces out of a file's entry in the log.
    pub(crate) strips: Option<fn(&mut Add)>,
    /// What the commit is called that lists files of the history as removed which only those look for who know the feature, so that
    /// nobody deletes them too early.
    pub(crate) side_files: Option<&'static str>,
    /// Whether an action of the history needs the feature to be understood.
    pub(crate) is_trace: Option<fn(&Action) -> bool>,
}

impl Downgrade {
    pub(crate) const NONE: Downgrade = Downgrade {
        check: None,
        set: &[],
        unset: &[],
        leftovers: &[],
        column_keys: &[],
        domains: None,
        rewrites: None,
        rewrites_narrower: None,
        strips: None,
        side_files: None,
        is_trace: None,
    };
}

/// A feature that is to be dropped from a table.
#[derive(Clone, Copy)]
pub(crate) struct Dropping {
    spec: &'static FeatureSpec,
    pub(crate) downgrade: &'static Downgrade,
}

impl Dropping {
    /// The feature of this name, in any case. `LB-INPUT` when it is not there, `LB-FEATURE-WRITE` when it is
    /// unknown or cannot be dropped.
    pub(crate) fn of(state: &TableState, name: &str) -> Result<Dropping> {
        let feature = feature_named(name)?;
        let refused = |what: &str| Error::new(Code::FEATURE_WRITE, what).with("features", feature.spec().name);
        if !state.is_supported(feature) {
            return Err(
                Error::new(Code::INPUT, "the table does not have the feature that is to be dropped").with("features", feature.spec().name)
            );
        }
        let Some(downgrade) = &feature.spec().hooks.downgrade else {
            return Err(refused("the feature cannot be taken off a table").help("copy the rows into a table without it"));
        };
        let needs = |spec: &&FeatureSpec| state.is_supported(spec.feature) && spec.requires.contains(&feature);
        if let Some(other) = ALL.iter().find(needs) {
            return Err(refused("another feature of the table needs the feature that is to be dropped").with("needed by", other.name));
        }
        let dropping = Dropping { spec: feature.spec(), downgrade };
        dropping.downgrade.check.map_or(Ok(()), |check| check(state))?;
        Ok(dropping)
    }
    pub(crate) fn name(self) -> &'static str {
        self.spec.name
    }
    /// Whether readers must know it, so that old versions of the table stay unreadable for those that do not.
    pub(crate) fn binds_readers(self) -> bool {
        self.spec.scope == Scope::ReaderWriter
    }
    /// Properties that stop the feature: those to set, and those to drop.
    pub(crate) fn stops(self, state: &TableState) -> (StringMap, Vec<String>) {
        let differs = |(key, value): &&(&'static str, &str)| {
            let default = || find(key).and_then(|property| property.default);
            !state.property(key).or_else(default).unwrap_or_default().trim().eq_ignore_ascii_case(value)
        };
        let set = self.downgrade.set.iter().filter(differs).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let has = |key: &&&str| state.property(key).is_some();
        (set, self.downgrade.unset.iter().filter(has).map(|key| (*key).to_owned()).collect())
    }
    /// The schema without the feature's marks.
    pub(crate) fn cleaned(self, schema: &Struct) -> Result<Struct> {
        try_map_fields(schema, &mut |field| {
            let mut field = field.clone();
            field.metadata.retain(|key, _| !self.downgrade.column_keys.contains(&key.as_str()));
            Ok(field)
        })
    }
    /// Live domains that go with the feature.
    pub(crate) fn domains(self, state: &TableState) -> Vec<String> {
        let Some(prefix) = self.downgrade.domains else { return Vec::new() };
        state.domains().iter().filter(|d| !d.removed && d.domain.starts_with(prefix)).map(|d| d.domain.clone()).collect()
    }
    /// The lowest protocol without the feature; with protected checkpoints when old versions stay.
    pub(crate) fn protocol(self, state: &TableState) -> Protocol {
        protocol_without(state, self.spec.feature, None)
    }
    /// As `protocol`, for a table whose history stays: whoever does not know the feature must not read across the checkpoints.
    pub(crate) fn protocol_with_history(self, state: &TableState) -> Protocol {
        protocol_without(state, self.spec.feature, Some(TableFeature::CheckpointProtection))
    }
}

/// Before which version checkpoints must stay, for a table whose feature was dropped with its history kept.
pub(crate) const PROTECTED_BEFORE: &str = "delta.requireCheckpointProtectionBeforeVersion";
