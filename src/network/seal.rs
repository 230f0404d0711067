//! The checksum of safetensors files that are written here.
//!
//! The metadata entry [`CHECKSUM`] holds the SHA-256 of the whole file (the length of the header,
//! the header with every other entry, and the tensors), taken with zeros in the place of its own 64
//! digits. Whatever bit of the file changes later, the file is refused. Files of other programs have
//! no such entry and are taken as they are.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Metadata entry with the checksum.
pub const CHECKSUM: &str = "pimento.sha256";

/// What the entry holds before it is known.
pub(super) const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Puts the checksum in the place of [`BLANK`].
pub(super) fn seal(mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let Some(at) = place(&bytes) else {
        return Err(Error::Internal(
            "a file without room for its checksum".into(),
        ));
    };
    let digest = digest(&bytes, at);
    bytes[at..at + BLANK.len()].copy_from_slice(digest.as_bytes());
    Ok(bytes)
}

/// Refuses a file whose checksum is not that of its bytes. No safetensors file has none.
pub(super) fn check(bytes: &[u8], source: &Path) -> Result<()> {
    match place(bytes) {
        Some(at) if digest(bytes, at).as_bytes() != &bytes[at..at + BLANK.len()] => {
            Err(Error::input(format!(
                "{}: damaged: the checksum in its metadata (`{CHECKSUM}`) is not that of its bytes; \
                 allowed: the file as Pimento wrote it",
                source.display()
            )))
        }
        _ => Ok(()),
    }
}

/// Where the digits of the checksum are, in a file that has one. Quotes inside JSON strings are
/// escaped, so no value can look like the entry.
fn place(bytes: &[u8]) -> Option<usize> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let header = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let entry = format!("\"{CHECKSUM}\":\"");
    let found = header
        .windows(entry.len())
        .position(|w| w == entry.as_bytes())?;
    let at = found + entry.len();
    (header.get(at + BLANK.len()) == Some(&b'"')).then_some(8 + at)
}

/// SHA-256 of the file with zeros in the place of its checksum, hexadecimal.
fn digest(bytes: &[u8], at: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(&bytes[..at]);
    hash.update(BLANK);
    hash.update(&bytes[at + BLANK.len()..]);
    let digest = hash.finalize();
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::network::Parameters;
    use crate::network::parameters::Tensor;

    fn file() -> Vec<u8> {
        let tensor = Tensor {
            shape: vec![2, 3],
            data: vec![0.5, -1.0, 2.0, 3.0, 0.0, 1e-3],
        };
        let parameters = Parameters {
            tensors: BTreeMap::from([("a.weight".to_string(), tensor)]),
        };
        // A value that looks like the entry: its quotes are escaped.
        let decoy = format!("\"{CHECKSUM}\":\"{BLANK}\"");
        let meta = BTreeMap::from([("pimento.a".to_string(), decoy)]);
        parameters.to_file(&meta).unwrap()
    }

    #[test]
    fn every_bit_of_a_sealed_file_counts() {
        let good = file();
        let path = Path::new("x.safetensors");
        let (untouched, meta) = Parameters::from_bytes(&good, path).unwrap();
        assert!(meta.contains_key(CHECKSUM));
        for bit in 0..8 * good.len() {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            match Parameters::from_bytes(&bytes, path) {
                Err(e) => assert!(e.to_string().starts_with("x.safetensors: "), "{e}"),
                // A flip in the entry's own name leaves a file without a checksum, whose content
                // nobody touched.
                Ok((parameters, meta)) => {
                    assert!(
                        parameters == untouched && !meta.contains_key(CHECKSUM),
                        "bit {bit}"
                    );
                }
            }
        }
        assert!(Parameters::from_bytes(&good[..good.len() - 1], path).is_err());
        assert!(Parameters::from_bytes(&[&good[..], &[0]].concat(), path).is_err());
    }

    #[test]
    fn files_of_other_programs_need_no_checksum() {
        let (theirs, _) = Parameters::from_bytes(&file(), Path::new("ours")).unwrap();
        let plain = theirs.to_bytes(&BTreeMap::new()).unwrap();
        Parameters::from_bytes(&plain, Path::new("theirs")).unwrap();
        for short in [&b""[..], b"1234567", &u64::MAX.to_le_bytes()] {
            assert!(Parameters::from_bytes(short, Path::new("short")).is_err());
        }
    }
}
