#![no_main]

use libfuzzer_sys::fuzz_target;
use pimento::data::{Decoding, read_archive};

fuzz_target!(|bytes: &[u8]| {
    let decoding = Decoding {
        resize: Some([4, 4]),
        cache: None,
        observer: &(),
    };
    let _ = read_archive("fuzz", bytes, &decoding);
});
