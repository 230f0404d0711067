#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = pimento::data::decode_picture("fuzz", bytes, None);
});
