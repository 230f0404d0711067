//! Valid files, damaged at random: nothing that is read may panic.

use rand::RngExt;
use rand_philox::Philox;

use crate::error::{Error, Result};

/// Reads mutations of two valid files in turn, and holds every value against `check`. How many were
/// read, and how many refused as the user's mistake.
pub(super) fn read_mutations<T>(
    seed: u64,
    rounds: usize,
    valid: &[Vec<u8>; 2],
    read: impl Fn(&[u8]) -> Result<T>,
    check: impl Fn(T),
) -> (usize, usize) {
    let mut rng = Philox::from_u64_seed(seed);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..rounds {
        let mut bytes = valid[round % 2].clone();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..=bytes.len());
            match rng.random_range(0..4) {
                0 if at < bytes.len() => bytes[at] = rng.random(),
                1 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
                2 => bytes.truncate(at),
                _ => bytes.insert(at, rng.random()),
            }
        }
        match read(&bytes) {
            Ok(value) => {
                check(value);
                accepted += 1;
            }
            Err(error) => {
                assert!(matches!(error, Error::Input(_)), "{error:?}");
                refused += 1;
            }
        }
    }
    (accepted, refused)
}
