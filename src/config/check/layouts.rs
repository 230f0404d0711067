//! What contradicts a layout of trained layers in their arrays.

use crate::config::chip::{CellEncoding, Compact, Split};
use crate::config::{Experiment, Fidelity, TuningMethod};
use crate::effects::Fill;
use crate::program::Storage;

const FIELDS: &[&str] = &["chip.array.rearrange", "chip.array.compact", "chip.array"];
const COMPACT: &[&str] = &["chip.array.compact", "chip.array"];

/// Calls `add` with the fields and the message of every contradiction.
pub(super) fn problems(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let array = &e.chip.array;
    if !array.lays_out() {
        return;
    }
    if e.fidelity == Fidelity::Weight {
        add(
            FIELDS,
            "there are no arrays at fidelity \"weight\" in which columns could lie otherwise; allowed: \"none\", or \
             fidelity \"cell\""
                .into(),
        );
        return;
    }
    let method = e.tuning.method;
    if !(method == TuningMethod::None || method.adapts_norms()) {
        add(
            &[
                "chip.array.rearrange",
                "chip.array.compact",
                "tuning.method",
            ],
            format!(
                "\"{method}\" corrects arrays whose columns lie as in the layer; allowed with another layout: tuning.method \
                 \"none\", \"bn-recalibration\", \"bn-training\""
            ),
        );
    }
    let cells = &e.chip.cells;
    if cells.fill != Fill::Digits {
        add(
            FIELDS,
            format!(
                "chip.cells.fill = \"{}\" leaves a weight no conductances that are known before it is programmed; allowed: \
                 \"none\", or chip.cells.fill = \"digits\"",
                cells.fill
            ),
        );
    }
    if cells.storage != Storage::F32 {
        add(
            FIELDS,
            format!(
                "chip.cells.storage = \"{}\" is not simulated with another layout; allowed: \"none\", or \
                 chip.cells.storage = \"f32\"",
                cells.storage
            ),
        );
    }
    compaction(e, add);
}

/// What is left out can be left out.
fn compaction(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let (array, cells) = (&e.chip.array, &e.chip.cells);
    let compact = array.compact;
    if compact == Compact::No {
        return;
    }
    if array.split != Split::Filled {
        add(
            COMPACT,
            format!(
                "\"{compact}\" fills arrays, and chip.array.split = \"{}\" does not; allowed: \"none\", or \
                 chip.array.split = \"filled\"",
                array.split
            ),
        );
    }
    if cells.encoding == CellEncoding::Offset || cells.two_sided {
        add(
            COMPACT,
            "a weight of 0 is no cell at its lowest level here, and to leave it out changes sums; allowed: \"none\", or \
             chip.cells.encoding = \"differential\" with two_sided = false"
                .into(),
        );
    }
    if e.energy.is_some() {
        add(
            &["chip.array.compact", "energy"],
            format!(
                "\"{compact}\" leaves arrays out, and [energy] counts those of whole matrices; allowed: \"none\", or no \
                 section [energy]"
            ),
        );
    }
    if e.chip.adc.converts() && matches!(compact, Compact::Rows | Compact::Smaller) {
        add(
            COMPACT,
            format!(
                "\"{compact}\" moves rows to other converters, which is not simulated; allowed: \"none\", \"columns\", or \
                 chip.adc.bits = 0"
            ),
        );
    }
}
