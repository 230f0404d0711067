// What every kernel knows: the run, how tensors are found, and which workgroup this is.
// Twins: RunUniform and View in src/backend/wgpu/dispatch.rs.

struct Run {
    seed_lo: u32,
    seed_hi: u32,
    // Index of the wave's first chip, and chips of the wave.
    first_chip: u32,
    chips: u32,
    // First block of images in resident tensors, blocks and images of this run.
    first_block: u32,
    blocks: u32,
    images: u32,
    // Or-ed into the purpose word of random numbers.
    purpose: u32,
    step: u32,
    lr: f32,
    // Index of the first resident image among all images.
    first_image: u32,
    // Of a kernel call that is cut: workgroups of a chip, and chips, that other submissions do.
    skipped_groups: u32,
    skipped_chips: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

// Units: vec4<f32> for image tensors, f32 for flat ones.
struct View {
    // From chip to chip, 0 for shared tensors.
    chip_stride: u32,
    // From block to block of images.
    block_stride: u32,
    // 1: the tensor holds all resident images.
    resident: u32,
    // Values per chip and image.
    len: u32,
}

@group(0) @binding(0) var<uniform> run: Run;

// vec4<f32> of a block of 16 images.
const QUADS: u32 = 4u;
const LANES: u32 = 16u;

// Start of a chip's slab.
fn chip_base(v: View, chip: u32) -> u32 {
    return chip * v.chip_stride;
}

// Start of one block of images of a chip; block 0 is the run's first.
fn block_base(v: View, chip: u32, block: u32) -> u32 {
    return chip * v.chip_stride + (block + v.resident * run.first_block) * v.block_stride;
}

// The x and y axes of the grid are one flat axis, of which a submission may do a part.
fn flat_group(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return run.skipped_groups + group.x + group.y * groups.x;
}

// The chip of the wave that a workgroup works for.
fn chip_of(group: vec3<u32>) -> u32 {
    return run.skipped_chips + group.z;
}

// 1 where the lane of a quad is an image of this run.
fn lanes_used(block: u32, quad: u32) -> vec4<bool> {
    let first = block * LANES + quad * 4u;
    return vec4<u32>(first, first + 1u, first + 2u, first + 3u) < vec4<u32>(run.images);
}
