//! Networks described in JSON.
