//!include shared/run.wgsl
//!include shared/activation.wgsl
// dz = (1 - a) dlogits + a T (softmax(logits / T) - softmax(teacher / T)) / (images * chips), nothing of the teacher's
// where there is no image. One thread a quad of images.

struct Params {
    logits: View,
    teacher: View,
    dlogits: View,
    dz: View,
    classes: u32,
    // Whether the batch is every image of every chip.
    per_chip: u32,
    share: f32,
    temperature: f32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> teacher: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> dlogits: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dz: array<vec4<f32>>;

const ZERO = vec4<f32>(0.0);

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
    let t = block_base(p.teacher, chip, block) + quad;
    var top = logits[z];
    var best = teacher[t];
    for (var k = 1u; k < p.classes; k++) {
        let v = logits[z + k * QUADS];
        let u = teacher[t + k * QUADS];
        top = select(top, v, v > top);
        best = select(best, u, u > best);
    }
    var total = ZERO;
    var wanted = ZERO;
    for (var k = 0u; k < p.classes; k++) {
        total += exp_negative((logits[z + k * QUADS] - top) / p.temperature);
        wanted += exp_negative((teacher[t + k * QUADS] - best) / p.temperature);
    }
    let batch = f32(run.images) * select(1.0, f32(run.chips), p.per_chip == 1u);
    let times = p.share * p.temperature / batch;
    let d = block_base(p.dlogits, chip, block) + quad;
    let goal = block_base(p.dz, chip, block) + quad;
    let used = lanes_used(block, quad);
    for (var k = 0u; k < p.classes; k++) {
        let at = k * QUADS;
        let own = exp_negative((logits[z + at] - top) / p.temperature) / total;
        let aim = exp_negative((teacher[t + at] - best) / p.temperature) / wanted;
        dz[goal + at] = (1.0 - p.share) * dlogits[d + at] + select(ZERO, times * (own - aim), used);
    }
}
