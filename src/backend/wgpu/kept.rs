//! Compiled kernels that are kept from run to run, where the adapter lets its driver's cache be read
//! (`PIPELINE_CACHE`: Vulkan).
//!
//! What is kept begins with a mark and the SHA-256 of the rest, so that bytes that this program did not write, or
//! not to their end, never reach a driver. The name tells adapter, driver and version apart; the driver itself
//! leaves what another one made.

use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use super::driver;
use super::faults::lock;
use crate::backend::KernelStore;

/// Beginning of what is kept; the number changes with the form.
const MARK: &[u8; 16] = b"pimento kernel 1";

/// Bytes of the checksum.
const SUM: usize = 32;

/// Hexadecimal digits of a name.
const DIGITS: usize = 16;

/// Bytes that a driver's cache gave once: their mark and checksum are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checked<'b>(&'b [u8]);

impl<'b> Checked<'b> {
    /// The bytes.
    pub fn bytes(self) -> &'b [u8] {
        self.0
    }
}

/// A driver's cache and where it is kept.
pub(super) struct Kept {
    pub cache: ::wgpu::PipelineCache,
    store: Arc<dyn KernelStore>,
    name: String,
    /// What is kept already.
    last: Mutex<Vec<u8>>,
}

impl Kept {
    /// The kernels that were kept for this device; `None` where its driver keeps them to itself. `say` is told
    /// what is wrong with those that are there.
    pub fn open(
        device: &::wgpu::Device,
        info: &::wgpu::AdapterInfo,
        store: Arc<dyn KernelStore>,
        say: impl Fn(String),
    ) -> Option<Self> {
        if !device.features().contains(::wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let name = name(info);
        let kept = match store.load(&name) {
            Ok(kept) => kept.unwrap_or_default(),
            Err(e) => {
                say(format!("kept kernels are not used: {e}"));
                Vec::new()
            }
        };
        let data = match unpack(&kept) {
            Ok(data) => data,
            Err(why) => {
                say(format!("kept kernels \"{name}\" are not used: {why}"));
                None
            }
        };
        let cache = driver::pipeline_cache(device, data);
        Some(Self {
            cache,
            store,
            name,
            last: Mutex::new(kept),
        })
    }

    /// Keeps what the driver has by now.
    ///
    /// # Errors
    /// Where it is kept.
    pub fn save(&self) -> crate::error::Result<()> {
        let Some(data) = self.cache.get_data() else {
            return Ok(());
        };
        let packed = pack(&data);
        let mut last = lock(&self.last);
        if *last != packed {
            self.store.save(&self.name, &packed)?;
            *last = packed;
        }
        Ok(())
    }
}

/// Of an adapter with its driver, and of this version of the program.
fn name(info: &::wgpu::AdapterInfo) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let ::wgpu::AdapterInfo {
        name,
        vendor,
        device,
        driver,
        driver_info,
        backend,
        ..
    } = info;
    let all =
        format!("{version}\n{backend:?}\n{vendor}\n{device}\n{name}\n{driver}\n{driver_info}");
    let hash: String = Sha256::digest(all)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("{}.kernels", &hash[..DIGITS])
}

fn pack(data: &[u8]) -> Vec<u8> {
    let mut packed = MARK.to_vec();
    packed.extend(Sha256::digest(data));
    packed.extend(data);
    packed
}

/// What was packed, nothing of nothing, or what is wrong.
fn unpack(packed: &[u8]) -> Result<Option<Checked<'_>>, &'static str> {
    if packed.is_empty() {
        return Ok(None);
    }
    let Some(rest) = packed.strip_prefix(MARK) else {
        return Err("they do not begin as those of this version");
    };
    match rest.split_at_checked(SUM) {
        Some((sum, data)) if Sha256::digest(data)[..] == *sum => Ok(Some(Checked(data))),
        _ => Err("damaged: the checksum is another one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_seen() {
        let packed = pack(b"what a driver makes");
        assert_eq!(unpack(&packed), Ok(Some(Checked(b"what a driver makes"))));
        assert_eq!(unpack(&[]), Ok(None));
        for i in 0..packed.len() {
            assert!(unpack(&packed[..i.max(1)]).is_err(), "{i} bytes");
            let mut damaged = packed.clone();
            damaged[i] ^= 1;
            assert!(unpack(&damaged).is_err(), "byte {i}");
        }
    }
}
