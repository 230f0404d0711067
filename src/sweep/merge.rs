//! Shards put together: the result equals that of one run over all chips.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::compare::comparisons;
use super::identity::this_run;
use super::journal::{self, Header, Journal};
use super::outcome::{self, Outcome, Write};
use super::outdir::{self, Existing};
use super::rows::Rows;
use super::shard::Shard;
use crate::error::{Code, Error, Mistake, Result};
use crate::files::outputs;

/// Most ranges that a message lists.
const LISTED: usize = 20;

/// What is merged, and where to.
#[derive(Debug, Clone)]
pub struct MergeOptions {
    /// Output directories of the shards, in any order.
    pub dirs: Vec<PathBuf>,
    /// Output directory.
    pub out: PathBuf,
    /// What to do if it holds another run.
    pub existing: Existing,
    /// The command line, for provenance.
    pub command: String,
    /// Writes the results.
    pub write: Write,
}

/// Reads the journals of all shards and writes one that holds their chips, and its results.
///
/// # Errors
/// A directory without a journal, or with a damaged or a running one; shards of different sweeps
/// (with the difference); chips that are there twice or not at all (with their ranges).
pub fn merge(options: &MergeOptions) -> Result<Outcome> {
    let shards = options.dirs.iter().map(|dir| read(dir));
    let shards: Vec<Journal> = shards.collect::<Result<_>>()?;
    let Some(first) = shards.first() else {
        return Err(Error::input(
            "merge: no directory; allowed: one or more".to_string(),
        ));
    };
    same_sweep(&shards)?;
    missing_shards(&shards)?;
    let problems = problems(&shards);
    if !problems.is_empty() {
        let mistake = |text: String| Mistake::worded(Code::Input, &text);
        return Err(Error::Input(problems.into_iter().map(mistake).collect()));
    }
    for dir in &options.dirs {
        if outputs::same_file(dir, &options.out) {
            return Err(Error::input(format!(
                "--out {}: is one of the directories that are merged; allowed: another one",
                options.out.display()
            )));
        }
    }
    let mut header: Header = first.header().clone();
    let values = first.header().values();
    (header.shard, header.columns) = (None, journal::stored(&values));
    header.provenance.command.clone_from(&options.command);
    let mut merged = outdir::claim(&options.out, header, options.existing, &[])?;
    merged.relax();
    merged.note_run(this_run(&options.command))?;
    for point in 0..first.header().points.len() {
        copy_point(&shards, point, &mut merged)?;
    }
    let mut result = outcome::blank(&merged);
    for point in 0..first.header().points.len() {
        outcome::add(&mut result, &merged, point)?;
    }
    result.elapsed_s = result.points.iter().map(|p| p.elapsed_s).sum();
    outcome::name_adapters(&mut result, &merged, &[]);
    result.comparisons = comparisons(&result.points, |p| merged.of_point(p))?;
    outdir::publish(&options.out, options.write, &result, &mut merged)?;
    Ok(Outcome {
        result,
        out: options.out.clone(),
    })
}

fn read(dir: &Path) -> Result<Journal> {
    let path = dir.join(outdir::JOURNAL);
    if !path.is_file() {
        return Err(Error::input(format!(
            "{}: no journal of a sweep; allowed: the output directories of shards",
            path.display()
        )));
    }
    Journal::read(&path)
}

/// Refuses what is not of one sweep, and networks that were not trained to the same parameters.
fn same_sweep(shards: &[Journal]) -> Result<()> {
    let (first, others) = (&shards[0], &shards[1..]);
    for other in others {
        if let Some(difference) = first.header().difference_beside_shard(other.header()) {
            return Err(Error::input(format!(
                "{} and {} are of different sweeps; first difference: {difference}",
                first.path().display(),
                other.path().display()
            )));
        }
    }
    for point in 0..first.header().points.len() {
        let facts = shards.iter().filter_map(|s| Some((s, s.facts(point)?)));
        let mut facts = facts.map(|(s, f)| (s.path(), &f.model_sha256));
        let Some((path, model)) = facts.next() else {
            continue;
        };
        if let Some((other, another)) = facts.find(|(_, m)| *m != model) {
            return Err(Error::input(format!(
                "{} and {}: point {point} was measured on two networks (parameters with SHA-256 \
                 {model} and {another}); allowed: one training for all shards, see --models",
                path.display(),
                other.display()
            )));
        }
    }
    Ok(())
}

