//! The rows of an analysis. Every number is declared once; docs/columns.md lists them.

use serde::Serialize;

use crate::column::{Field, MARKDOWN_HEAD, columns};

columns! {
    /// A layer on arrays.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct LayerRow {
        /// Position among the layers on crossbars, digital ones included, from 0.
        index: usize, whole;
        /// Rows of the layer's matrix: inputs that are summed into an output.
        rows: usize, whole;
        /// Columns of the layer's matrix: outputs of all channel groups.
        columns: usize, whole;
        /// Weights of the layer, zeros included.
        weights: u64, whole;
        /// Weights whose code is not 0.
        non_zero_weights: u64, whole;
        /// Arrays of a tile: one for every slice and polarity.
        planes: usize, whole;
        /// Tiles that the matrix is cut into.
        tiles: usize, whole;
        /// Tiles whose weights are all 0.
        zero_tiles: usize, whole, "", higher;
        /// Tiles that are left when n x 1 column segments without a weight are dropped and what is left of each row of tiles is
        /// packed into as few as hold it.
        tiles_by_columns: usize, whole, "", lower;
        /// Tiles that are left when 1 x n row segments without a weight are dropped and what is left of each column of tiles is
        /// packed into as few as hold it.
        tiles_by_rows: usize, whole, "", lower;
        /// Tiles after compaction: the smaller one of `tiles_by_columns` and `tiles_by_rows`, as a layer is compacted one way.
        tiles_after: usize, whole, "", lower;
        /// Crossbar compression rate `tiles / tiles_after`; empty where no tile is left.
        compression: f64, optional, "", higher;
        /// Tiles that the layer fills as the experiment lays it out (`chip.array.rearrange`, `chip.array.compact`).
        tiles_laid: usize, whole, "", lower;
        /// Non-ideality factor of the layer: mean over its currents and over the chips of `|I_ideal - I| / |I_ideal|`. Empty
        /// without chips, and where no current flows.
        nf: f64, optional, "", lower;
        /// Standard deviation of the layer's factor over the chips; empty of fewer than two.
        nf_std: f64, optional, "", lower;
        /// Sum of `|I_ideal - I|` over sum of `|I_ideal|`, mean over the chips: the error with large currents counting more.
        nf_weighted: f64, optional, "", lower;
        =>
        /// Name of the layer.
        name: String;
        /// Cells by slice and polarity.
        cells: Vec<CellRow>;
        /// What converters see, by slice and, where polarities are converted by themselves, polarity.
        reads: Vec<ReadRow>;
        /// Single arrays.
        arrays: Vec<ArrayRow>;
    }
}

columns! {
    /// The cells of a slice and polarity of a layer (`plane` says which), and the sums of their columns. Of sums of both signs
    /// quantiles, mean and maximum are those of the magnitude.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct CellRow {
        /// Slice, from 0, the least significant one.
        slice: usize, whole;
        /// Bits of a cell of this slice.
        bits: usize, whole, "bits";
        /// Cells that hold digits of weights.
        cells: u64, whole;
        /// Cells whose digit is not 0.
        non_zero: u64, whole, "", lower;
        /// Share of non-zero digits `non_zero / cells`.
        share: f64, real, "", lower;
        /// Arrays of this slice and polarity.
        arrays: usize, whole;
        /// Arrays after compaction of this slice and polarity by itself, by its own zero digits; see `tiles_after`.
        arrays_after: usize, whole, "", lower;
        /// Column sums that were counted.
        sums: u64, whole;
        /// Column sums that are 0.
        zero_sums: u64, whole;
        /// Smallest sum that was counted.
        lowest: f64, real, "levels";
        /// Largest sum that was counted.
        highest: f64, real, "levels";
        /// Mean magnitude of the sums.
        mean: f64, real, "levels";
        /// Median of the magnitudes: the smallest one that at least half of all sums do not exceed.
        q50: f64, real, "levels";
        /// 90 % quantile of the magnitudes, likewise.
        q90: f64, real, "levels";
        /// 99 % quantile of the magnitudes.
        q99: f64, real, "levels";
        /// 99.9 % quantile of the magnitudes.
        q999: f64, real, "levels";
        /// 99.99 % quantile of the magnitudes.
        q9999: f64, real, "levels";
        /// Largest magnitude of a sum.
        max: f64, real, "levels";
        =>
        /// `positive` and `negative` cells of pairs, or `offset` cells.
        plane: String;
    }
}

