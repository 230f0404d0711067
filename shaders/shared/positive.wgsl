// What positive values become where an update would make them `moved`: at least half and at most
// twice of what they were. Twin of within_factor in src/backend/cpu/sgd.rs.
fn within_factor(old: vec4<f32>, moved: vec4<f32>) -> vec4<f32> {
    let near = min(max(moved, 0.5 * old), 2.0 * old);
    return min(max(near, vec4<f32>(1e-30)), vec4<f32>(1e30));
}
