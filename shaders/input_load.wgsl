//!include shared/run.wgsl
// Conductance of all cells that a place of the input map drives, over all output pixels: of every place of the kernel whose output
// pixel exists the row's cells, over cell planes and the columns of the group. One thread a place.

struct Params {
    // [cell plane][column][row].
    g: View,
    // [channel][y][x].
    out: View,
    rows: u32,
    cols: u32,
    planes: u32,
    group_cols: u32,
    group_channels: u32,
    h_in: u32,
    w_in: u32,
    h_out: u32,
    w_out: u32,
    kh: u32,
    kw: u32,
    stride_y: u32,
    stride_x: u32,
    dilation_y: u32,
    dilation_x: u32,
    top: u32,
    left: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

// Whether an output pixel along one axis looks at the padded place `at` through place `k` of its kernel.
fn looks(at: u32, k: u32, stride: u32, outputs: u32) -> bool {
    return at >= k && (at - k) % stride == 0u && (at - k) / stride < outputs;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    if i >= p.out.len || chip >= run.chips {
        return;
    }
    let channel = i / (p.h_in * p.w_in);
    let y = i / p.w_in % p.h_in + p.top;
    let x = i % p.w_in + p.left;
    let first = channel / p.group_channels * p.group_cols;
    let own = channel % p.group_channels * p.kh * p.kw;
    var total = 0.0;
    for (var k = 0u; k < p.kh * p.kw; k++) {
        let down = looks(y, k / p.kw * p.dilation_y, p.stride_y, p.h_out);
        if down && looks(x, k % p.kw * p.dilation_x, p.stride_x, p.w_out) {
            for (var plane = 0u; plane < p.planes; plane++) {
                let column = chip_base(p.g, chip) + (plane * p.cols + first) * p.rows + own + k;
                var sum = 0.0;
                for (var o = 0u; o < p.group_cols; o++) {
                    sum += g[column + o * p.rows];
                }
                total += sum;
            }
        }
    }
    out[chip_base(p.out, chip) + i] = total;
}
