// Stuck cells: src/effects/stuck. Constants: HAS_STUCK.

const PURPOSE_CELL_STUCK: u32 = 16u;

struct Stuck {
    off: f32,
    on: f32,
}

fn apply_stuck(p: Programming, c: Cells, before: State) -> State {
    var s = before;
    if HAS_STUCK {
        let u = uniform4(own_words(p, c, PURPOSE_CELL_STUCK));
        let off = u < vec4<f32>(p.stuck.off);
        let on = (u >= vec4<f32>(1.0 - p.stuck.on)) & (vec4<f32>(p.stuck.on) > vec4<f32>(0.0));
        s.g = select(select(s.g, vec4<f32>(1.0), on), vec4<f32>(p.g_min), off);
        s.programmed = select(select(s.programmed, vec4<f32>(1.0), on), vec4<f32>(p.g_min), off);
    }
    return s;
}
