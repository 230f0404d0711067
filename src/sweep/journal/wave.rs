//! What stands before the columns of a wave.

/// Bytes of a wave before its columns: number of the point, first chip, chips, adapter, seconds as `f64`.
pub(super) const WAVE_HEAD: usize = 24;

/// The beginning of a wave's payload.
pub(super) struct WaveHead {
    pub slot: u32,
    pub first: u32,
    pub chips: u32,
    pub adapter: u32,
    pub seconds: f64,
}

impl WaveHead {
    pub fn encode(&self) -> Vec<u8> {
        let words = [self.slot, self.first, self.chips, self.adapter];
        let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        bytes.extend(self.seconds.to_le_bytes());
        bytes
    }

    pub fn decode(payload: &[u8]) -> Option<Self> {
        let head = payload.first_chunk::<WAVE_HEAD>()?;
        let word = |i: usize| u32::from_le_bytes([0, 1, 2, 3].map(|b| head[4 * i + b]));
        let seconds = f64::from_bits(u64::from(word(4)) | u64::from(word(5)) << 32);
        Some(Self {
            slot: word(0),
            first: word(1),
            chips: word(2),
            adapter: word(3),
            seconds,
        })
    }
}
