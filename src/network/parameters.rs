//! Named parameter tensors: initialisation, and safetensors files that carry their configuration.

use std::collections::BTreeMap;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use super::graph::{Graph, Layer};
use super::lower::{StateTensor, layer_address};
use super::seal;
use super::state::Part;
use crate::backend::Session;
use crate::error::{Error, Result, escaped};
use crate::random::{self, Purpose, Stream};

/// One tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Shape, outermost first.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub data: Vec<f32>,
}

impl Tensor {
    /// As [`Parameters::check`], of one tensor called `name`.
    fn check(&self, name: &str) -> Result<()> {
        if let Some(at) = self.data.iter().position(|v| !v.is_finite()) {
            return Err(self.refused(name, at, "finite numbers"));
        }
        let least = Part::least(name);
        match self.data.iter().position(|v| *v < least) {
            Some(at) => Err(self.refused(name, at, "0 and more")),
            None => Ok(()),
        }
    }

    fn refused(&self, name: &str, at: usize, allowed: &str) -> Error {
        let mut index = vec![0; self.shape.len()];
        let mut rest = at;
        for (i, n) in index.iter_mut().zip(&self.shape).rev() {
            (*i, rest) = (rest % (*n).max(1), rest / (*n).max(1));
        }
        Error::input(format!(
            "tensor `{}`: value {} at {index:?} of {:?}; allowed: {allowed}",
            escaped(name),
            self.data[at],
            self.shape
        ))
    }
}

/// All named tensors of a network: weights, biases, batch norm, quantizer steps.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters {
    /// By name, e.g. `conv1.weight`.
    pub tensors: BTreeMap<String, Tensor>,
}

impl Parameters {
    /// A state of a node.
    pub fn get(&self, node: &str, part: Part) -> Option<&Tensor> {
        self.tensors.get(&part.of(node))
    }

    /// The values of a state that a trained network has.
    ///
    /// # Errors
    /// It is missing, which is a bug.
    pub fn need(&self, node: &str, part: Part) -> Result<&[f32]> {
        let found = self.get(node, part).map(|t| t.data.as_slice());
        found.ok_or_else(|| Error::Internal(format!("the model lacks `{}`", part.of(node))))
    }

    /// Fresh parameters: weights and biases uniform in `+-1/sqrt(rows)` (the customary
    /// initialisation of convolution and linear layers), batch norm at identity, steps at 0.
    /// A pure function of the seed.
    pub fn initial(graph: &Graph, states: &[StateTensor], seed: u64) -> Self {
        let mut rows = BTreeMap::new();
        for (index, (node, geo, _)) in graph.crossbars().into_iter().enumerate() {
            let name = &graph.nodes[node].name;
            rows.insert(Part::Weight.of(name), (geo.rows(), layer_address(index), 0));
            let after_weights = geo.weights().next_multiple_of(4) as u32;
            rows.insert(
                Part::Bias.of(name),
                (geo.rows(), layer_address(index), after_weights),
            );
        }
        let norms: Vec<&str> = graph
            .nodes
            .iter()
            .filter(|n| matches!(n.layer, Layer::BatchNorm { .. }))
            .map(|n| n.name.as_str())
            .collect();
        let mut tensors = BTreeMap::new();
        for s in states {
            let n: usize = s.shape.iter().product();
            let data = if let Some(&(rows, layer, first)) = rows.get(&s.name) {
                let stream = Stream::new(seed, Purpose::Init, 0, layer, 0);
                let bound = 1.0 / (rows as f32).sqrt();
                (0..n as u32)
                    .map(|i| bound * (2.0 * random::uniform(stream.word(first + i)) - 1.0))
                    .collect()
            } else {
                let one = Part::parse(&s.name).is_some_and(|(node, part)| {
                    matches!(part, Part::Gamma | Part::Var) && norms.contains(&node)
                });
                vec![if one { 1.0 } else { 0.0 }; n]
            };
            tensors.insert(
                s.name.clone(),
                Tensor {
                    shape: s.shape.clone(),
                    data,
                },
            );
        }
        Self { tensors }
    }

