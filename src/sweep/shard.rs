//! A part of the chips of every point, for one machine of many.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Most parts.
const MOST: u32 = 100_000;

/// Shard `index` of `count`; the chips of a point are cut into `count` ranges whose lengths differ
/// by one at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 1.
    pub index: u32,
    /// Of how many.
    pub count: u32,
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((index, count)) if (Self { index, count }).is_possible() => {
                Ok(Self { index, count })
            }
            _ => Err(format!(
                "{text:?} is no shard; allowed: I/N with I from 1 to N and N up to {MOST}, such as 3/16"
            )),
        }
    }
}

impl Shard {
    /// Whether there is such a shard, as far as that does not depend on chips.
    pub(super) fn is_possible(self) -> bool {
        (1..=MOST).contains(&self.count) && (1..=self.count).contains(&self.index)
    }

    /// The chips of a point that has `chips` of them.
    pub fn range(self, chips: u32) -> Range<u32> {
        let cut = |i: u32| (u64::from(chips) * u64::from(i) / u64::from(self.count)) as u32;
        cut(self.index - 1)..cut(self.index)
    }

    /// The shard of a task of a Slurm job array: its place among the array's indices. `variable`
    /// reads the environment.
    ///
    /// # Errors
    /// No job array; an array whose indices are not equally spaced, where a task does not know
    /// its place.
    pub fn from_slurm(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let number = |name: &str| -> Result<u32> {
            let name = format!("SLURM_ARRAY_TASK_{name}");
            let text = variable(&name).ok_or_else(|| {
                Error::input(format!(
                    "--shard slurm: {name} is not set; allowed inside a Slurm job array only \
                     (sbatch --array), elsewhere --shard I/N"
                ))
            })?;
            text.parse().map_err(|_| {
                Error::input(format!(
                    "--shard slurm: {name} is {text:?}; allowed: a whole number"
                ))
            })
        };
        let (id, count) = (number("ID")?, number("COUNT")?);
        let (least, most) = (number("MIN")?, number("MAX")?);
        let inside = (1..=MOST).contains(&count) && (least..=most).contains(&id);
        let span = most.saturating_sub(least);
        let step = if count > 1 { span / (count - 1) } else { 1 };
        let even = inside
            && step > 0
            && u64::from(step) * u64::from(count - 1) == u64::from(span)
            && (id - least).is_multiple_of(step);
        match even {
            true => Ok(Self {
                index: (id - least) / step + 1,
                count,
            }),
            false => Err(Error::input(format!(
                "--shard slurm: task {id} of {count} between {least} and {most} has no place in \
                 equal steps; allowed: an array such as 1-{count}, or --shard I/N"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_every_chip_once() {
        for (chips, count) in [(0, 3), (1, 4), (16, 16), (100, 7), (10_000_000, 99_999)] {
            let mut next = 0;
            for index in 1..=count {
                let range = Shard { index, count }.range(chips);
                assert_eq!(range.start, next);
                assert!((range.end - range.start).abs_diff(chips / count) <= 1);
                next = range.end;
            }
            assert_eq!(next, chips);
        }
    }

    #[test]
    fn words_that_are_no_shard_are_refused() {
        assert_eq!(
            "3/16".parse(),
            Ok(Shard {
                index: 3,
                count: 16
            })
        );
        for wrong in [
            "",
            "3",
            "0/4",
            "5/4",
            "1/0",
            "-1/4",
            "1/2/3",
            "1/4294967296",
            "a/b",
        ] {
            let e = wrong.parse::<Shard>().unwrap_err();
            assert!(e.contains("allowed"), "{e}");
        }
    }

    #[test]
    fn tasks_of_a_job_array_know_their_place() {
        let task = |id, count, min, max| {
            Shard::from_slurm(move |name| {
                let value: u32 = match name.trim_start_matches("SLURM_ARRAY_TASK_") {
                    "ID" => id,
                    "COUNT" => count,
                    "MIN" => min,
                    _ => max,
                };
                Some(value.to_string())
            })
        };
        assert_eq!(task(0, 8, 0, 7).unwrap(), Shard { index: 1, count: 8 });
        assert_eq!(task(8, 8, 1, 8).unwrap(), Shard { index: 8, count: 8 });
        assert_eq!(task(6, 4, 2, 8).unwrap(), Shard { index: 3, count: 4 });
        assert_eq!(task(5, 1, 5, 5).unwrap(), Shard { index: 1, count: 1 });
        // 1, 3, 4: the second task cannot know how many are below it.
        assert!(task(3, 3, 1, 4).is_err());
        assert!(task(9, 8, 1, 8).is_err());
        let e = Shard::from_slurm(|_| None).unwrap_err();
        assert!(e.to_string().contains("SLURM_ARRAY_TASK_ID"), "{e}");
    }
}
