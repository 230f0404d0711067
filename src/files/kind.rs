//! What a file is, by how it begins: for messages about a file of another kind than wanted.

/// Bytes that [`kind`] looks at, at most.
pub const START: usize = 512;

/// A file of named tensors, see [`kind`].
pub const SAFETENSORS: &str = "a safetensors file";

const HDF5: &str = "an HDF5 file (a Keras .h5 or a MATLAB .mat file, perhaps)";
const TFLITE: &str = "a TensorFlow Lite network";
const PICKLE: &str = "a Python pickle (a PyTorch or scikit-learn file, perhaps)";
const PYTORCH: &str = "a PyTorch file (torch.save)";

/// Beginnings that only one kind of file has.
const MAGIC: [(&[u8], &str); 21] = [
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"\x04\x22\x4d\x18", "lz4 data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"\x93NUMPY", "an NPY file"),
    (b"\x89HDF", HDF5),
    (b"MATLAB 5.0", "a MATLAB .mat file"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program (ELF)"),
    (b"version https://git-lfs", LFS),
    (b"SQLite format 3\0", "an SQLite database"),
];

const LFS: &str = "a Git LFS pointer: the file itself was not fetched (git lfs pull)";

/// What a file is whose first bytes (at least [`START`], or all) are `start`, with its article, as in
/// "this is a ZIP archive". `None` where nothing tells.
pub fn kind(start: &[u8]) -> Option<&'static str> {
    if start.is_empty() {
        return Some("an empty file");
    }
    if start.starts_with(b"PK\x03\x04") {
        return Some(zip(start));
    }
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Some(what);
    }
    if start.get(257..262) == Some(b"ustar") {
        return Some("a tar archive");
    }
    if start.get(4..8) == Some(b"TFL3") {
        return Some(TFLITE);
    }
    // Protocol 2 to 5, then a frame or the first object.
    if matches!(start, [0x80, 2..=5, ..]) {
        return Some(PICKLE);
    }
    if matches!(start, [_, _, _, _, _, 0, 0, 0, b'{', ..]) {
        return Some(SAFETENSORS);
    }
    if matches!(start, [0, 0, 8 | 9 | 11..=14, 1..=4, ..]) {
        return Some("an IDX file");
    }
    text(start)
}

/// [`kind`] of a file that should be a network, and how a network comes out of it, where one can.
pub fn no_network(start: &[u8]) -> Option<String> {
    let what = kind(&start[..start.len().min(START)])?;
    Some(match what {
        PYTORCH | PICKLE => format!("{what}; export the model as docs/from-pytorch.md says"),
        HDF5 | TFLITE => format!("{what}; convert the model to ONNX"),
        _ => what.into(),
    })
}

/// `; this is ...`, or nothing: the end of a sentence about a file that is not what was wanted.
pub fn told(start: &[u8]) -> String {
    match kind(start) {
        Some(what) => format!("; this is {what}"),
        None => String::new(),
    }
}

/// A ZIP archive, by the name of its first entry.
fn zip(start: &[u8]) -> &'static str {
    let length = match start.get(26..28) {
        Some(&[a, b]) => usize::from(u16::from_le_bytes([a, b])),
        _ => 0,
    };
    let name = start.get(30..).unwrap_or_default();
    let name = &name[..length.min(name.len())];
    let pickled = start.windows(8).any(|w| w == b"data.pkl") || name.ends_with(b"/byteorder");
    match name {
        _ if name.ends_with(b".npy") => "an NPZ file",
        _ if pickled => PYTORCH,
        _ => "a ZIP archive",
    }
}

fn text(start: &[u8]) -> Option<&'static str> {
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Some("a text in UTF-16");
    }
    // A cut character at the end is no mistake.
    let valid = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&start[..e.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let strange = |c: char| c.is_control() && !c.is_whitespace();
    if valid.chars().any(strange) {
        return None;
    }
    let head = valid
        .trim_start_matches('\u{feff}')
        .trim_start()
        .to_ascii_lowercase();
    Some(match head {
        _ if head.starts_with("<!doctype html") || head.starts_with("<html") => {
            "an HTML page (of a download that failed, perhaps)"
        }
        _ if head.starts_with('<') => "an XML or HTML text",
        _ if head.starts_with('{') || head.starts_with('[') => "a JSON or TOML text",
        _ => "a text",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_beginning() {
        let mut tar = vec![b'x'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let mut torch = b"PK\x03\x04".to_vec();
        torch.resize(26, 0);
        torch.extend([16, 0, 0, 0]);
        torch.extend(b"archive/data.pkl and so on");
        for (start, what) in [
            (&b""[..], Some("an empty file")),
            (b"BZh91AY&SY", Some("bzip2 data")),
            (b"PK\x03\x04", Some("a ZIP archive")),
            (&torch, Some("a PyTorch file (torch.save)")),
            (&tar, Some("a tar archive")),
            (
                b"version https://git-lfs.github.com/spec/v1\noid",
                Some(LFS),
            ),
            (
                b"\n <!DOCTYPE html>",
                Some("an HTML page (of a download that failed, perhaps)"),
            ),
            (b"{\"a\": 1}", Some("a JSON or TOML text")),
            ("caf\u{e9}".as_bytes(), Some("a text")),
            (&"caf\u{e9}".as_bytes()[..4], Some("a text")),
            (
                b"\x80\x04\x95",
                Some("a Python pickle (a PyTorch or scikit-learn file, perhaps)"),
            ),
            (b"\x08\x07\x12\x07pytorch", None),
            (&[0x10, 0x9a, 0xff, 0x01], None),
        ] {
            assert_eq!(kind(start), what, "{start:?}");
        }
        assert_eq!(told(b"BZh9"), "; this is bzip2 data");
        assert_eq!(told(b"\x08\x07\x12"), "");
    }
}
