//! The WGSL backend.
