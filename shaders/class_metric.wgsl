//!include shared/run.wgsl
// A metric of every image, with the logits z, the label l and p = softmax(z); METRIC is 0 for top5: 1 where
// fewer than 5 logits are before z_l (larger, or equal with a smaller index), else 0; 1 for the Brier score:
// sum (p_k - [k = l])^2. A label that is no class is no image: 0. One thread a quad of images.

struct Params {
    logits: View,
    labels: View,
    score: View,
    classes: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> labels: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> score: array<vec4<f32>>;

const ZERO = vec4<f32>(0.0);
const ONE = vec4<f32>(1.0);
const TOP5 = 0u;

// 1 where class k is the label.
fn target_of(k: u32, label: vec4<f32>) -> vec4<f32> {
    return select(ZERO, ONE, label == vec4<f32>(f32(k)));
}

// Of the logits from `z` on.
fn top5(z: u32, label: vec4<f32>) -> vec4<f32> {
    var own = ZERO;
    for (var k = 0u; k < p.classes; k++) {
        own = select(own, logits[z + k * QUADS], label == vec4<f32>(f32(k)));
    }
    var before = ZERO;
    for (var k = 0u; k < p.classes; k++) {
        let v = logits[z + k * QUADS];
        let is_before = (v > own) | ((v == own) & (vec4<f32>(f32(k)) < label));
        before += select(ZERO, ONE, is_before);
    }
    return select(ZERO, ONE, before < vec4<f32>(5.0));
}

fn brier(z: u32, label: vec4<f32>) -> vec4<f32> {
    var top = logits[z];
    for (var k = 1u; k < p.classes; k++) {
        top = max(top, logits[z + k * QUADS]);
    }
    var total = ZERO;
    for (var k = 0u; k < p.classes; k++) {
        total += exp(logits[z + k * QUADS] - top);
    }
    var sum = ZERO;
    for (var k = 0u; k < p.classes; k++) {
        let d = exp(logits[z + k * QUADS] - top) / total - target_of(k, label);
        sum += d * d;
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let block = item / QUADS;
    let quad = item % QUADS;
    let chip = chip_of(group);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let z = block_base(p.logits, chip, block) + quad;
    let label = labels[block_base(p.labels, chip, block) + quad];
    let is_class = (label >= ZERO) & (label < vec4<f32>(f32(p.classes)));
    var found = ZERO;
    if METRIC == TOP5 {
        found = top5(z, label);
    } else {
        found = brier(z, label);
    }
    let counts = lanes_used(block, quad) & is_class;
    score[block_base(p.score, chip, block) + quad] = select(ZERO, found, counts);
}
