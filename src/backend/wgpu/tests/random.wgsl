// Test kernel: the words of `inputs` as counters of the generator and as words of the deviates.

@group(0) @binding(0) var<storage, read> inputs: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> blocks: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> normals: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> truncated: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> lognormals: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let words = inputs[id.x];
    let layer = repeated(words.y % 4096u, words.y / 4096u);
    let counter = vec4<u32>(words.x, layer, words.z, words.w);
    let key = vec2<u32>(KEY_LOW, KEY_HIGH);
    if id.x % 8u < 4u {
        blocks[id.x] = philox(counter, key);
    } else {
        // One of four blocks at once.
        let i = id.x % 4u;
        let rows = vec4<u32>(layer) + vec4<u32>(0u, 1u, 2u, 3u) - vec4<u32>(i);
        let four = philox4(words.x, rows, words.z, words.w, key);
        blocks[id.x] = vec4<u32>(four.x[i], four.y[i], four.z[i], four.w[i]);
    }
    let z = normal4(words, 0.0);
    normals[id.x] = z;
    truncated[id.x] = normal4(words, SQUEEZE);
    lognormals[id.x] = lognormal4(z, vec2<f32>(SHAPE_T, SHAPE_HALF_T2));
}
