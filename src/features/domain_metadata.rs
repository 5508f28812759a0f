//! Named configuration outside the metadata; what we do not know is kept. Kind: pure. Spec: FEA.

use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{TableFeature, TableState};
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
    hooks: Hooks::NONE,
};

impl TableState {
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
