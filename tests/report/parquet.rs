//! `chips.parquet` has what `chips.csv` has, with types.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use parquet::basic::Type;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use pimento::report;
use pimento::sweep::result::SweepResult;

use super::all;

fn open(dir: &Path) -> SerializedFileReader<File> {
    let file = File::open(dir.join("chips.parquet")).unwrap();
    SerializedFileReader::new(file).unwrap()
}

/// A cell as the CSV would have it.
fn field_of_csv(field: &Field) -> String {
    match field {
        Field::Long(x) => x.to_string(),
        Field::Double(x) => x.to_string(),
        Field::Bool(x) => x.to_string(),
        // As RFC 4180 quotes it.
        Field::Str(text) if text.contains(['"', ',', '\n']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Field::Str(text) => text.clone(),
        Field::Null => String::new(),
        other => panic!("{other:?}"),
    }
}

fn assert_equal(dir: &Path, result: &SweepResult) {
    let csv = std::fs::read_to_string(dir.join("chips.csv")).unwrap();
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let reader = open(dir);
    let schema = reader.metadata().file_metadata().schema_descr();
    let found: Vec<&str> = schema.columns().iter().map(|c| c.name()).collect();
    assert_eq!(found, names);
    for column in schema.columns() {
        let whole = ["point", "chip", "correct", "images", "wafer"].contains(&column.name());
        let axis = result.axes.iter().any(|axis| axis == column.name());
        let wanted = match (whole, column.name()) {
            (true, _) => Type::INT64,
            (false, "train.recipe") => Type::BYTE_ARRAY,
            // Without a point an axis has no type but text.
            (false, _) if axis && result.points.is_empty() => Type::BYTE_ARRAY,
            (false, _) => Type::DOUBLE,
        };
        assert_eq!(column.physical_type(), wanted, "{}", column.name());
        assert!(!axis || !whole);
        assert_eq!(column.self_type().is_optional(), !whole);
    }
    for row in reader.get_row_iter(None).unwrap() {
        let row = row.unwrap();
        let fields: Vec<String> = row.get_column_iter().map(|c| field_of_csv(c.1)).collect();
        assert_eq!(Some(fields.join(",").as_str()), lines.next());
    }
    assert_eq!(lines.next(), None);

    let facts = reader.metadata().file_metadata().key_value_metadata();
    let fact = |key: &str| {
        let fact = facts.unwrap().iter().find(|f| f.key == key);
        fact.unwrap().value.clone().unwrap()
    };
    assert_eq!(fact("pimento.version"), result.pimento);
    assert_eq!(fact("pimento.experiment"), result.experiment);
    assert_eq!(fact("pimento.seed"), result.seed.to_string());
    assert_eq!(fact("pimento.config"), result.provenance.config_toml);
    let points: serde_json::Value = serde_json::from_str(&fact("pimento.points")).unwrap();
    assert_eq!(points.as_array().unwrap().len(), result.points.len());
    assert!(result.points.is_empty() || points[0]["sigma_w"] == result.points[0].axes.sigma_w);
}

#[test]
fn both_files_have_the_same_cells() {
    for (name, result, rows) in all() {
        println!("{name}");
        let dir = tempfile::tempdir().unwrap();
        report::write(dir.path(), &result, &rows).unwrap();
        assert_equal(dir.path(), &result);
    }
}

/// pandas, polars and DuckDB, where this machine's Python has them; `PIMENTO_PYTHON` names another
/// interpreter, such as that of a virtual environment.
#[test]
fn data_frames_agree() {
    let root = tempfile::tempdir().unwrap();
    let mut dirs = Vec::new();
    for (name, result, rows) in all() {
        let dir = root.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        report::write(&dir, &result, &rows).unwrap();
        dirs.push(dir);
    }
    let python = std::env::var("PIMENTO_PYTHON").unwrap_or("python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/data_frames.py");
    let done = match Command::new(&python).arg(script).args(&dirs).output() {
        Ok(done) => done,
        Err(e) => return println!("SKIPPED data_frames_agree: {python}: {e}"),
    };
    let said = String::from_utf8_lossy(&done.stdout);
    print!("{said}");
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}{complaint}");
}
