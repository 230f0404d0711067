// Geometry of a convolution. Twin: ConvParams in src/backend/wgpu/conv.rs.

struct Conv {
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
    pad_top: u32,
    pad_left: u32,
    // Input and output channels of a group.
    group_in: u32,
    group_out: u32,
    pad0: u32,
    pad1: u32,
}

// A range of kernel positions along one axis: k = first, first + step, .. and where they read.
struct Taps {
    first: u32,
    count: u32,
    step: u32,
    // Position in the map of the first tap, and from tap to tap (wraps where negative).
    at: u32,
    advance: u32,
}

// Kernel positions whose input lies in the map, for output position `o` of the forward pass:
// input = o * stride + k * dilation - pad.
fn taps_forward(o: u32, extent: u32, k: u32, stride: u32, dilation: u32, pad: u32) -> Taps {
    let start = o * stride;
    // The first k with start + k dilation >= pad, the first with start + k dilation >= pad + extent.
    var first = 0u;
    if pad > start {
        first = (pad - start + dilation - 1u) / dilation;
    }
    var end = 0u;
    if pad + extent > start {
        end = min(k, (pad + extent - start + dilation - 1u) / dilation);
    }
    let count = select(0u, end - first, end > first);
    return Taps(first, count, 1u, start + first * dilation - pad, dilation);
}

// Kernel positions that read input position `i`, and the outputs that do so:
// output = (i + pad - k * dilation) / stride where that divides.
fn taps_backward(i: u32, extent: u32, k: u32, stride: u32, dilation: u32, pad: u32) -> Taps {
    let start = i + pad;
    let last = (extent - 1u) * stride;
    var first = 0u;
    if start > last {
        first = (start - last + dilation - 1u) / dilation;
    }
    let end = min(k, start / dilation + 1u);
    // Divisibility repeats with the period stride / gcd(stride, dilation), at most the stride.
    var step = 1u;
    for (; step < stride; step++) {
        if (step * dilation) % stride == 0u {
            break;
        }
    }
    let stop = min(end, first + step);
    for (; first < stop; first++) {
        if (start - first * dilation) % stride == 0u {
            break;
        }
    }
    if first >= stop {
        return Taps(0u, 0u, 1u, 0u, 0u);
    }
    let at = (start - first * dilation) / stride;
    let advance = 0u - (step * dilation) / stride;
    return Taps(first, (end - first + step - 1u) / step, step, at, advance);
}
