use crate::harness::*;
use pimento::program::*;

#[test]
fn is_over_images_and_chips_and_ignores_lanes_without_an_image() {
    let (chips, images, values) = (3, 21, 2 * 3 * 3);
    let x0 = normals(5, chips * images * values);
    for images in [1, 16, 21] {
        let mut rig = Rig::new(chips, 21);
        let x = rig.map([2, 3, 3], Scope::PerChip, &x0);
        let out = rig.result(1, Scope::Shared);
        // The other images are there, in the same blocks, but not part of the run.
        rig.args.images = 0..images;
        let mut session = rig.session_of(
            Op::from(MaxAbs {
                x,
                out,
                divisor: 7.0,
            }),
            21,
        );
        session.run(SectionId(0), &rig.args).unwrap();
        let want = (0..chips)
            .flat_map(|c| &x0[c * 21 * values..][..images * values])
            .fold(0f32, |m, v| m.max(v.abs()));
        assert_eq!(session.read(out).unwrap(), [want / 7.0]);
    }
}
