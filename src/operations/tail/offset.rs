//! Where a reader of a table's tail stands, as Spark's streams write it. Kind: pure. Spec: TAI.

use crate::error::{Code, Error, Result};
use crate::log::Version;
use serde::{Deserialize, Serialize};

/// The index before the first file of a version.
pub(super) const BASE: i64 = -1;

/// Where a reader stands: before the first file after this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailOffset {
    /// The id of the table; offsets of another table are refused.
    pub table_id: String,
    pub version: Version,
    /// The last file that was read: its place among those that the version brought, −1 before the first.
    pub index: i64,
    /// The files are those of the whole table at that version, not what one commit brought.
    pub is_starting_version: bool,
}

/// The form that Spark writes.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    source_version: u32,
    reservoir_id: String,
    reservoir_version: u64,
    index: i64,
    is_starting_version: bool,
}

impl TailOffset {
    /// As text that Spark's Delta source understands.
    pub fn to_json(&self) -> String {
        let wire = Wire {
            source_version: 1,
            reservoir_id: self.table_id.clone(),
            reservoir_version: self.version.0,
            index: self.index,
            is_starting_version: self.is_starting_version,
        };
        serde_json::to_string(&wire).unwrap_or_default()
    }
    /// Reads such a text, also of Spark's third form, in which the index before all files is −100 and a change of metadata has indices of
    /// its own. `LB-INPUT` for anything else.
    pub fn from_json(text: &str) -> Result<TailOffset> {
        let wrong = |what: &str| Error::new(Code::INPUT, format!("the text is no offset of a table: {what}")).with("offset", text);
        let wire: Wire = serde_json::from_str(text).map_err(|e| wrong("it does not have the form").caused_by(e))?;
        let index = match (wire.source_version, wire.index) {
            (1 | 3, index) if index >= BASE => index,
            (3, -100 | -20 | -19) => BASE,
            (1 | 3, _) => return Err(wrong("its index is not one")),
            _ => return Err(wrong("its form is of a version that is not known")),
        };
        Ok(TailOffset {
            table_id: wire.reservoir_id,
            version: Version(wire.reservoir_version),
            index,
            is_starting_version: wire.is_starting_version,
        })
    }
}

#[cfg(test)]
#[path = "offset_tests.rs"]
mod tests;
