//! Which addresses an operator's random numbers take, so that none leaves its word.

use super::{
    ConvGeometry, ConverterErrors, Encoding, Fabrication, Mapping, Op, Program, Programming,
    Reading, RunArgs, SectionId,
};
use crate::effects::{Draw, Effect};
use crate::error::Result;
use crate::random::{Reach, product};

/// Counts that the addresses of something are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draws {
    /// Address of the layer.
    pub layer: u32,
    /// Reach, count, and the words for what is counted.
    pub counts: Vec<(Reach, u128, &'static str)>,
}

impl Draws {
    fn new(layer: u32, counts: Vec<(Reach, u128, &'static str)>) -> Self {
        Self { layer, counts }
    }

    /// Refuses what has no address.
    ///
    /// # Errors
    /// [`crate::Error::Input`] with the layer, the count and what is allowed.
    pub fn check(&self) -> Result<()> {
        let layer = self.layer;
        Reach::Layers.check(u128::from(layer), "layers on arrays")?;
        self.counts.iter().try_for_each(|(reach, count, what)| {
            reach.check(*count, &format!("{what} of layer {layer}"))
        })
    }
}

impl Fabrication {
    /// Its addresses.
    pub fn draws(&self) -> Draws {
        let copies = match self.mapping {
            Mapping::Offset { copies, .. } => copies,
            Mapping::Ideal | Mapping::Differential { .. } => 0,
        };
        let of = |columns: u32| product(&[columns as usize, self.rows]);
        Draws::new(
            self.layer,
            vec![
                (Reach::Numbers, product(&[self.cols, self.rows]), "weights"),
                (Reach::Numbers, of(copies), "reference cells"),
                (
                    Reach::Numbers,
                    of(self.reference_columns),
                    "cells of reference columns",
                ),
            ],
        )
    }
}

impl Programming {
    /// Its addresses.
    pub fn draws(&self) -> Draws {
        let a = &self.arrays;
        let copies = match a.encoding {
            Encoding::Offset { reference } => reference,
            Encoding::Differential { .. } => 0,
        };
        let of =
            |columns: u32| product(&[a.cell_planes(), a.col_tiles(), columns as usize, a.rows]);
        let lines = self.effects.all().flat_map(Effect::lines);
        let lines = lines.map(|line| {
            let (n, what) = match line {
                Draw::Rows => (a.rows, "rows of all arrays"),
                Draw::Columns => (a.cols, "columns of all arrays"),
            };
            (Reach::Numbers, product(&[a.cell_arrays(), n]), what)
        });
        let cells = product(&[a.cell_planes(), a.cols, a.rows]);
        let mut counts = vec![
            (Reach::Numbers, cells, "cells"),
            (Reach::Numbers, of(copies), "reference cells"),
            (
                Reach::Numbers,
                of(self.reference_columns),
                "cells of reference columns",
            ),
            (Reach::Numbers, a.cell_arrays() as u128, "arrays"),
        ];
        counts.extend(lines);
        Draws::new(self.layer, counts)
    }
}

impl ConverterErrors {
    /// Its addresses.
    pub fn draws(&self) -> Draws {
        let a = &self.arrays;
        let n = match self.gain > 0.0 || self.offset > 0.0 {
            true => product(&[a.row_tiles(), a.read_planes(), self.groups()]),
            false => 0,
        };
        Draws::new(self.layer, vec![(Reach::Numbers, n, "converters")])
    }
}

impl Reading {
    /// Whether every conversion draws numbers of its own; `reads` says whether cells' reads are noisy.
    pub fn draws_by_image(&self, reads: bool) -> bool {
        reads
            || self
                .adc
                .as_ref()
                .is_some_and(|adc| adc.effects.deviates() > 0)
    }

    /// Thermal noise of the converters, in codes, that is part of the read noise's deviate
    /// ([`sum_noise`](crate::effects::sum_noise)): where that is drawn once a conversion.
    pub fn noise_with_reads(&self, reads: bool) -> Option<f32> {
        let adc = self.adc.as_ref().filter(|_| reads && !self.noise_per_cell);
        adc.and_then(|adc| adc.effects.first_noise())
    }

    /// Its addresses in one image of a map of this geometry.
    pub fn draws(&self, geo: &ConvGeometry, reads: bool) -> Draws {
        let a = &self.arrays;
        if !self.draws_by_image(reads) {
            return Draws::new(self.layer, vec![]);
        }
        let rows = match reads && self.noise_per_cell {
            true => a.rows,
            false => 0,
        };
        let deviates = product(&[
            a.read_planes(),
            a.row_tiles(),
            self.dac.conversions(),
            geo.h_out(),
            geo.w_out(),
            a.cols.next_multiple_of(4),
        ]);
        Draws::new(
            self.layer,
            vec![
                (
                    Reach::Numbers,
                    deviates,
                    "noisy conversions of an image (read planes x row tiles x steps x pixels x columns, \
                     fours of these)",
                ),
                (
                    Reach::Rows,
                    rows as u128,
                    "rows whose cells are noisy one by one",
                ),
            ],
        )
    }
}

impl Program {
    /// Refuses more images than noise has addresses for, where there is noise: before anything is run.
    ///
    /// # Errors
    /// [`crate::Error::Input`] with the count and what is allowed.
    pub fn check_images(&self, images: usize) -> Result<()> {
        let mut ops = self.sections.iter().flat_map(|s| &s.ops);
        match ops.any(Op::draws_by_image) {
            true => images_reach(images as u128),
            false => Ok(()),
        }
    }

