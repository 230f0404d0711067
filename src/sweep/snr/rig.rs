//! A layer at a stage, on chips of a backend.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::matrix::Matrix;
use super::stages::{Kind, Stage, Told};
use crate::backend::{Backend, Capacity, RunArgs, Session, TensorId};
use crate::chip::ChipVariation;
use crate::chip::layer::CellLayer;
use crate::effects::CellReadNoise;
use crate::error::{Error, Result};
use crate::network::lower::cells::write_ranges;
use crate::network::lower::inference::alone::{Alone, Made, Weights, lower};
use crate::program::{LANES, Programming, SectionId, Storage, Wires};
use crate::progress::Observer;
use crate::sweep::cells::CellLevel;
use crate::tuning::cells::{CellChipTuning, CellLayerTuning};
use crate::tuning::{Tuner, correct};

/// What chips are told.
pub(super) enum Level {
    /// Weight level.
    Weight(Box<Tuner>),
    /// Cell level.
    Cell(Box<Cells>),
}

/// Most chips whose tuning is kept.
const TOLD: usize = 256;

/// The layers of a point at cell level, and what its first chips are told.
pub(super) struct Cells {
    pub level: CellLevel,
    told: Vec<CellChipTuning>,
}

impl Cells {
    /// Tunes the first `chips` chips of a seed.
    pub fn new(level: CellLevel, fab: &Fab, chips: usize) -> Self {
        let (seed, variation) = (fab.seed, &fab.variation);
        let of = |chip| level.tuner().chip(seed, chip, variation);
        Self {
            told: (0..chips.min(TOLD) as u32)
                .into_par_iter()
                .map(of)
                .collect(),
            level,
        }
    }

    /// What chips are told of a layer.
    fn told(&self, fab: &Fab, at: usize, chips: Range<u32>) -> Vec<CellLayerTuning> {
        let of = |chip: u32| match self.told.get(chip as usize) {
            Some(told) => told.layers[at].clone(),
            None => {
                let tuner = self.level.tuner();
                let mut all = tuner.chip(fab.seed, chip, &fab.variation);
                all.layers.swap_remove(at)
            }
        };
        chips.map(of).collect()
    }
}

/// Chips of an experiment.
pub(super) struct Fab<'a> {
    pub backend: &'a dyn Backend,
    pub seed: u64,
    pub variation: ChipVariation,
    pub observer: &'a dyn Observer,
    pub solved: RefCell<Solved>,
}

/// Most values of planes that are kept.
const KEPT: usize = 1 << 26;

/// What read planes behind wires depend on: cells, wires, how conductances are kept, deviations, the first chip and how many.
#[derive(PartialEq)]
struct Key {
    programming: Programming,
    wires: Option<Wires>,
    storage: Storage,
    deviates: bool,
    chips: Range<u32>,
}

impl Key {
    fn new(layer: &CellLayer, deviates: bool, chips: Range<u32>) -> Self {
        let mut programming = layer.programming.clone();
        // Noise of reads is beside the planes.
        programming.read_noise = CellReadNoise::default();
        Self {
            programming,
            wires: layer.wires.clone(),
            storage: layer.kept(),
            deviates,
            chips,
        }
    }
}

/// Read planes of chips behind wires: converters change nothing in them, and a solve takes long.
#[derive(Default)]
pub(super) struct Solved {
    planes: Vec<(Key, Vec<f32>)>,
}

impl Solved {
    /// Puts the planes of chips into a session: those that are known, else by a solve.
    fn put(
        &mut self,
        s: &mut dyn Session,
        (wires, planes): (SectionId, TensorId),
        (key, args): (Key, &RunArgs),
    ) -> Result<()> {
        if let Some((_, known)) = self.planes.iter().find(|(known, _)| *known == key) {
            return s.write(planes, known);
        }
        s.run(wires, args)?;
        let found = s.read(planes)?;
        let kept: usize = self.planes.iter().map(|(_, planes)| planes.len()).sum();
        if kept + found.len() > KEPT {
            self.planes.clear();
        }
        if found.len() <= KEPT {
            self.planes.push((key, found));
        }
        Ok(())
    }
}

/// What a layer on chips gave.
pub(super) struct Found {
    /// `[chip][vector][output]`.
    pub outputs: Vec<f32>,
    /// Conversions beyond their range.
    pub clipped: f64,
}