columns! {
    /// What the converters of a slice of a layer see on a nominal chip with ideal wires: sums in steps of one level (half a level
    /// where both cells of a pair move and are converted by themselves), rounded to the nearest step as a converter does.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct ReadRow {
        /// Slice, from 0, the least significant one.
        slice: usize, whole;
        /// 1 where sums have both signs, so that a converter needs a bit for the sign; else 0.
        signs: usize, whole, "bits";
        /// Sums that were counted.
        sums: u64, whole;
        /// Sums among them that are 0.
        zero_sums: u64, whole;
        /// Mean magnitude of the sums.
        mean: f64, real, "steps";
        /// 99 % quantile of the magnitudes: the smallest one that at least 99 % of all sums do not exceed.
        q99: u64, whole, "steps";
        /// 99.9 % quantile of the magnitudes.
        q999: u64, whole, "steps";
        /// 99.99 % quantile of the magnitudes.
        q9999: u64, whole, "steps";
        /// Largest magnitude of a sum.
        max: u64, whole, "steps";
        /// Bits of a converter that clips no sum that was counted: those of `max`, and of the sign.
        bits_max: usize, whole, "bits", lower;
        /// Bits with which at most 0.01 % of the sums clip.
        bits_q9999: usize, whole, "bits", lower;
        /// Bits with which at most 0.1 % of the sums clip.
        bits_q999: usize, whole, "bits", lower;
        /// Bits with which at most 1 % of the sums clip.
        bits_q99: usize, whole, "bits", lower;
        /// Bits that no weights and inputs of this chip could exceed: all digits and all drives at their highest.
        bits_possible: usize, whole, "bits";
        =>
        /// `difference` of a pair before its converter, `positive`, `negative` or `offset` cells by themselves, or offset cells `less
        /// reference`.
        plane: String;
        /// Sums whose magnitude does not fit 0, 1, 2, .. bits (without the sign's), up to the first 0.
        beyond: Vec<u64>;
    }
}

columns! {
    /// One array: a tile of a layer, in a slice and polarity (`plane`).
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct ArrayRow {
        /// Number of the row tile, from 0.
        row_tile: usize, whole;
        /// Number of the column tile, from 0.
        column_tile: usize, whole;
        /// Slice, from 0, the least significant one.
        slice: usize, whole;
        /// Rows of the tile, and of the array.
        rows: usize, whole;
        /// Columns of the tile, and of the array.
        columns: usize, whole;
        /// Cells whose digit is not 0.
        non_zero: u64, whole, "", lower;
        /// Share of non-zero digits, 0 to 1.
        density: f64, real, "", lower;
        /// Currents on each chip that the factor is a mean of.
        currents: u64, whole;
        /// Currents on each chip that are ideally 0, and therefore left out.
        zero_currents: u64, whole;
        /// Non-ideality factor of the array, mean over the chips; empty without chips, and where no current flows.
        nf: f64, optional, "", lower;
        /// Standard deviation of the factor over the chips; empty of fewer than two.
        nf_std: f64, optional, "", lower;
        /// Smallest factor of a chip.
        nf_min: f64, optional, "", lower;
        /// Largest factor of a chip.
        nf_max: f64, optional, "", lower;
        /// Sum of `|I_ideal - I|` over sum of `|I_ideal|`, mean over the chips.
        nf_weighted: f64, optional, "", lower;
        =>
        /// `positive`, `negative` or `offset`.
        plane: String;
    }
}

columns! {
    /// A slice of all layers that have it, polarities together.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct SliceRow {
        /// Slice, from 0, the least significant one.
        slice: usize, whole;
        /// Layers on arrays that have this slice.
        layers: usize, whole;
        /// Cells that hold digits of weights.
        cells: u64, whole;
        /// Cells whose digit is not 0.
        non_zero: u64, whole, "", lower;
        /// Share of non-zero digits, 0 to 1.
        share: f64, real, "", lower;
        /// Sums in front of converters that were counted.
        sums: u64, whole;
        /// Bits with which no sum of any layer clips.
        bits_max: usize, whole, "bits", lower;
        /// Bits with which at most 0.01 % of the sums of every layer clip.
        bits_q9999: usize, whole, "bits", lower;
        /// Bits with which at most 0.1 % of the sums of every layer clip.
        bits_q999: usize, whole, "bits", lower;
        /// Bits with which at most 1 % of the sums of every layer clip.
        bits_q99: usize, whole, "bits", lower;
        =>
        /// Sums whose magnitude does not fit 0, 1, 2, .. bits (without the sign's), up to the first 0.
        beyond: Vec<u64>;
    }
}

