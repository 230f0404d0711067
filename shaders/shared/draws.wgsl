//!include shared/run.wgsl
//!include shared/random.wgsl
//!include shared/normal.wgsl
// Purposes of the errors of converters (enum Purpose of src/random/mod.rs; an effect has its own), and the
// words of an address.

const PURPOSE_ADC_GAIN: u32 = 21u;
const PURPOSE_ADC_OFFSET: u32 = 22u;
const PURPOSE_READ_NOISE: u32 = 23u;

// A block of the chip at a position of the wave.
fn block_words(block: u32, row: u32, position: u32, purpose: u32) -> vec4<u32> {
    let counter = vec4<u32>(block, row, run.first_chip + position, purpose | run.purpose);
    return philox(counter, vec2<u32>(run.seed_lo, run.seed_hi));
}

// The same block of four images, whose repeats are the second word.
fn blocks_of_images(block: u32, rows: vec4<u32>, position: u32, purpose: u32) -> Blocks {
    let key = vec2<u32>(run.seed_lo, run.seed_hi);
    return philox4(block, rows, run.first_chip + position, purpose | run.purpose, key);
}

fn word_at(address: u32, row: u32, position: u32, purpose: u32) -> u32 {
    return block_words(address / 4u, row, position, purpose)[address % 4u];
}

// The words of four addresses, in one block where they are the four of a block.
fn words_at(a: vec4<u32>, row: u32, position: u32, purpose: u32) -> vec4<u32> {
    if a.x % 4u == 0u && all(a == vec4<u32>(a.x) + vec4<u32>(0u, 1u, 2u, 3u)) {
        return block_words(a.x / 4u, row, position, purpose);
    }
    return vec4<u32>(
        word_at(a.x, row, position, purpose),
        word_at(a.y, row, position, purpose),
        word_at(a.z, row, position, purpose),
        word_at(a.w, row, position, purpose),
    );
}

// Uniform deviates in [0, 1) with 24 bits, exact on every device.
fn uniform4(words: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(words >> vec4<u32>(8u)) * (1.0 / 16777216.0);
}
