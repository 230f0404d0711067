//! The configuration's words for variation as the backend's plain data.

use crate::config;
use crate::program::{Deviate, Mapping};

/// Cells per weight.
pub fn mapping(v: &config::Variation) -> Mapping {
    let g_min = v.g_min() as f32;
    match v.mapping {
        config::Mapping::Ideal => Mapping::Ideal,
        config::Mapping::Differential => Mapping::Differential { g_min },
        config::Mapping::Offset => Mapping::Offset {
            g_min,
            copies: match v.offset_reference {
                config::OffsetReference::Digital => 0,
                config::OffsetReference::Column => v.reference_copies,
            },
        },
    }
}

/// Distribution of a cell's own deviate: with a profile it is gaussian.
pub fn own_deviate(v: &config::Variation) -> Deviate {
    match v.sigma_profile == config::SigmaProfile::FLAT {
        true => deviate(v),
        false => Deviate::Gaussian,
    }
}

/// Distribution of the deviates.
pub fn deviate(v: &config::Variation) -> Deviate {
    match v.distribution {
        config::Distribution::Gaussian => Deviate::Gaussian,
        config::Distribution::Truncated => Deviate::Truncated {
            at: v.truncate_at as f32,
        },
        config::Distribution::Lognormal => Deviate::Lognormal,
    }
}
