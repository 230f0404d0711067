// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), the twin
// of src/random: the same integers on the host and here. Key = seed, counter =
// (address / 4, layer, chip, purpose); the cell at `address` owns word `address % 4` of the block.

const PHILOX_M0: u32 = 0xD2511F53u;
const PHILOX_M1: u32 = 0xCD9E8D57u;
const PHILOX_W: vec2<u32> = vec2<u32>(0x9E3779B9u, 0xBB67AE85u);

// High word of the 64-bit product, from 16-bit halves (WGSL has no 64-bit integers).
fn mul_high(a: u32, b: u32) -> u32 {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    // Neither of these sums exceeds 32 bits.
    let low = a_low * b_high + ((a_low * b_low) >> 16u);
    let middle = a_high * b_low + (low & 0xffffu);
    return a_high * b_high + (low >> 16u) + (middle >> 16u);
}

fn philox_round(c: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    return vec4<u32>(
        mul_high(PHILOX_M1, c.z) ^ c.y ^ key.x,
        PHILOX_M1 * c.z,
        mul_high(PHILOX_M0, c.x) ^ c.w ^ key.y,
        PHILOX_M0 * c.x,
    );
}

// The layer word of a repeat (src/random/reach.rs): of a conversion the image, of what a chip draws 0.
fn repeated(layer: u32, repeat: u32) -> u32 {
    return layer + repeat * 4096u;
}

// The block of four words at a counter. Unrolled: a loop costs lavapipe its vectorisation.
fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = philox_round(counter, key);
    c = philox_round(c, key + PHILOX_W);
    c = philox_round(c, key + 2u * PHILOX_W);
    c = philox_round(c, key + 3u * PHILOX_W);
    c = philox_round(c, key + 4u * PHILOX_W);
    c = philox_round(c, key + 5u * PHILOX_W);
    c = philox_round(c, key + 6u * PHILOX_W);
    c = philox_round(c, key + 7u * PHILOX_W);
    c = philox_round(c, key + 8u * PHILOX_W);
    return philox_round(c, key + 9u * PHILOX_W);
}

// High words of products of four numbers.
fn mul_high4(a: u32, b: vec4<u32>) -> vec4<u32> {
    let a_low = vec4<u32>(a & 0xffffu);
    let a_high = vec4<u32>(a >> 16u);
    let b_low = b & vec4<u32>(0xffffu);
    let b_high = b >> vec4<u32>(16u);
    let low = a_low * b_high + ((a_low * b_low) >> vec4<u32>(16u));
    let middle = a_high * b_low + (low & vec4<u32>(0xffffu));
    return a_high * b_high + (low >> vec4<u32>(16u)) + (middle >> vec4<u32>(16u));
}

// The four words of four blocks.
struct Blocks {
    x: vec4<u32>,
    y: vec4<u32>,
    z: vec4<u32>,
    w: vec4<u32>,
}

fn philox_round4(c: Blocks, key: vec2<u32>) -> Blocks {
    return Blocks(
        mul_high4(PHILOX_M1, c.z) ^ c.y ^ vec4<u32>(key.x),
        PHILOX_M1 * c.z,
        mul_high4(PHILOX_M0, c.x) ^ c.w ^ vec4<u32>(key.y),
        PHILOX_M0 * c.x,
    );
}

// Blocks whose counters differ in the second word only, `rows`: of the first three rounds' products five are
// left for each, see src/random/images.rs.
fn philox4(block: u32, rows: vec4<u32>, chip: u32, purpose: u32, key: vec2<u32>) -> Blocks {
    let key1 = key + PHILOX_W;
    let key2 = key + 2u * PHILOX_W;
    let own = mul_high(PHILOX_M1, chip) ^ key.x;
    let image = rows ^ vec4<u32>(own);
    let other = mul_high(PHILOX_M0, block) ^ purpose ^ key.y;
    let z = mul_high4(PHILOX_M0, image) ^ vec4<u32>((PHILOX_M0 * block) ^ key1.y);
    let x = mul_high(PHILOX_M1, other) ^ (PHILOX_M1 * chip) ^ key1.x;
    var c = Blocks(
        mul_high4(PHILOX_M1, z) ^ vec4<u32>((PHILOX_M1 * other) ^ key2.x),
        PHILOX_M1 * z,
        (PHILOX_M0 * image) ^ vec4<u32>(mul_high(PHILOX_M0, x) ^ key2.y),
        vec4<u32>(PHILOX_M0 * x),
    );
    c = philox_round4(c, key + 3u * PHILOX_W);
    c = philox_round4(c, key + 4u * PHILOX_W);
    c = philox_round4(c, key + 5u * PHILOX_W);
    c = philox_round4(c, key + 6u * PHILOX_W);
    c = philox_round4(c, key + 7u * PHILOX_W);
    c = philox_round4(c, key + 8u * PHILOX_W);
    return philox_round4(c, key + 9u * PHILOX_W);
}
