//! The exhaustive chooser: walks every schedule of a world.

use super::laws::judge;
use super::world::{Choice, World};
use std::collections::HashMap;

/// How much was walked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walked {
    /// Different states of the world.
    pub states: usize,
    /// Different orders of events from the start to an end (two that meet in one state are counted apart).
    pub schedules: u128,
}

/// Walks every schedule, or stops at the first that breaks a law and tells it.
pub(crate) fn walk(world: &World, puts_max: u32) -> Result<Walked, String> {
    let mut seen = HashMap::new();
    let mut path = Vec::new();
    let schedules = visit(world, puts_max, &mut seen, &mut path).map_err(|what| format!("{what}\nschedule: {path:?}"))?;
    Ok(Walked { states: seen.len(), schedules })
}

fn visit(world: &World, puts_max: u32, seen: &mut HashMap<Vec<u8>, u128>, path: &mut Vec<Choice>) -> Result<u128, String> {
    let key = world.key();
    if let Some(known) = seen.get(&key) {
        return Ok(*known);
    }
    if world.puts_max() > puts_max {
        return Err(format!("a writer sent its commit more than {puts_max} times"));
    }
    let choices = world.choices();
    let mut schedules = 0;
    if choices.is_empty() {
        judge(&world.log, &world.tried())?;
        schedules = 1;
    }
    for choice in choices {
        let mut next = world.clone();
        path.push(choice);
        next.take(choice);
        schedules += visit(&next, puts_max, seen, path)?;
        path.pop();
    }
    seen.insert(key, schedules);
    Ok(schedules)
}