impl Fab<'_> {
    fn interrupted(&self) -> Result<()> {
        match self.observer.interrupted() {
            true => Err(Error::Interrupted("the analysis was interrupted".into())),
            false => Ok(()),
        }
    }

    /// What chips of a layer are told.
    pub fn told(&self, (level, at): (&Level, usize), mut chips: Range<u32>) -> Told {
        match level {
            Level::Weight(tuner) => {
                let of = |chip| tuner.chip(self.seed, chip, &self.variation).layers[at];
                Told {
                    deviates: chips.clone().any(|chip| of(chip).e != 0.0),
                    corrects: chips.any(|chip| of(chip).correction != correct::NONE),
                }
            }
            Level::Cell(cells) => {
                let deviates = |told: &CellLayerTuning| told.arrays.iter().any(|e| *e != 0.0);
                let mut each = chips.map(|chip| cells.told(self, at, chip..chip + 1));
                Told {
                    deviates: each.any(|told| told.iter().any(deviates)),
                    // The layer itself says so.
                    corrects: false,
                }
            }
        }
    }

    /// Outputs of a layer, which is at position `at` among the layers that `level` has, on chips.
    pub fn outputs(
        &self,
        matrix: &Matrix,
        stage: &Stage,
        (level, at): (&Level, usize),
        chips: Range<u32>,
    ) -> Result<Found> {
        let net = program(matrix, stage, false);
        let all = matrix.vectors.count;
        let want = Capacity {
            chips: chips.len(),
            images: all.next_multiple_of(LANES),
            chunk: all.next_multiple_of(LANES),
        };
        let fits = self.backend.fit(&net.program, want)?;
        let vectors = fits.chunk.min(fits.images);
        let mut session = self.backend.prepare(&net.program, fits)?;
        let mut found = Found {
            outputs: Vec::with_capacity(chips.len() * all * matrix.geo.c_out),
            clipped: 0.0,
        };
        self.begin(session.as_mut(), &net, matrix, stage)?;
        let mut first = chips.start;
        while first < chips.end {
            let wave = first..(first + fits.chips as u32).min(chips.end);
            self.fabricate(session.as_mut(), &net, stage, (level, at), wave.clone())?;
            let of_vector = matrix.geo.c_out;
            let mut outputs = vec![0.0; wave.len() * all * of_vector];
            for start in (0..all).step_by(vectors) {
                self.interrupted()?;
                let count = vectors.min(all - start);
                self.read(session.as_mut(), &net, matrix, wave.clone(), (start, count))?;
                let values = session.read(net.y)?;
                for (chip, values) in values.chunks_exact(count * of_vector).enumerate() {
                    let to = (chip * all + start) * of_vector;
                    outputs[to..to + values.len()].copy_from_slice(values);
                }
                if let Some(t) = net.clipped {
                    found.clipped += session.read(t)?.iter().map(|&n| f64::from(n)).sum::<f64>();
                }
            }
            found.outputs.extend(outputs);
            first = wave.end;
        }
        match found.outputs.iter().all(|y| y.is_finite()) {
            true => Ok(found),
            false => Err(Error::input(format!(
                "layer `{}`: outputs of its chips leave f32; allowed: smaller deviations (variation, chip.programming)",
                matrix.name
            ))),
        }
    }

    /// Sums in front of the converters of one chip, `[vector][read plane][column][row tile][conversion]`, for the first
    /// `count` vectors.
    pub fn sums(
        &self,
        matrix: &Matrix,
        stage: &Stage,
        of: (&Level, usize),
        (chip, count): (u32, usize),
    ) -> Result<Vec<f32>> {
        let net = program(matrix, stage, true);
        let want = Capacity {
            chips: 1,
            images: count.next_multiple_of(LANES),
            chunk: count.next_multiple_of(LANES),
        };
        let fits = self.backend.fit(&net.program, want)?;
        let vectors = fits.chunk.min(fits.images);
        let mut session = self.backend.prepare(&net.program, fits)?;
        self.begin(session.as_mut(), &net, matrix, stage)?;
        self.fabricate(session.as_mut(), &net, stage, of, chip..chip + 1)?;
        let none = || Error::Internal("a layer without sums".into());
        let tensor = net.sums.ok_or_else(none)?;
        let mut sums = vec![];
        for start in (0..count).step_by(vectors) {
            self.interrupted()?;
            let some = vectors.min(count - start);
            self.read(
                session.as_mut(),
                &net,
                matrix,
                chip..chip + 1,
                (start, some),
            )?;
            sums.extend(session.read(tensor)?);
        }
        Ok(sums)
    }

    /// Writes what all chips share.
    fn begin(
        &self,
        s: &mut dyn Session,
        net: &Alone,
        matrix: &Matrix,
        stage: &Stage,
    ) -> Result<()> {
        s.write(net.weight, &matrix.weights)?;
        s.write(net.weight_step, &matrix.steps)?;
        if let Some(step) = net.input_step {
            s.write(step, &[1.0])?;
        }
        if let (Some(tensors), Kind::Cell(layer)) = (net.cells, &stage.kind) {
            write_ranges(s, &[tensors], std::slice::from_ref(&**layer))?;
        }
        Ok(())
    }

    /// Makes chips.
    fn fabricate(
        &self,
        s: &mut dyn Session,
        net: &Alone,
        stage: &Stage,
        (level, at): (&Level, usize),
        chips: Range<u32>,
    ) -> Result<()> {
        match level {
            Level::Weight(tuner) => {
                let of = |chip| tuner.chip(self.seed, chip, &self.variation).layers[at];
                let fields = chips.clone().map(of).flat_map(|layer| {
                    let c = layer.correction;
                    match stage.tuned {
                        true => [layer.e as f32, c.gain as f32, c.offset as f32, 0.0],
                        false => [layer.e as f32, 1.0, 0.0, 0.0],
                    }
                });
                let fields: Vec<f32> = fields.collect();
                if let Some(t) = net.chip {
                    s.write(t, &fields)?;
                }
            }
            Level::Cell(cells) => {
                let told = cells.told(self, at, chips.clone());
                write_cells(s, net, &told, stage.deviates)?;
            }
        }
        let args = RunArgs::wave(self.seed, chips.start, chips.len(), 0..0);
        s.run(net.fabricate, &args)?;
        if let (Some(wires), Some(cells), Kind::Cell(layer)) = (net.wires, net.cells, &stage.kind) {
            let key = Key::new(layer, stage.deviates, chips);
            let mut solved = self.solved.borrow_mut();
            solved.put(s, (wires, cells.planes), (key, &args))?;
        }
        s.run(net.prepare, &args)
    }

    fn read(
        &self,
        s: &mut dyn Session,
        net: &Alone,
        matrix: &Matrix,
        chips: Range<u32>,
        (start, count): (usize, usize),
    ) -> Result<()> {
        let each = matrix.geo.c_in;
        s.write(net.x, &matrix.inputs[start * each..][..count * each])?;
        let args = RunArgs {
            first_image: start as u32,
            ..RunArgs::wave(self.seed, chips.start, chips.len(), 0..count)
        };
        s.run(net.read, &args)
    }
}