/// Refuses shards of a sweep that was cut into parts of which some were not named: once, whatever the
/// number of points.
fn missing_shards(shards: &[Journal]) -> Result<()> {
    let cut: Option<Vec<Shard>> = shards.iter().map(|s| s.header().shard).collect();
    let Some(cut) = cut.filter(|cut| cut.iter().all(|s| s.count == cut[0].count)) else {
        return Ok(());
    };
    let there: HashSet<u32> = cut.iter().map(|s| s.index).collect();
    let count = cut[0].count;
    let missing: Vec<u32> = (1..=count).filter(|i| !there.contains(i)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.iter().take(LISTED).map(|i| format!("{i}/{count}"));
    let mut names: Vec<String> = names.collect();
    if missing.len() > LISTED {
        names.push(format!("{} more", missing.len() - LISTED));
    }
    let (what, verb) = match missing.len() {
        1 => ("shard", "is"),
        _ => ("shards", "are"),
    };
    Err(Error::input(format!(
        "{what} {} {verb} missing: {} of {count} directories were given; allowed: those of all shards",
        names.join(", "),
        there.len()
    )))
}

/// What is wrong with the chips of all points, what is the same at several points once.
fn problems(shards: &[Journal]) -> Vec<String> {
    let points = &shards[0].header().points;
    let mut found: Vec<(String, Vec<usize>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for point in 0..points.len() {
        for problem in problems_of_point(shards, point) {
            let next = found.len();
            let place = *places.entry(problem.clone()).or_insert(next);
            if place == next {
                found.push((problem, Vec::new()));
            }
            if found[place].1.last() != Some(&point) {
                found[place].1.push(point);
            }
        }
    }
    let mut problems: Vec<String> = found
        .iter()
        .take(LISTED)
        .map(|(problem, at)| {
            let label = match points[at[0]].label.as_str() {
                "" => String::new(),
                label => format!(" ({label})"),
            };
            match at.len() {
                n if n > 1 && n == points.len() => format!("at every point: {problem}"),
                1 => format!("point {}{label}: {problem}", at[0]),
                n => format!("point {}{label} and {} more: {problem}", at[0], n - 1),
            }
        })
        .collect();
    if found.len() > LISTED {
        problems.push(format!("and {} more like these", found.len() - LISTED));
    }
    problems
}

/// Chips of a point that are in two shards, or in none.
fn problems_of_point(shards: &[Journal], point: usize) -> Vec<String> {
    let planned = &shards[0].header().points[point];
    let mut ranges: Vec<(Range<u32>, &Journal)> = Vec::new();
    for shard in shards {
        ranges.extend(shard.covered(point).into_iter().map(|r| (r, shard)));
    }
    ranges.sort_by_key(|(r, _)| (r.start, r.end));
    let ended = |s: &Journal| s.header().shard.is_none().then(|| s.ended(point)).flatten();
    let end = shards.iter().find_map(ended).unwrap_or(planned.chips);
    let mut problems = Vec::new();
    let mut next = 0;
    let mut last: Option<&Journal> = None;
    let missing = |from: u32, to: u32| format!("chips {from} to {} are in no shard", to - 1);
    for (range, shard) in ranges {
        if range.start > next {
            problems.push(missing(next, range.start));
        }
        if let Some(other) = last.filter(|_| range.start < next) {
            problems.push(format!(
                "chips {} to {} are in {} and in {}",
                range.start,
                range.end.min(next) - 1,
                other.path().display(),
                shard.path().display()
            ));
        }
        if range.end > next {
            next = range.end;
            last = Some(shard);
        }
    }
    if next < end {
        problems.push(missing(next, end));
    }
    problems
}

/// Copies the waves of a point out of all shards.
fn copy_point(shards: &[Journal], point: usize, merged: &mut Journal) -> Result<()> {
    let Some(facts) = shards.iter().find_map(|s| s.facts(point)) else {
        return Err(Error::input(format!(
            "{}: nothing of point {point} is there, and in no other shard; allowed: shards that are \
             complete",
            shards[0].path().display()
        )));
    };
    let mut facts = facts.clone();
    // Every training once, as in one run over all chips.
    let history = shards.iter().find_map(|s| s.history(&facts.model_sha256));
    facts.history = match merged.history(&facts.model_sha256) {
        Some(_) => Vec::new(),
        None => history.unwrap_or_default().to_vec(),
    };
    merged.begin_point(point, facts)?;
    for shard in shards {
        let adapters = shard.adapters().iter().map(|a| merged.adapter(a));
        let adapters: Vec<u32> = adapters.collect::<Result<_>>()?;
        for wave in shard.waves(point) {
            let (rows, adapter, seconds) = wave?;
            merged.add(&rows, adapters[adapter as usize], seconds)?;
        }
    }
    let end = shards.iter().filter_map(|s| s.ended(point)).max();
    let covered = merged.covered(point).last().map_or(0, |r| r.end);
    merged.end_point(point, end.unwrap_or(covered))
}
