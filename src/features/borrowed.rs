//! Stand-ins for what other rooms bring; delete each with its first real one.
use super::TableState;
use super::drafts::HiddenColumn;
impl TableState {
    /// Hidden columns that must travel with rows that are moved.
    pub(crate) fn moved_columns(&self) -> Vec<HiddenColumn> {
        Vec::new()
    }
}
