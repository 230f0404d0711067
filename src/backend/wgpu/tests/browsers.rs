//! Kernels as files, for compilers that only browsers have: `scripts/test_web` gives them to Chromium's.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::super::dispatch::Dispatch;
use super::super::shader::{self, Source};

/// Names a folder that every kernel is written to, a JSON object each: `shader`, `entry`, `text`. Kernels with cooperative
/// matrices are left out; WGSL has them only in wgpu.
const FOLDER: &str = "PIMENTO_TEST_KERNELS";

/// Writes the kernel of a dispatch, under a name that follows from its text.
pub(super) fn write(dispatch: &Dispatch, source: &Source) {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    if shader::cooperative(&source.text) {
        return;
    }
    let kernel = serde_json::json!({
        "shader": dispatch.shader,
        "entry": dispatch.entry,
        "text": source.text,
    });
    let text = kernel.to_string();
    let hash = Sha256::digest(&text);
    let hash: String = hash[..8].iter().map(|b| format!("{b:02x}")).collect();
    let name = format!("{}-{hash}.json", dispatch.shader);
    fs::write(Path::new(&folder).join(name), text).expect("the folder of kernels is there");
}
