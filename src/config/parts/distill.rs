//! `{ kind = "distill" }` of `train.loss`.

use crate::config::section::section;

section! {
    /// Part `{ kind = "distill" }` of `train.loss`: the network that the stage begins with teaches it (Hinton et al.,
    /// arXiv 1503.02531). The loss is `(1 - weight)` times the cross-entropy plus `weight T^2` times the
    /// Kullback-Leibler distance of the probabilities at temperature T from the teacher's. The teacher stays as it is,
    /// unquantized and without variation, and sees the images of the step.
    pub struct Distill {
        /// The teacher's share of the loss.
        weight: f64 = 0.5, 0.0..=1.0;
        /// Temperature.
        temperature: f64 = 4.0, 0.1..=100.0;
    }
}
