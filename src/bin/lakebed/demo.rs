//! `demo`: the main job on a small data set, told step by step. Kind: edge.

use crate::failure::Result;
use crate::session::Session;
use std::path::Path;

pub async fn run(_session: &Session, _dir: Option<&Path>) -> Result<()> {
    Ok(())
}
