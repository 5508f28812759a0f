//! The table that a place lies inside of. Kind: edge. Spec: STO.

use super::{Origin, Place, TableRoot, folder_of, prefix_of};
use crate::error::Result;
use futures::TryStreamExt;
use std::fs;
use url::Url;

impl TableRoot {
    /// The table above this place, if there is one: a folder above it with a log. One list request on a remote store, of the folder above
    /// this one and above folders such as `day=2026-01-01`; on local disk every folder above is looked at.
    pub(crate) async fn enclosing(&self) -> Result<Option<Url>> {
        // Of a store that the caller provides only the table's own prefix is looked at.
        let Some(place) = self.place().filter(|_| self.inner.env.is_some()) else { return Ok(None) };
        if place.origin == Origin::File {
            return self.enclosing_local();
        }
        let Some(above) = above(place) else { return Ok(None) };
        let log = Place { segments: above.segments.iter().cloned().chain(["_delta_log".to_owned()]).collect(), ..above.clone() };
        let first = self.store().list(Some(&prefix_of(&log)?)).try_next().await;
        // Who may not list there cannot have it found out; the table that is made is still one.
        Ok(if first.is_ok_and(|found| found.is_some()) { Some(above.url()?) } else { None })
    }
    /// The same without any request: on local disk only.
    pub(crate) fn enclosing_local(&self) -> Result<Option<Url>> {
        let Some(place) = self.place().filter(|place| self.inner.env.is_some() && place.origin == Origin::File) else { return Ok(None) };
        let folders = (0..place.segments.len()).rev().map(|n| Place { segments: place.segments[..n].to_vec(), ..place.clone() });
        folders.filter(has_log).map(|folder| folder.url()).next().transpose()
    }
    /// The place whose partition folder this one is by its name.
    pub(crate) fn partitioned(&self) -> Result<Option<Url>> {
        let is_partition = self.place().is_some_and(|place| place.segments.last().is_some_and(|last| last.contains('=')));
        self.place().filter(|_| is_partition).and_then(above).map(|above| above.url()).transpose()
    }
    fn place(&self) -> Option<&Place> {
        self.inner.roots.first()
    }
}

/// The nearest place above that can be a table's root: not a partition folder, and not the bucket itself unless only such folders lie between.
fn above(place: &Place) -> Option<Place> {
    let partitions = place.segments.iter().rev().take_while(|segment| segment.contains('=')).count();
    let kept = place.segments.len().checked_sub(partitions.max(1))?;
    (kept > 0 || partitions > 0).then(|| Place { segments: place.segments[..kept].to_vec(), ..place.clone() })
}

/// Whether the folder has a log with anything that is numbered.
fn has_log(folder: &Place) -> bool {
    let numbered = |name: &str| name.len() > 20 && name.bytes().take(20).all(|b| b.is_ascii_digit());
    let entries = fs::read_dir(folder_of(folder).join("_delta_log")).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_str().is_some_and(numbered))
}
