//! The program as its users meet it: exit codes, what is said where, and what is refused.

mod agree;
mod bad_input;
mod bench;
mod compare;
mod data;
mod design;
mod directories;
#[cfg(target_os = "linux")]
mod disk;
mod fit;
mod help;
mod mvm;
mod networks;
mod pages;
mod reference;
mod runs;
mod sampled;
mod shapes;
mod shipped;
#[cfg(unix)]
mod signals;
mod slices;
mod snr;
mod survive;

use std::path::Path;
use std::process::{Command, Stdio};

/// What a run of the program left behind.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    /// That it did its work, and said nothing on the standard error.
    #[track_caller]
    fn assert_ok(&self) {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""));
    }

    /// That its standard output has these words.
    #[track_caller]
    fn assert_says(&self, words: &[&str]) {
        for word in words {
            assert!(self.stdout.contains(word), "{word}: {}", self.stdout);
        }
    }

    /// That its input was refused, in a message with these words.
    #[track_caller]
    fn assert_refused(&self, words: &[&str]) {
        let said = (self.code, self.stdout.as_str());
        assert_eq!(said, (2, ""), "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word}: {}", self.stderr);
        }
    }
}

/// Runs `pimento` with the environment variables that change its behaviour removed.
fn pimento(args: &[&str]) -> Run {
    pimento_with(args, &[])
}

/// Runs `pimento` with environment variables of the test's choice.
fn pimento_with(args: &[&str], variables: &[(&str, &str)]) -> Run {
    pimento_in(Path::new("."), args, variables)
}

/// The same in a directory.
fn pimento_in(directory: &Path, args: &[&str], variables: &[(&str, &str)]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_pimento"))
        .args(args)
        .current_dir(directory)
        .env_remove("PIMENTO_DATA")
        .env_remove("PIMENTO_CACHE")
        .env_remove("WGPU_ADAPTER_NAME")
        .env_remove("NO_COLOR")
        // Nothing is written to the user's cache.
        .env(
            "XDG_CACHE_HOME",
            concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"),
        )
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    Run {
        code: output.status.code().expect("the program exits by itself"),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// Text of a path that the tests made.
fn text(path: &Path) -> &str {
    path.to_str()
        .expect("temporary directories have Unicode names")
}

/// A network of one hidden layer for images of any shape, with fresh parameters: equal ones for inputs
/// of as many values.
fn mlp(input: (usize, usize, usize), classes: usize) -> pimento::network::file::Loaded {
    use pimento::network::lower::inference::{self, Chips, NormMode};
    use pimento::network::lower::{CellNoise, Numerics};
    use pimento::network::{Parameters, zoo};
    use pimento::program::Activation;
    let style = zoo::Style {
        act: Activation::Relu,
        max_pool: false,
        batch_norm: false,
        bias: true,
        width: 1.0,
    };
    let graph = zoo::mlp(input, &[12], classes, style);
    let nominal = CellNoise::NONE.everywhere(&graph);
    let chips = Chips::Weight(&nominal);
    let numerics = Numerics::FLOAT;
    let lowered = inference::lower(&graph, &numerics, chips, NormMode::Frozen, false);
    let mut parameters = Parameters::initial(&graph, &lowered.states, 5);
    // A network of another program has none.
    parameters.drop_steps();
    pimento::network::file::Loaded {
        graph,
        parameters,
        numerics,
        tied: vec![],
    }
}
