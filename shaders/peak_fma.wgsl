//!include shared/run.wgsl
// How fast an adapter multiplies and adds: 8 independent chains of vec4 a thread, 32 steps an
// iteration. Every thread writes its sum, so that nothing can be left out.

struct Params {
    iterations: u32,
    threads: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let thread = flat_group(group, groups) * 64u + local;
    if thread >= p.threads {
        return;
    }
    // x <- x m + a stays near a / (1 - m), so nothing overflows or becomes denormal.
    let m = vec4<f32>(0.999);
    let a = vec4<f32>(f32(thread % 7u + 1u));
    var s0 = a;
    var s1 = a * 2.0;
    var s2 = a * 3.0;
    var s3 = a * 4.0;
    var s4 = a * 5.0;
    var s5 = a * 6.0;
    var s6 = a * 7.0;
    var s7 = a * 8.0;
    for (var i = 0u; i < p.iterations; i++) {
        s0 = fma(fma(fma(fma(s0, m, a), m, a), m, a), m, a);
        s1 = fma(fma(fma(fma(s1, m, a), m, a), m, a), m, a);
        s2 = fma(fma(fma(fma(s2, m, a), m, a), m, a), m, a);
        s3 = fma(fma(fma(fma(s3, m, a), m, a), m, a), m, a);
        s4 = fma(fma(fma(fma(s4, m, a), m, a), m, a), m, a);
        s5 = fma(fma(fma(fma(s5, m, a), m, a), m, a), m, a);
        s6 = fma(fma(fma(fma(s6, m, a), m, a), m, a), m, a);
        s7 = fma(fma(fma(fma(s7, m, a), m, a), m, a), m, a);
    }
    let s = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
    out[thread] = (s.x + s.y) + (s.z + s.w);
}
