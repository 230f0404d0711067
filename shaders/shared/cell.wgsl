//!include shared/random.wgsl
//!include shared/normal.wgsl
// The random cells of a chip: purposes (enum Purpose of src/random/mod.rs) and the deviates of the
// variation models. Needs the constant LOGNORMAL.

const PURPOSE_CELL: u32 = 2u;
const PURPOSE_CELL_NEGATIVE: u32 = 3u;
const PURPOSE_OFFSET_REFERENCE: u32 = 4u;
const PURPOSE_REFERENCE_COLUMN: u32 = 5u;
const PURPOSE_REFERENCE_COLUMN_NEGATIVE: u32 = 6u;

// Values of the constants LAW and MAPPING; twins in src/backend/wgpu/fabricate.rs.
const LAW_PROPORTIONAL: u32 = 0u;
const LAW_FIXED: u32 = 1u;
const MAPPING_IDEAL: u32 = 0u;
const MAPPING_DIFFERENTIAL: u32 = 1u;
const MAPPING_OFFSET: u32 = 2u;

// Words of the cells 4 block .. 4 block + 3 of a layer of the chip at a position of the wave.
fn cell_words(block: u32, layer: u32, position: u32, purpose: u32) -> vec4<u32> {
    let counter = vec4<u32>(block, layer, run.first_chip + position, purpose | run.purpose);
    return philox(counter, vec2<u32>(run.seed_lo, run.seed_hi));
}

// Deviates of cells, scaled to their standard deviation. shape = (2 Phi(-at) or 0, unused), or
// that of lognormal4.
fn deviate4(words: vec4<u32>, sigma: f32, shape: vec2<f32>) -> vec4<f32> {
    if LOGNORMAL {
        return lognormal4(normal4(words, 0.0), shape);
    }
    return sigma * normal4(words, shape.x);
}
