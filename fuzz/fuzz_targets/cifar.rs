#![no_main]

use libfuzzer_sys::fuzz_target;
use pimento::data::{Cifar, parse_cifar};

fuzz_target!(|bytes: &[u8]| {
    let _ = parse_cifar("fuzz", bytes, Cifar::Ten);
    let _ = parse_cifar("fuzz", bytes, Cifar::Hundred);
});