    /// Refuses a run whose chips or images have no addresses.
    ///
    /// # Errors
    /// [`crate::Error::Input`] with the count and what is allowed.
    pub fn check_run(&self, section: SectionId, args: &RunArgs) -> Result<()> {
        let chips = args.first_chip as u128 + args.chips as u128;
        Reach::Chips.check(chips, "chips")?;
        match self.sections[section.0].ops.iter().any(Op::draws_by_image) {
            true => images_reach(args.first_image as u128 + args.images.end as u128),
            false => Ok(()),
        }
    }
}

fn images_reach(count: u128) -> Result<()> {
    Reach::Images.check(count, "images that are read with noise")
}

#[cfg(test)]
mod tests {
    use super::super::*;

    fn arrays(rows: usize, cols: usize, encoding: Encoding) -> Arrays {
        Arrays {
            cols,
            rows,
            tile_rows: [0, rows as u32].into(),
            tile_cols: [0, cols as u32].into(),
            slice_bits: [4].into(),
            equal_slices: 1,
            weight_bits: 4,
            encoding,
            g_min: 0.0,
            levels: None,
        }
    }

    fn programming(arrays: Arrays) -> Programming {
        Programming::ideal(arrays, 1)
    }

    #[test]
    fn cells_and_lines_beyond_an_address_are_refused_by_name() {
        let pair = Encoding::Differential {
            two_sided: false,
            digital: false,
        };
        let most = programming(arrays(1 << 16, 1 << 15, pair));
        most.draws().check().unwrap();
        let refused = |change: fn(&mut Programming), what: &str| {
            let mut spec = most.clone();
            change(&mut spec);
            let text = spec.draws().check().unwrap_err().to_string();
            assert!(text.contains(what) && text.contains("of layer"), "{text}");
        };
        refused(
            |p| p.arrays = arrays(1 << 16, (1 << 15) + 1, p.arrays.encoding),
            "4295098368 cells",
        );
        refused(
            |p| p.reference_columns = 1 << 16,
            "8589934592 cells of reference columns",
        );
        refused(
            |p| {
                let cuts: Vec<u32> = (0..=1 << 16).collect();
                p.arrays.tile_rows = cuts.into();
                p.effects.open_lines.row = 0.1;
            },
            "8589934592 rows of all arrays",
        );
        refused(
            |p| {
                p.arrays = arrays(1 << 20, 4, Encoding::Offset { reference: 4097 });
            },
            "4296015872 reference cells",
        );
        let mut late = most.clone();
        late.layer = 4096;
        let text = late.draws().check().unwrap_err().to_string();
        assert!(
            text.starts_with("4096 layers on arrays") && text.ends_with("at most 4095"),
            "{text}"
        );
    }

    #[test]
    fn conversions_rows_and_images_beyond_an_address_are_refused_where_there_is_noise() {
        let pair = Encoding::Differential {
            two_sided: false,
            digital: false,
        };
        let reading = |rows, cols, per_cell| Reading {
            arrays: arrays(rows, cols, pair),
            dac: Dac {
                input_bits: 8,
                dac_bits: 1,
                signs: None,
                table: None,
                analog_sum: false,
            },
            adc: None,
            noise_per_cell: per_cell,
            integer: false,
            exact: false,
            layer: 7,
        };
        let geo = |rows, cols, side| ConvGeometry {
            h_in: side,
            w_in: side,
            ..ConvGeometry::linear(rows, cols)
        };
        let many = reading(1, 1 << 15, false);
        let (fits, not) = (geo(1, 1 << 15, 128), geo(1, 1 << 15, 129));
        many.draws(&fits, true).check().unwrap();
        let text = many.draws(&not, true).check().unwrap_err().to_string();
        assert!(text.contains("4362338304 noisy conversions"), "{text}");
        many.draws(&not, false).check().unwrap();
        let tall = reading((1 << 20) + 1, 1, true);
        let linear = geo((1 << 20) + 1, 1, 1);
        let text = tall.draws(&linear, true).check().unwrap_err().to_string();
        assert!(text.contains("1048577 rows"), "{text}");
        tall.draws(&linear, false).check().unwrap();
        reading((1 << 20) + 1, 1, false)
            .draws(&linear, true)
            .check()
            .unwrap();
    }
}
