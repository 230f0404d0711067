//! Names of nodes: those of the model, made unique and readable.

use std::collections::HashSet;

/// Gives names out once.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// A set in which the input's name is taken.
    pub fn new() -> Self {
        Self {
            taken: HashSet::from(["input".to_string()]),
        }
    }

    /// `name`, or `name_2`, `name_3`, ... if it is taken.
    pub fn unique(&mut self, name: &str) -> String {
        let mut free = name.to_string();
        let mut n = 1;
        while !self.taken.insert(free.clone()) {
            n += 1;
            free = format!("{name}_{n}");
        }
        free
    }
}

/// A model's node name for people: `/res1/res1.0/conv1/Conv` becomes `res1.0.conv1`. A path is
/// joined by dots, a part that repeats its parent's name replaces it, and the operator's name at the
/// end goes where something is left without it.
pub(super) fn readable(name: &str, op: &str, index: usize) -> String {
    let mut parts: Vec<String> = vec![];
    // PyTorch's newer exporter puts `node_` in front of its names.
    let name = name.strip_prefix("node_").unwrap_or(name);
    for part in name.split('/') {
        let clean: String = part
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "._-".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let clean = clean.trim_matches('.');
        if clean.is_empty() {
            continue;
        }
        match parts.last_mut() {
            Some(parent) if clean.starts_with(&format!("{parent}.")) => *parent = clean.to_string(),
            _ => parts.push(clean.to_string()),
        }
    }
    if parts.len() > 1 && parts.last().is_some_and(|p| p == op) {
        parts.pop();
    }
    // Names end up in tables and messages.
    let mut joined: String = parts.join(".").chars().take(120).collect();
    if joined.is_empty() {
        joined = format!("{}_{index}", op.to_ascii_lowercase());
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_names() {
        for (name, op, want) in [
            ("/conv1/Conv", "Conv", "conv1"),
            ("/res1/res1.0/conv1/Conv", "Conv", "res1.0.conv1"),
            ("/Relu_1", "Relu", "Relu_1"),
            ("/Relu", "Relu", "Relu"),
            ("node_relu_1", "Relu", "relu_1"),
            ("", "Conv", "conv_7"),
            ("///", "Conv", "conv_7"),
            (
                "StatefulPartitionedCall/a b:0",
                "Add",
                "StatefulPartitionedCall.a_b_0",
            ),
        ] {
            assert_eq!(readable(name, op, 7), want);
        }
    }

    #[test]
    fn unique_names() {
        let mut names = Names::new();
        let given: Vec<String> = ["a", "a", "input", "a_2", "a"]
            .iter()
            .map(|n| names.unique(n))
            .collect();
        assert_eq!(given, ["a", "a_2", "input_2", "a_2_2", "a_3"]);
    }
}
