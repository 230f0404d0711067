// Pooling windows. Twin: PoolParams in src/backend/wgpu/pool.rs.

struct Pool {
    h_in: u32,
    w_in: u32,
    h_out: u32,
    w_out: u32,
    kh: u32,
    kw: u32,
    stride_y: u32,
    stride_x: u32,
    pad_top: u32,
    pad_left: u32,
    pad0: u32,
    pad1: u32,
}

// Positions from `first` to before `end`.
struct Span {
    first: u32,
    end: u32,
}

// Input positions of a window that lie in the map.
fn window(o: u32, extent: u32, k: u32, stride: u32, pad: u32) -> Span {
    let start = o * stride;
    let end = select(0u, min(extent, start + k - pad), start + k > pad);
    return Span(select(0u, start - pad, start > pad), end);
}

// Windows that contain an input position.
fn windows_of(i: u32, extent: u32, k: u32, stride: u32, pad: u32) -> Span {
    let at = i + pad;
    let first = select(0u, (at - k) / stride + 1u, at >= k);
    return Span(first, min(extent, at / stride + 1u));
}
