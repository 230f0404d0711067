//!include shared/run.wgsl
// Softmax cross-entropy with label smoothing s, target t = (1 - s) onehot + s / n:
// loss = log sum exp(z - max) - sum t (z - max), hit = 1 where the first largest logit is the
// label, dlogits = (softmax - t) / (images * chips), or / images where every chip has a loss of its own.
// A negative label is no image: all zero. One thread a quad of images.

struct Params {
    logits: View,
    labels: View,
    loss: View,
    hit: View,
    dlogits: View,
    classes: u32,
    smoothing: f32,
    // Whether the loss is that of every image of every chip.
    over_chips: u32,
    pad0: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> labels: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> loss: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> hit: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> dlogits: array<vec4<f32>>;

const ZERO = vec4<f32>(0.0);
const ONE = vec4<f32>(1.0);

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
    let counts = lanes_used(block, quad) & (label >= ZERO);

    var top = logits[z];
    var winner = ZERO;
    for (var k = 1u; k < p.classes; k++) {
        let v = logits[z + k * QUADS];
        winner = select(winner, vec4<f32>(f32(k)), v > top);
        top = max(top, v);
    }
    let other = p.smoothing / f32(p.classes);
    var total = ZERO;
    var wanted = ZERO;
    for (var k = 0u; k < p.classes; k++) {
        let v = logits[z + k * QUADS] - top;
        total += exp(v);
        let t = select(ZERO, ONE - p.smoothing, label == vec4<f32>(f32(k))) + other;
        wanted += t * v;
    }
    loss[block_base(p.loss, chip, block) + quad] = select(ZERO, log(total) - wanted, counts);
    hit[block_base(p.hit, chip, block) + quad] = select(ZERO, ONE, counts & (winner == label));
    if HAS_GRADIENT {
        let batch = f32(run.images) * select(1.0, f32(run.chips), p.over_chips == 1u);
        let d = block_base(p.dlogits, chip, block) + quad;
        for (var k = 0u; k < p.classes; k++) {
            let v = exp(logits[z + k * QUADS] - top) / total;
            let t = select(ZERO, ONE - p.smoothing, label == vec4<f32>(f32(k))) + other;
            dlogits[d + k * QUADS] = select(ZERO, (v - t) / batch, counts);
        }
    }
}
