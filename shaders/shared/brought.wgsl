// A quad on its way from a map: whether it is inside is applied where it is needed, so that nothing
// waits for the load before. Where a load is alone in a branch drivers wait at the branch's end.

struct Brought {
    inside: bool,
    value: vec4<f32>,
}

fn brought(b: Brought) -> vec4<f32> {
    return select(vec4<f32>(0.0), b.value, b.inside);
}
