//! One fabricated chip: what it answers to any images, and what its layers hold.
//!
//! A sweep asks a chip for hits and losses only. Who evaluates networks by other means, detection or language for
//! instance, needs its outputs, and who looks into a chip its weights.

use super::{Layout, Level, Simulator, layout};
use crate::backend::{Backend, RunArgs};
use crate::error::{Error, Result};
use crate::network::graph::Layer;
use crate::program::{LANES, TensorId};
use crate::setup::{Images, Point};
use crate::sweep::cells::CellLevel;
use crate::train::Model;

/// What the array of a layer holds on a chip.
#[derive(Debug, Clone, PartialEq)]
pub struct ChipLayer {
    /// Name of the layer.
    pub name: String,
    /// Whether `values` are the conductances of read planes in levels, `[plane][output][input]`, and not weights
    /// `[output][input][row][column]`.
    pub planes: bool,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

/// A chip of a point, fabricated and tuned. It owns what it needs.
///
/// # Examples
/// ```
/// use pimento::backend::cpu::CpuBackend;
/// use pimento::config::Experiment;
/// use pimento::{data::Embedded, setup, sweep};
///
/// # fn main() -> pimento::Result<()> {
/// let experiment = Experiment::parse(
///     "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [8]\n\
///      [train]\nepochs = 1\n[variation]\nsigma_w = 0.1\n",
///     "example",
/// )?;
/// let data = Embedded::Digits8x8.load()?;
/// let mut chip = sweep::fabricated(&CpuBackend::new(), &experiment, &data, (0, 3), None, &())?;
/// let images = setup::point(&experiment, &data, 0)?.test_images()?;
/// let (pixels, _) = images.range(&(0..5));
/// assert_eq!(chip.logits(pixels, 0)?.len(), 5 * 10);
/// assert_eq!(chip.layers()?.len(), 2);
/// # Ok(())
/// # }
/// ```
pub struct OneChip {
    simulator: Simulator,
    chip: u32,
    logits: TensorId,
    /// Layers on arrays: name, sizes of their weights.
    layers: Vec<(String, [usize; 4])>,
    /// Channels, rows and columns of an image.
    image: (usize, usize, usize),
    constants: Vec<(f64, f64)>,
}

impl OneChip {
    /// Fabricates chip `chip` of a point; `images` says for how many images room is made.
    ///
    /// # Errors
    /// An impossible chip; what does not fit the backend; the device.
    pub fn new(
        backend: &dyn Backend,
        point: &Point,
        model: &Model,
        images: &Images,
        chip: u32,
    ) -> Result<Self> {
        let point = &point.with_one_chip();
        let chips = point.chips()?;
        let level = match point.experiment().fidelity {
            crate::config::Fidelity::Weight => layout::weight_level(point, &chips),
            crate::config::Fidelity::Cell => {
                Level::Cell(Box::new(CellLevel::new(point, model, &chips)?))
            }
        };
        let norm = layout::norm(point.experiment());
        let of = (&model.graph, &model.numerics);
        let layout = Layout::new(
            backend,
            point.experiment(),
            of,
            images.len(),
            (&level, norm),
            true,
        )?;
        let mut simulator = Simulator::of(
            backend,
            point.experiment(),
            model,
            images,
            (level, layout),
            chips,
        )?;
        simulator.write_calibration(&point.inputs)?;
        let logits = simulator.inference.logits;
        let logits = logits.ok_or_else(|| Error::Internal("a program without logits".into()))?;
        let nodes = &model.graph.nodes;
        let layers = nodes.iter().filter_map(|node| match &node.layer {
            Layer::Conv { geo, .. } => {
                let sizes = [geo.c_out, geo.c_in / geo.groups, geo.kh, geo.kw];
                Some((node.name.clone(), sizes))
            }
            _ => None,
        });
        let mut one = Self {
            logits,
            chip,
            layers: layers.collect(),
            image: nodes[0].shape,
            constants: point.inputs.normalise.constants().to_vec(),
            simulator,
        };
        one.fabricate()?;
        Ok(one)
    }

    fn fabricate(&mut self) -> Result<()> {
        let s = &mut self.simulator;
        s.begin(&(self.chip..self.chip + 1))?;
        let args = RunArgs::wave(s.seed, self.chip, 1, 0..0);
        s.session.run(s.inference.fabricate, &args)?;
        s.adapt_norms(&args)
    }

    /// Channels, rows and columns of an image.
    pub fn image(&self) -> (usize, usize, usize) {
        self.image
    }

    /// Mean and standard deviation that images are normalised with, by channel.
    pub fn constants(&self) -> &[(f64, f64)] {
        &self.constants
    }

    /// Outputs `[image][class]` of normalised images `[image][c][h][w]`. `first` is the number of the first image: noise
    /// of reads is that of its number. Images come in blocks, so it is a multiple of [`LANES`].
    ///
    /// # Errors
    /// Values that do not make whole images or are not finite; a first image that does not begin a block; the device.
    pub fn logits(&mut self, images: &[f32], first: u32) -> Result<Vec<f32>> {
        let (c, h, w) = self.image;
        let each = c * h * w;
        if !images.len().is_multiple_of(each) || !first.is_multiple_of(LANES as u32) {
            return Err(Error::input(format!(
                "{} values from image {first} on; allowed: images of {each} values, from a multiple of {LANES} on",
                images.len()
            )));
        }
        if let Some(at) = images.iter().position(|x| !x.is_finite()) {
            return Err(Error::input(format!(
                "value {} of image {} is {}; allowed: finite numbers",
                at % each,
                at / each,
                images[at]
            )));
        }
        let s = &mut self.simulator;
        // What a run takes at once, in whole blocks.
        let chunk = s.capacity.chunk.min(s.capacity.images);
        let chunk = (chunk / LANES * LANES).max(1);
        let mut out = Vec::with_capacity(images.len() / each);
        let mut at = first;
        for part in images.chunks(chunk * each) {
            let n = part.len() / each;
            s.session.write(s.inference.images, part)?;
            // Nobody asks for hits here; every label is allowed.
            s.session.write(s.inference.labels, &vec![0.0; n])?;
            let args = RunArgs {
                first_image: at,
                ..RunArgs::wave(s.seed, self.chip, 1, 0..n)
            };
            s.session.run(s.inference.evaluate, &args)?;
            out.extend(s.session.read(self.logits)?);
            at = at.saturating_add(n as u32);
        }
        Ok(out)
    }

    /// What the layers on arrays hold, in the order of the network: effective weights where a layer is evaluated
    /// with them, else conductances of its read planes.
    ///
    /// # Errors
    /// The device.
    pub fn layers(&mut self) -> Result<Vec<ChipLayer>> {
        let s = &mut self.simulator;
        let mut found = Vec::new();
        for (name, sizes) in &self.layers {
            let tensor = |what: &str| s.inference.program.find(&format!("{name}.{what}"));
            let (planes, tensor) = match (tensor("effective"), tensor("planes")) {
                (Some(weights), _) => (false, weights),
                (None, Some(planes)) => (true, planes),
                (None, None) => continue,
            };
            let values = s.session.read(tensor)?;
            let [outputs, inputs, rows, columns] = *sizes;
            let shape = match planes {
                true => {
                    let rows = inputs * rows * columns;
                    vec![values.len() / (outputs * rows).max(1), outputs, rows]
                }
                false => vec![outputs, inputs, rows, columns],
            };
            found.push(ChipLayer {
                name: name.clone(),
                planes,
                shape,
                values,
            });
        }
        Ok(found)
    }
}
