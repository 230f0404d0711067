//! Kernel calls in parts: which workgroups a submission does.
//!
//! Workgroups of a call do not depend on each other, so any of them may be done by a later submission:
//! `skipped_groups` and `skipped_chips` of the run's uniform tell a kernel where it begins (`flat_group` and
//! `chip_of` of `shaders/shared/run.wgsl`). What a workgroup computes, and in which order it adds, does not
//! change with that, so results have the same bits however calls are cut.

use crate::random::philox;

/// All workgroups of a kernel call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    /// Of a chip (or of all, where the call does not differ between chips); at least 1.
    pub groups: u64,
    /// At least 1.
    pub chips: u32,
}

/// Some workgroups of a kernel call that one dispatch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Workgroups along x, y and z.
    pub size: [u32; 3],
    /// Workgroups of a chip before the first one.
    pub skipped_groups: u32,
    /// Chips before the first one.
    pub skipped_chips: u32,
    /// How many of the grid these are.
    pub count: u64,
}

impl Grid {
    /// Workgroups in all.
    pub fn len(&self) -> u64 {
        self.groups * u64::from(self.chips)
    }

    /// The call in one piece; `per_axis`: the most workgroups that the adapter takes along an axis.
    pub fn whole(&self, per_axis: u32) -> Part {
        self.part(0, self.len(), per_axis)
    }

    /// Workgroups from number `at` on, counted chip by chip: at most `most`, as many as make a box. Whole
    /// chips where those fit.
    pub fn part(&self, at: u64, most: u64, per_axis: u32) -> Part {
        let per_axis = u64::from(per_axis);
        let (chip, group) = (at / self.groups, at % self.groups);
        let (wide, chips) = match group == 0 && most >= self.groups {
            true => (
                self.groups,
                (most / self.groups).min(u64::from(self.chips) - chip),
            ),
            false => (most.max(1).min(self.groups - group), 1),
        };
        let whole = wide == self.groups;
        let x = wide.min(per_axis);
        // A part ends with a row, as what is beyond belongs to another; beyond the whole there is nothing.
        let y = if whole { wide.div_ceil(x) } else { wide / x };
        let count = if whole { wide * chips } else { x * y };
        Part {
            // Fits: plans are refused where a tensor exceeds u32 indices, far below 65535^2 groups.
            size: [x as u32, y as u32, chips as u32],
            skipped_groups: group as u32,
            skipped_chips: chip as u32,
            count,
        }
    }
}

/// Cuts that nothing asks for, at places that depend on a seed: what tests take to see that results do not
/// depend on cuts.
#[derive(Debug, Clone, Copy)]
pub(super) struct RandomCuts {
    seed: u64,
    drawn: u32,
}

impl RandomCuts {
    /// Cuts of a seed, from the first one on.
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    fn word(&mut self) -> u64 {
        self.drawn += 1;
        let key = [self.seed as u32, (self.seed >> 32) as u32];
        u64::from(philox::block(key, [self.drawn, 0, 0, 0])[0])
    }

    /// Whether a submission ends here.
    pub fn ends(&mut self) -> bool {
        self.word().is_multiple_of(3)
    }

    /// How many of the workgroups that are left the next part has: in half of the cases all.
    pub fn share(&mut self, left: u64) -> u64 {
        match self.word() {
            word if word.is_multiple_of(2) => left,
            word => 1 + word / 2 % left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every workgroup of a grid, by the kernels' numbers (flat and chip), as often as parts do it.
    fn done(grid: Grid, per_axis: u32, mut most: impl FnMut(u64) -> u64) -> Vec<u32> {
        let mut counts = vec![0; grid.len() as usize];
        let mut at = 0;
        while at < grid.len() {
            let part = grid.part(at, most(grid.len() - at), per_axis);
            let [x, y, z] = part.size;
            assert!(x <= per_axis && y <= per_axis, "{part:?}");
            for chip in 0..z {
                for flat in 0..x * y {
                    let flat = u64::from(part.skipped_groups + flat);
                    let chip = u64::from(part.skipped_chips + chip);
                    // Kernels leave what is beyond their work.
                    if flat < grid.groups {
                        counts[(chip * grid.groups + flat) as usize] += 1;
                    }
                }
            }
            at += part.count;
        }
        assert_eq!(at, grid.len());
        counts
    }

    #[test]
    fn every_workgroup_is_done_once() {
        for (groups, chips) in [(1, 1), (1, 70), (50, 3), (91, 7), (13, 1)] {
            let grid = Grid { groups, chips };
            for most in [1, 2, 7, 10, 49, 50, 120, 1000] {
                let counts = done(grid, 10, |_| most);
                assert!(
                    counts.iter().all(|&n| n == 1),
                    "{grid:?} by {most}: {counts:?}"
                );
            }
            for seed in 0..50 {
                let mut cuts = RandomCuts::new(seed);
                let counts = done(grid, 10, |left| cuts.share(left));
                assert!(
                    counts.iter().all(|&n| n == 1),
                    "{grid:?}, seed {seed}: {counts:?}"
                );
            }
        }
    }

    #[test]
    fn a_whole_call_is_one_box() {
        let grid = Grid {
            groups: 70_000,
            chips: 3,
        };
        let part = grid.whole(65535);
        assert_eq!((part.size, part.count), ([65535, 2, 3], 210_000));
        assert_eq!((part.skipped_groups, part.skipped_chips), (0, 0));
        // Two whole chips, then some of the third.
        let part = grid.part(0, 150_000, 65535);
        assert_eq!((part.size, part.count), ([65535, 2, 2], 140_000));
        let part = grid.part(140_000, 10_000, 65535);
        assert_eq!((part.size, part.skipped_chips), ([10_000, 1, 1], 2));
        let part = grid.part(150_000, 100_000, 65535);
        assert_eq!((part.size, part.skipped_groups), ([60_000, 1, 1], 10_000));
    }

    #[test]
    fn random_cuts_are_those_of_their_seed() {
        let draws = |seed| {
            let mut cuts = RandomCuts::new(seed);
            let all: Vec<_> = (0..64).map(|_| (cuts.ends(), cuts.share(1000))).collect();
            all
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
        let (ends, whole) = draws(1).iter().fold((0, 0), |(e, w), &(end, share)| {
            (e + u32::from(end), w + u32::from(share == 1000))
        });
        assert!((8..48).contains(&ends) && (12..52).contains(&whole));
    }
}
