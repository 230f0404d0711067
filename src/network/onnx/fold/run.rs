//! Operators on whole maps, of constants: the constant is taken as a batch of images, read as an
//! image would be, and run on the CPU.

use std::collections::HashMap;

use super::super::constant::{Constant, Data};
use super::super::importer::{
    Importer, Inputs, Map, Step, Trouble, Value, canonical, unsupported, wrong,
};
use super::super::names::Names;
use super::super::ops;
use super::reserve;
use crate::backend::cpu::CpuBackend;
use crate::network::file::Loaded;
use crate::network::graph::{Graph, Layer};
use crate::network::lower::Numerics;
use crate::network::parameters::Parameters;
use crate::network::rewrite;
use crate::network::run::Runner;
use crate::program::Activation;

/// The node on its first input as images.
pub(super) fn as_images(im: &mut Importer, inputs: &Inputs) -> Step<Constant> {
    let x = inputs.needed(0, "the first input")?;
    let Data::Floats(values) = &x.data else {
        return unsupported("works on integers; allowed: floats");
    };
    let Some((&n, dims)) = x.dims.split_first().filter(|(_, dims)| !dims.is_empty()) else {
        return wrong(format!("an input of {:?}", x.dims));
    };
    if x.len() == 0 {
        return wrong(format!("an input of {:?}", x.dims));
    }
    let (c, h, w) = canonical(dims);
    let mut scratch = Importer {
        graph: Graph::new("constant", c, h, w),
        parameters: Parameters::default(),
        values: HashMap::new(),
        names: Names::new(),
        batch: Some(n),
        largest: im.largest,
        budget: im.budget,
        origins: vec![],
    };
    let image = Value::Map(Map {
        node: 0,
        dims: dims.to_vec(),
        element: x.element,
    });
    let mut values_of = inputs.values.clone();
    values_of[0] = Some(image);
    let as_map = Inputs {
        node: inputs.node,
        values: values_of,
    };
    let Some(reader) = ops::reader(inputs.node.op()) else {
        return unsupported("of constants");
    };
    let out = reader(&mut scratch, &as_map)?;
    im.budget = scratch.budget;
    let Some(Value::Map(out)) = out.first() else {
        return unsupported("of constants");
    };
    let dims = [&[n], out.dims.as_slice()].concat();
    reserve(im, &dims)?;
    let mut last = out.node;
    if last == 0 {
        let shape = scratch.graph.nodes[0].shape;
        let identity = Layer::Activation(Activation::Identity);
        last = scratch.graph.push("identity", identity, vec![0], shape);
    }
    let mut network = Loaded {
        graph: scratch.graph,
        parameters: scratch.parameters,
        numerics: Numerics::FLOAT,
        tied: vec![],
    };
    rewrite::prune(&mut network, last);
    let failed = |e: crate::error::Error| Trouble::Wrong(e.to_string());
    network.graph.check().map_err(failed)?;
    network.parameters.check(&network.graph).map_err(failed)?;
    let backend = CpuBackend::new();
    let mut runner = Runner::new(&backend, &network).map_err(failed)?;
    let values = runner.run_all(values).map_err(failed)?;
    Ok(Constant::new(dims, x.element, Data::Floats(values)))
}