/// Writes what the cells of chips have in common, and how they are tuned.
fn write_cells(
    s: &mut dyn Session,
    net: &Alone,
    told: &[CellLayerTuning],
    deviates: bool,
) -> Result<()> {
    let Some(tensors) = net.cells else {
        return Err(Error::Internal("a layer on arrays without cells".into()));
    };
    let all = |of: fn(&CellLayerTuning) -> &[f32]| -> Vec<f32> {
        told.iter().flat_map(of).copied().collect()
    };
    let mut arrays = all(|chip| &chip.arrays);
    if !deviates {
        arrays.fill(0.0);
    }
    s.write(tensors.array, &arrays)?;
    if let Some(t) = tensors.correct {
        s.write(t, &all(|chip| &chip.correct))?;
    }
    if let Some(t) = tensors.scale {
        s.write(t, &all(|chip| &chip.scale))?;
    }
    Ok(())
}

/// The program of a stage.
fn program(matrix: &Matrix, stage: &Stage, sums: bool) -> Alone {
    let of = (matrix.index, &matrix.geo);
    match &stage.kind {
        Kind::Weight(noise) => lower(of, matrix.format, Made::Weight(noise), sums),
        // Codes of one step.
        Kind::Cell(layer) => {
            let format = Weights {
                steps: (1, matrix.geo.weights()),
                ..matrix.format
            };
            lower(of, format, Made::Cell(layer), sums)
        }
    }
}