    /// Forgets the quantizer steps of crossbar layers, so that others can be chosen.
    pub fn drop_steps(&mut self) {
        self.tensors
            .retain(|name, _| !Part::any(name, Part::is_chosen));
    }

    /// Takes out what belongs to the heads of a network.
    pub fn take_heads(&mut self, graph: &Graph) -> Parameters {
        let nodes = graph.nodes.iter().enumerate();
        let of_heads = nodes.filter(|(id, _)| graph.is_of_head(*id));
        let names: Vec<&str> = of_heads.map(|(_, node)| node.name.as_str()).collect();
        let mut taken = Parameters::default();
        let of_head = |name: &str| Part::parse(name).is_some_and(|(node, _)| names.contains(&node));
        while let Some(name) = self.tensors.keys().find(|name| of_head(name)).cloned() {
            taken.tensors.extend(self.tensors.remove_entry(&name));
        }
        taken
    }

    /// Takes over the tensors of `other`. Quantizer steps may be missing there or be as many as
    /// another choice needs; they stay as they are.
    ///
    /// # Errors
    /// Another tensor is missing or has another size.
    pub fn overwrite(&mut self, other: &Parameters) -> Result<()> {
        for (name, tensor) in &mut self.tensors {
            match other.tensors.get(name) {
                Some(theirs) if theirs.data.len() == tensor.data.len() => {
                    tensor.data.clone_from(&theirs.data);
                }
                _ if Part::any(name, Part::is_chosen) => {}
                Some(theirs) => {
                    return Err(Error::input(format!(
                        "parameter `{name}` has shape {:?}; the network needs {:?}",
                        theirs.shape, tensor.shape
                    )));
                }
                None => {
                    return Err(Error::input(format!("parameter `{name}` is missing")));
                }
            }
        }
        Ok(())
    }

    /// Whether all values are numbers that a network can have: finite, variances not below 0 (and
    /// above 0 with the epsilon of their batch norm), steps not below 0.
    ///
    /// # Errors
    /// The first other value, with its tensor and its place.
    pub fn check(&self, graph: &Graph) -> Result<()> {
        for (name, tensor) in &self.tensors {
            tensor.check(name)?;
        }
        for node in &graph.nodes {
            let part = |part: Part| {
                let name = part.of(&node.name);
                self.tensors.get(&name).map(|t| (name, t))
            };
            let (found, allowed) = match node.layer {
                Layer::BatchNorm { eps: 0.0, .. } => {
                    (part(Part::Var), "above 0, as the epsilon is 0")
                }
                Layer::Quantize { .. } => (part(Part::Step), "above 0"),
                _ => continue,
            };
            if let Some((name, t)) = found
                && let Some(at) = t.data.iter().position(|v| *v <= 0.0)
            {
                return Err(t.refused(&name, at, allowed));
            }
        }
        Ok(())
    }

    /// Writes all states a program wants. A state that is missing here is an error that names it,
    /// except quantizer steps, which stay 0 (not calibrated).
    pub fn load_into(&self, session: &mut dyn Session, states: &[StateTensor]) -> Result<()> {
        for s in states {
            let n: usize = s.shape.iter().product();
            match self.tensors.get(&s.name) {
                Some(t) if t.data.len() == n => {
                    t.check(&s.name)?;
                    session.write(s.tensor, &t.data)?;
                }
                Some(t) => {
                    return Err(Error::input(format!(
                        "parameter `{}` has shape {:?}; the network needs {:?}",
                        s.name, t.shape, s.shape
                    )));
                }
                None if Part::any(&s.name, Part::is_chosen) => {}
                None => {
                    return Err(Error::input(format!(
                        "parameter `{}` of shape {:?} is missing",
                        s.name, s.shape
                    )));
                }
            }
        }
        Ok(())
    }

