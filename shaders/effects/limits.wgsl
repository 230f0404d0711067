// Limits of a conductance: src/effects/limits.

struct Limits {
    low: f32,
    high: f32,
}

fn apply_limits(p: Programming, c: Cells, before: State) -> State {
    var s = before;
    s.g = clamp(s.g, vec4<f32>(p.limits.low), vec4<f32>(p.limits.high));
    s.programmed = clamp(s.programmed, vec4<f32>(p.limits.low), vec4<f32>(p.limits.high));
    return s;
}
