//! Any bytes as an NPY file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pimento::data::npy::parse_npy;

fuzz_target!(|data: &[u8]| {
    if let Ok(array) = parse_npy("x.npy", data) {
        assert_eq!(array.values.len(), array.shape.iter().product::<usize>());
    }
});