    /// Reads states back from a session, replacing those of the same name.
    pub fn read_from(&mut self, session: &mut dyn Session, states: &[StateTensor]) -> Result<()> {
        for s in states {
            let data = session.read(s.tensor)?;
            self.tensors.insert(
                s.name.clone(),
                Tensor {
                    shape: s.shape.clone(),
                    data,
                },
            );
        }
        Ok(())
    }

    /// Adds names, shapes and values of all tensors to a digest.
    pub(crate) fn digest(&self, hash: &mut Sha256) {
        for (name, tensor) in &self.tensors {
            // Names and shapes with their ends, so that nothing runs into the next.
            hash.update(format!("\n{name:?} {:?} ", tensor.shape));
            for values in tensor.data.chunks(1 << 14) {
                let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                hash.update(bytes);
            }
        }
    }

    /// Bytes of a safetensors file with `metadata` and a checksum over all of it
    /// ([`super::seal`]), which [`Parameters::from_bytes`] looks at.
    ///
    /// # Errors
    /// None that parameters can cause.
    pub fn to_file(&self, metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        let mut metadata = metadata.clone();
        metadata.insert(seal::CHECKSUM.into(), seal::BLANK.into());
        seal::seal(self.to_bytes(&metadata)?)
    }

    /// Bytes of a safetensors file with `metadata`, as they are.
    pub fn to_bytes(&self, metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        let views: Vec<(String, TensorView)> = self
            .tensors
            .iter()
            .map(|(name, t)| {
                let bytes: &[u8] = bytemuck::cast_slice(&t.data);
                TensorView::new(Dtype::F32, t.shape.clone(), bytes)
                    .map(|v| (name.clone(), v))
                    .map_err(|e| Error::Internal(format!("tensor `{name}`: {e}")))
            })
            .collect::<Result<_>>()?;
        let meta = metadata.clone().into_iter().collect();
        safetensors::serialize(views, Some(meta))
            .map_err(|e| Error::Internal(format!("safetensors: {e}")))
    }

    /// Reads the bytes of a safetensors file and its metadata. Floats of any size become `f32`;
    /// integers of 32 and 64 bits, which are counters of other programs, are left out.
    /// `source` names the file in messages.
    ///
    /// # Errors
    /// No safetensors file; a checksum that is not that of the bytes (a file without one, of
    /// another program, is taken as it is); a tensor of another type.
    pub fn from_bytes(bytes: &[u8], source: &Path) -> Result<(Self, BTreeMap<String, String>)> {
        seal::check(bytes, source)?;
        let bad = |what: String| Error::input(format!("{}: {what}", source.display()));
        let (_, header) = SafeTensors::read_metadata(bytes)
            .map_err(|e| bad(format!("not a safetensors file: {e}")))?;
        let meta = header.metadata().clone().unwrap_or_default();
        let file = SafeTensors::deserialize(bytes)
            .map_err(|e| bad(format!("not a safetensors file: {e}")))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let bytes = view.data();
            // The file's tensors need not be aligned.
            let data = match view.dtype() {
                Dtype::F32 => each(bytes, f32::from_le_bytes),
                Dtype::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
                Dtype::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32()),
                Dtype::BF16 => each(bytes, |b| bf16::from_le_bytes(b).to_f32()),
                // Counters of other programs.
                Dtype::I64 | Dtype::I32 => continue,
                other => {
                    return Err(bad(format!(
                        "tensor `{name}` has type {other:?}; allowed: F32, F64, F16, BF16"
                    )));
                }
            };
            let shape = view.shape().to_vec();
            tensors.insert(name.to_string(), Tensor { shape, data });
        }
        Ok((Self { tensors }, meta.into_iter().collect()))
    }
}

fn each<const N: usize>(bytes: &[u8], f: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|c| f(*c)).collect()
}
