// What the passes of weight_scale share. The weights of a group (the layer, an output or an input
// channel) are cut into chunks, one workgroup each; workgroup f works on chunk f % chunks of group
// f / chunks. The order statistic of |w| is found by radix selection on the bit pattern
// (non-negative floats order as their bits do) in three digits of 11, 10 and 10 bits.
// Twin of ScaleParams: src/backend/wgpu/weight_scale.rs.

// Weights of a chunk.
const CHUNK: u32 = 4096u;
// Bins of the histogram of a digit.
const BINS: u32 = 2048u;
// Above every magnitude: the bits of infinity.
const NO_NEXT: u32 = 0x7f800000u;

struct ScaleParams {
    // Weights of a group, chunks of a group, groups.
    size: u32,
    chunks: u32,
    groups: u32,
    // Digit of this pass of the selection, 0 to 2.
    digit: u32,
    // Wanted order statistic, counted from 0; of a percentile where no weight is 0.
    rank: u32,
    // Candidate steps; 1 where they span [median, max], 0 where (0, max].
    candidates: u32,
    line_search: u32,
    // How the step follows, see weight_scale_choose.wgsl.
    method: u32,
    // Highest code.
    q: f32,
    // Position of a percentile between two order statistics, likewise.
    fraction: f32,
    // Consecutive weights of a group; runs take the groups in turn.
    run: u32,
    // A percentile as a share; 0 where none is asked for. Only weights that are not 0 count for it.
    share: f32,
}

struct SelectState {
    // Bits of the largest magnitude.
    max_bits: atomic<u32>,
    // The leading digits of the order statistic found so far; at the end its bits.
    prefix: u32,
    // Its rank among the weights that have this prefix.
    rank: u32,
    // Bits of the next order statistic.
    next_bits: atomic<u32>,
    // Weights that are counted.
    counted: u32,
}

// Where a percentile lies among the `counted` weights that are not 0, counted from 0. The host knows it to more
// digits where that is all of them.
fn position_of(p: ScaleParams, counted: u32) -> vec2<f32> {
    let at = p.share * f32(max(counted, 1u) - 1u);
    return vec2<f32>(min(floor(at), f32(max(counted, 1u) - 1u)), fract(at));
}

// Where weight `k` of a group is.
fn place(p: ScaleParams, group: u32, k: u32) -> u32 {
    return (k / p.run * p.groups + group) * p.run + k % p.run;
}

// Digit number `digit` of `bits`.
fn digit_of(bits: u32, digit: u32) -> u32 {
    return select(select(bits & 1023u, (bits >> 10u) & 1023u, digit == 1u), bits >> 20u, digit == 0u);
}

// What stands before it.
fn prefix_of(bits: u32, digit: u32) -> u32 {
    return select(select(bits >> 10u, bits >> 20u, digit == 1u), 0u, digit == 0u);
}

// Step number `i` of a search: evenly spaced from max/Q down to median/Q, both included (line
// search), or the multiples (count - i)/count of max/Q.
fn candidate(i: u32, count: u32, line_search: u32, median: f32, most: f32, q: f32) -> f32 {
    let top = most / q;
    if line_search == 1u {
        return top + (median / q - top) * (f32(i) / f32(count - 1u));
    }
    return top * (f32(count - i) / f32(count));
}
