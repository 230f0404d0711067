//! Energy, time and area of converters, by the models that a technology lists (`config::technology` has the equations).

use super::scaling;
use crate::config::Technology;
use crate::config::technology::{Class, ConverterLaw};

/// One way to use a converter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Use {
    /// Its resolution.
    pub bits: u32,
    /// Rows of the columns that it converts.
    pub rows: usize,
    /// Conversions in a second.
    pub rate: f64,
    /// Input steps of one bit that are added up before a conversion; `None` where steps are converted one by one or
    /// have several bits.
    pub integrated: Option<usize>,
}

/// What a model says of a converter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Converter {
    /// The model.
    pub law: ConverterLaw,
    /// What its constants are.
    pub class: Class,
    /// Energy of a conversion.
    pub energy_pj: f64,
    /// Area of a converter.
    pub area_um2: f64,
    /// Time of a conversion.
    pub time_ns: f64,
    /// Whether this time holds that of driving the rows.
    pub drives: bool,
}

/// What a model says, `None` where it knows nothing.
pub fn by(law: ConverterLaw, technology: &Technology, node_nm: f64, of: &Use) -> Option<Converter> {
    if of.bits == 0 {
        return None;
    }
    match law {
        ConverterLaw::Survey => survey(technology, node_nm, of),
        ConverterLaw::Charge => Some(charge(technology, node_nm, of)),
        ConverterLaw::Table => table(technology, node_nm, of),
        ConverterLaw::Integrating => integrating(technology, node_nm, of),
    }
}

/// What all models of a technology say that know such a converter.
pub fn all(technology: &Technology, node_nm: f64, of: &Use) -> Vec<Converter> {
    let laws = technology.converters.iter();
    laws.filter_map(|law| by(*law, technology, node_nm, of))
        .collect()
}

/// Fewest bits of the survey's regression.
pub const SURVEY_BITS: u32 = 4;

fn survey(technology: &Technology, node_nm: f64, of: &Use) -> Option<Converter> {
    if of.bits < SURVEY_BITS {
        return None;
    }
    let s = &technology.survey;
    let (bits, ln_rate) = (f64::from(of.bits), of.rate.ln());
    let by_rate = s.rate_db + s.rate_db_slope * ln_rate;
    let by_bits = s.bits_db + s.bits_db_slope * bits;
    let merit = by_rate.min(by_bits);
    let sndr = 20.0 * bits * 2f64.log10() + 10.0 * 1.5f64.log10();
    let ln = s.ln_energy + s.ln_energy_node * node_nm.ln() + s.ln_energy_bits * bits.ln();
    let energy_pj = (ln + s.ln_energy_best).exp() / (2.0 * 10f64.powf((merit - sndr) / 10.0));
    let ln = s.ln_area + s.ln_area_node * node_nm.ln() + s.ln_area_rate * ln_rate;
    Some(Converter {
        law: ConverterLaw::Survey,
        class: s.class,
        energy_pj,
        area_um2: (ln + s.ln_area_energy * energy_pj.ln()).exp(),
        time_ns: 1e9 / of.rate,
        drives: false,
    })
}

fn charge(technology: &Technology, node_nm: f64, of: &Use) -> Converter {
    let c = &technology.charge;
    let bits = f64::from(of.bits);
    let capacitance_ff = c.linear_ff * bits + 1e-3 * c.exponential_af * 4f64.powf(bits);
    let area = 10f64.powf(c.log10_area + c.log10_area_bits * bits) * 2f64.powf(bits);
    Converter {
        law: ConverterLaw::Charge,
        class: c.class,
        energy_pj: 1e-3 * capacitance_ff * c.vdd_v.powi(2) * scaling::energy(c.node_nm, node_nm),
        area_um2: area * scaling::area(c.node_nm, node_nm),
        time_ns: bits * (c.time_ns + c.time_ns_per_row * of.rows as f64),
        drives: false,
    }
}

fn table(technology: &Technology, node_nm: f64, of: &Use) -> Option<Converter> {
    let t = &technology.table;
    let at = t.bits.iter().position(|bits| *bits == of.bits)?;
    Some(Converter {
        law: ConverterLaw::Table,
        class: t.class,
        energy_pj: t.energy_pj[at] * scaling::energy(t.node_nm, node_nm),
        area_um2: t.area_um2[at] * scaling::area(t.node_nm, node_nm),
        time_ns: t.time_ns[at],
        drives: false,
    })
}

/// Steps of every phase.
fn phases(steps: usize, most: usize) -> Vec<usize> {
    match steps <= most {
        true => vec![steps],
        false => vec![steps.div_ceil(2), steps / 2],
    }
}

fn integrating(technology: &Technology, node_nm: f64, of: &Use) -> Option<Converter> {
    let n = &technology.integrating;
    let steps = of.integrated?;
    let phases = phases(steps, n.phase_steps as usize);
    let integrations: f64 = phases.iter().map(|p| 2f64.powi(*p as i32) - 1.0).sum();
    let (mut compared, mut done) = (0.0, 0);
    for phase in &phases {
        compared += (of.bits as usize)
            .checked_sub(done)
            .filter(|left| *left > 0)? as f64;
        done += phase;
    }
    let energy_pj = n.sample_pj * steps as f64
        + n.integrate_pj * integrations
        + (n.compare_pj + n.shift_pj) * compared;
    let time_us =
        n.integrate_us * integrations + n.compare_us * compared + n.phase_us * phases.len() as f64;
    Some(Converter {
        law: ConverterLaw::Integrating,
        class: n.class,
        energy_pj: energy_pj * scaling::energy(n.node_nm, node_nm),
        area_um2: n.area_um2 * scaling::area(n.node_nm, node_nm),
        time_ns: 1e3 * time_us,
        drives: true,
    })
}
