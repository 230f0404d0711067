// Appended to shared/half.wgsl by half.rs. One thread four words, the bits of four floats.

@group(0) @binding(0) var<storage, read> input: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> rounded: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> back: array<vec4<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let v = bitcast<vec4<f32>>(input[id.x]);
    let words = pack_halves(v);
    rounded[id.x] = vec4<u32>(
        half_of(words.x, 0u),
        half_of(words.x, 1u),
        half_of(words.y, 2u),
        half_of(words.y, 3u),
    );
    back[id.x] = bitcast<vec4<u32>>(unpack_halves(words));
}
