//! Commits and compactions from the store, decoded, with bounded parallelism. Kind: edge. Spec: LOG, REC.

use super::compaction::is_reconciled;
use super::segment::{LogSegment, compaction_end, gap};
use super::{CommitDecoder, CommitStream, LogFile, LogStore, LogTail, TailPiece, Version};
use crate::env::Env;
use crate::error::{Code, Error, Result};
use bytes::BytesMut;
use futures::stream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use std::sync::Arc;

/// So many bytes of a body are decoded at once, on a thread of their own.
const LONG: usize = 1 << 20;

/// How many log files are fetched at once.
pub(crate) fn parallel_reads(env: &Env) -> usize {
    env.threads().saturating_mul(8).clamp(16, 256)
}

/// The commits `(after, up_to]`, oldest first; from version 0 when `after` is `None`. `LB-LOG-GAP` for one that is not there.
pub(crate) async fn read_commits(
    log: &Arc<dyn LogStore>,
    env: &Env,
    after: Option<Version>,
    up_to: Version,
) -> Result<Vec<Arc<TailPiece>>> {
    let from = after.map_or(0, |v| v.next().0);
    let reads = stream::iter(from..=up_to.0).map(|v| read_commit(log, env, Version(v)).boxed());
    reads.buffered(parallel_reads(env)).try_collect().await
}

/// One commit, decoded as it comes: of a long one only the actions and a piece of its text are held. `LB-LOG-GAP` when it is not there.
pub(crate) async fn read_commit(log: &Arc<dyn LogStore>, env: &Env, version: Version) -> Result<Arc<TailPiece>> {
    let body = log.stream_commit(version).await?.ok_or_else(|| gap(version))?;
    piece(env, LogFile::commit_name(version), version, version, body).await
}

async fn piece(env: &Env, name: String, from: Version, to: Version, body: CommitStream<'_>) -> Result<Arc<TailPiece>> {
    let CommitStream { size, mut pieces } = body;
    let mut decoder = CommitDecoder::new(name, size);
    let (mut held, mut enough) = (BytesMut::new(), LONG);
    while let Some(chunk) = pieces.try_next().await? {
        match held.is_empty() {
            true => held = chunk.into(),
            false => held.extend_from_slice(&chunk),
        }
        if held.len() >= enough {
            let decode = move || decoder.decode(&held, false).map(|done| (decoder, held.split_off(done)));
            (decoder, held) = env.spawn_blocking(decode).await??;
            // An action that does not end is not looked at again for every few bytes.
            enough = LONG.max(2 * held.len());
        }
    }
    decoder.decode(&held, true)?;
    Ok(Arc::new(TailPiece { from, to, actions: decoder.actions, size }))
}

/// The tail of a segment. Compactions replace the commits that they cover when they can be trusted; one that does not read adds a
/// warning. `LB-LIMIT` when the commits outgrow the memory budget.
pub(crate) async fn read_tail(log: &Arc<dyn LogStore>, env: &Env, segment: &LogSegment, warnings: &mut Vec<String>) -> Result<LogTail> {
    let (bytes, limit) = (segment.tail_size(), env.memory().limit());
    if bytes > limit {
        return Err(Error::new(
            Code::LIMIT,
            format!("the commits after the last checkpoint hold {bytes} bytes, the memory limit is {limit}"),
        )
        .with("commits", segment.commits.len())
        .help("raise the memory limit (--memory-limit), or let a writer make a checkpoint"));
    }
    let reads = stream::iter(sources(segment)).map(|source| read_source(log, env, source).boxed());
    let read: Vec<(Vec<Arc<TailPiece>>, Option<String>)> = reads.buffered(parallel_reads(env)).try_collect().await?;
    let mut pieces = Vec::with_capacity(read.len());
    for (some, warning) in read {
        pieces.extend(some);
        warnings.extend(warning);
    }
    Ok(LogTail::new(pieces))
}

/// One file of a tail.
enum Source {
    Commit(Version),
    Compaction(LogFile, Version),
}

/// Compactions where there are some, else commits.
fn sources(segment: &LogSegment) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut compactions = segment.compactions.iter().filter_map(|f| Some((f, compaction_end(f)?))).peekable();
    let mut covered = None;
    for commit in &segment.commits {
        if let Some((file, to)) = compactions.next_if(|(file, _)| file.version == commit.version) {
            sources.push(Source::Compaction(file.clone(), to));
            covered = Some(to);
        } else if covered.is_none_or(|to| to < commit.version) {
            sources.push(Source::Commit(commit.version));
        }
    }
    sources
}

/// Its pieces, and why a compaction was skipped.
async fn read_source(log: &Arc<dyn LogStore>, env: &Env, source: Source) -> Result<(Vec<Arc<TailPiece>>, Option<String>)> {
    let (file, to) = match source {
        Source::Commit(version) => return Ok((vec![read_commit(log, env, version).await?], None)),
        Source::Compaction(file, to) => (file, to),
    };
    match read_compaction(log, env, &file, to).await {
        Ok(piece) => Ok((vec![piece], None)),
        Err(why) => {
            let before = file.version.0.checked_sub(1).map(Version);
            let warning = why.map(|e| format!("{} was skipped: {e}; its commits were read instead", file.name));
            Ok((read_commits(log, env, before, to).await?, warning))
        }
    }
}

/// A compaction that can be trusted; the error of one that does not read, nothing for one that is not reconciled, as some engines
/// write them.
async fn read_compaction(log: &Arc<dyn LogStore>, env: &Env, file: &LogFile, to: Version) -> Result<Arc<TailPiece>, Option<Error>> {
    let body = log.read(file).await.map_err(Some)?;
    let piece = piece(env, file.name.clone(), file.version, to, CommitStream::of(body)).await.map_err(Some)?;
    if is_reconciled(&piece.actions) { Ok(piece) } else { Err(None) }
}
