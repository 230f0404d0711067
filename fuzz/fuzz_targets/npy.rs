//! Any bytes as an NPY file, read a few rows at a time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pimento::network::npy::NpyReader;

fuzz_target!(|data: &[u8]| {
    let Ok(mut array) = NpyReader::new("x.npy", data) else {
        return;
    };
    for _ in 0..64 {
        match array.read(3) {
            Ok(values) if !values.is_empty() => {}
            _ => break,
        }
    }
});
