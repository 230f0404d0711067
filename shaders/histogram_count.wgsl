//!include shared/run.wgsl
// First stage of histogram: counts the values of a part of a group's channels in one block of
// images, in a window of bins. Integer atomics, so any order gives the same counts. Before: counts
// zeroed.

struct Params {
    x: View,
    // Quads of a group's channels in a block, parts of them, windows of bins.
    group_quads: u32,
    parts: u32,
    windows: u32,
    groups: u32,
    bins: u32,
    // Counts from chip to chip, 0 where all chips are counted together.
    chip_counts: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> limit: array<f32>;
@group(0) @binding(4) var<storage, read_write> counts: array<atomic<u32>>;

// Bins of a window, and quads of a part.
const WINDOW: u32 = 2048u;
const PART: u32 = 4096u;

var<workgroup> window: array<atomic<u32>, WINDOW>;

fn count(v: f32, half: f32, first: u32) {
    var at = floor((v / half + 1.0) * 0.5 * f32(p.bins));
    if !(half > 0.0) {
        at = select(0.0, f32(p.bins), v > 0.0);
    }
    // Bins of other windows wrap around or are beyond the last.
    let bin = u32(clamp(at, 0.0, f32(p.bins - 1u))) - first;
    if bin < WINDOW {
        atomicAdd(&window[bin], 1u);
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let flat = flat_group(id, grid);
    let part = flat % p.parts;
    let first = flat / p.parts % p.windows * WINDOW;
    let group = flat / p.parts / p.windows % p.groups;
    let block = flat / p.parts / p.windows / p.groups;
    let chip = chip_of(id);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    for (var b = lane; b < WINDOW; b += 256u) {
        atomicStore(&window[b], 0u);
    }
    workgroupBarrier();
    let base = block_base(p.x, chip, block) + group * p.group_quads;
    let half = limit[group];
    let end = min((part + 1u) * PART, p.group_quads);
    for (var i = part * PART + lane; i < end; i += 256u) {
        let v = x[base + i];
        let used = lanes_used(block, i % QUADS);
        if used.x {
            count(v.x, half, first);
        }
        if used.y {
            count(v.y, half, first);
        }
        if used.z {
            count(v.z, half, first);
        }
        if used.w {
            count(v.w, half, first);
        }
    }
    workgroupBarrier();
    let to = chip * p.chip_counts + group * p.bins + first;
    for (var b = lane; b < min(WINDOW, p.bins - first); b += 256u) {
        let n = atomicLoad(&window[b]);
        if n > 0u {
            atomicAdd(&counts[to + b], n);
        }
    }
}