columns! {
    /// The network with converters of a kind, on a nominal chip. The first row has full converters, which clip nothing.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct AccuracyRow {
        /// Correctly classified images.
        correct: u64, whole, "images", higher;
        /// Test images that were classified.
        images: u64, whole, "images";
        /// `correct / images`, 0 to 1.
        accuracy: f64, real, "", higher;
        /// Lower end of its 95 % interval (Wilson) for images alike.
        accuracy_lo95: f64, real, "", higher;
        /// Upper end of that interval.
        accuracy_hi95: f64, real, "", higher;
        /// Images that these converters lose: right with full converters, wrong with these.
        lost: u64, whole, "images", lower;
        /// Images that these converters win.
        won: u64, whole, "images", higher;
        /// Accuracy less that with full converters, on the same images.
        difference: f64, real, "", higher;
        /// Lower end of its 95 % interval (Tango's score interval of paired proportions).
        difference_lo95: f64, real, "", higher;
        /// Upper end of that interval.
        difference_hi95: f64, real, "", higher;
        =>
        /// `full`, `max`, or the quantile whose bits they have: `q9999`, `q999`, `q99`.
        converters: String;
        /// Bits by layer on arrays and slice, with the sign's; 0 where sums are not converted.
        bits: Vec<Vec<usize>>;
    }
}

/// Images of a test set that were looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Looked {
    /// How many, the first ones of `sweep.images`: one of every class in turn.
    pub images: usize,
    /// Of how many.
    pub of: usize,
}

/// Sums over all layers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Totals {
    /// Cells that hold digits of weights.
    pub cells: u64,
    /// Cells whose digit is not 0.
    pub non_zero: u64,
    /// Share of non-zero digits, 0 to 1.
    pub share: f64,
    /// Arrays: tiles times slices and polarities.
    pub arrays: usize,
    /// Arrays after compaction.
    pub arrays_after: usize,
    /// `arrays / arrays_after`; not finite where none is left.
    pub compression: f64,
    /// Non-ideality factor: mean over all currents and chips.
    pub nf: f64,
    /// Standard deviation over the chips.
    pub nf_std: f64,
}

/// An analysis of a network on arrays.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of Pimento.
    pub pimento: String,
    /// Name of the experiment.
    pub experiment: String,
    /// Its title.
    pub title: String,
    /// The point, in words.
    pub point: String,
    /// What was analysed: the path that was named.
    pub source: String,
    /// Seed of the chips.
    pub seed: u64,
    /// Images whose sums were counted.
    pub sums: Looked,
    /// Chips whose currents were compared with ideal ones: the first ones of a sweep.
    pub chips: usize,
    /// Images whose currents were compared.
    pub currents: Looked,
    /// Slices over all layers.
    pub slices: Vec<SliceRow>,
    /// Layers on arrays.
    pub layers: Vec<LayerRow>,
    /// Names of the layers that are executed digitally.
    pub digital_layers: Vec<String>,
    /// Everything together.
    pub total: Totals,
    /// Accuracy with converters as the sums demand, where it was asked for.
    pub accuracy: Option<Vec<AccuracyRow>>,
    /// Name of the adapter or processor.
    pub adapter: String,
    /// The command line.
    pub command: String,
    /// The configuration as TOML.
    #[serde(skip)]
    pub config_toml: String,
}

/// Tables of docs/columns.md.
pub(in crate::sweep) fn markdown() -> String {
    fn table<R>(head: &str, fields: &[Field<R>]) -> String {
        let rows: String = fields.iter().map(|f| f.column.markdown()).collect();
        format!("\n{head}\n\n{MARKDOWN_HEAD}{rows}")
    }
    table("`slices`, of every slice of all layers:", SliceRow::FIELDS)
        + &table("`layers`, of every layer on arrays:", LayerRow::FIELDS)
        + &table(
            "`cells` of a layer, of every slice and polarity (`plane`):",
            CellRow::FIELDS,
        )
        + &table(
            "`reads` of a layer, of what every set of converters sees (`plane`):",
            ReadRow::FIELDS,
        )
        + &table("`arrays` of a layer:", ArrayRow::FIELDS)
        + &table(
            "`accuracy`, of every kind of converters:",
            AccuracyRow::FIELDS,
        )
}
