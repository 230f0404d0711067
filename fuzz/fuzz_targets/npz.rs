#![no_main]

use libfuzzer_sys::fuzz_target;
use pimento::data::npy::{parse_npy, parse_npz};

fuzz_target!(|bytes: &[u8]| {
    let _ = parse_npz("fuzz", std::io::Cursor::new(bytes), Some("x"));
    let _ = parse_npz("fuzz", std::io::Cursor::new(bytes), None);
    let _ = parse_npy("fuzz", bytes);
});
