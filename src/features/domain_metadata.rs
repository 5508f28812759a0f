//! Named configuration outside the metadata; what we do not know is kept. Kind: pure. Spec: FEA.

use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{CommitDraft, Downgrade, TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::log::DomainMetadata;

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::DomainMetadata,
    name: "domainMetadata",
    aliases: &[],
    scope: Scope::Writer,
    legacy: None,
    requires: &[],
    active: Active::WhenSupported,
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks { stamp_commit: Some(stamp_commit), downgrade: Some(Downgrade { domains: Some(""), ..Downgrade::NONE }), ..Hooks::NONE },
};

/// What begins so belongs to the protocol: only its own features may write it.
const SYSTEM: &str = "delta.";

/// A domain that is dropped keeps what it said last, so that the commit can be understood by itself.
fn stamp_commit(before: &TableState, _: &TableState, draft: &mut CommitDraft) -> Result<()> {
    for domain in draft.domains.iter_mut().filter(|domain| domain.removed) {
        if let Some(live) = before.domain(&domain.domain) {
            domain.configuration.clone_from(&live.configuration);
        }
    }
    Ok(())
}

impl TableState {
    /// Refuses a domain that users may not touch, and one that is to be dropped and is not there. `LB-INPUT`.
    pub(crate) fn check_user_domain(&self, domain: &DomainMetadata) -> Result<()> {
        let name = &domain.domain;
        if name.get(..SYSTEM.len()).is_some_and(|start| start.eq_ignore_ascii_case(SYSTEM)) {
            return Err(Error::new(Code::INPUT, "domains that begin with `delta.` belong to the protocol")
                .with("domain", name)
                .help("name your own domain otherwise; those of the protocol follow from properties and clustering"));
        }
        if domain.removed && self.domain(name).is_none() {
            return Err(Error::new(Code::INPUT, "the table has no such domain to drop").with("domain", name));
        }
        self.check_domain(domain)
    }
    /// Refuses a domain in a table whose protocol knows none.
    pub(crate) fn check_domain(&self, domain: &DomainMetadata) -> Result<()> {
        match self.is_supported(TableFeature::DomainMetadata) {
            true => Ok(()),
            false => Err(Error::new(Code::INPUT, "the table's protocol does not allow domains")
                .with("domain", &domain.domain)
                .help("add the writer feature `domainMetadata` to the protocol in the same commit")),
        }
    }
}

#[cfg(test)]
#[path = "domain_metadata_tests.rs"]
mod tests;
