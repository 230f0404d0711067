//! Files that are generated from the declarations of the experiment file and of result columns.
//! `PIMENTO_BLESS=1` writes them anew.

use std::collections::HashSet;

use pimento::choice::Choice;
use pimento::column::{Column, Field};
use pimento::config::reference;
use pimento::error::Code;
use pimento::sweep::columns;
use pimento::sweep::cost::COSTS;
use pimento::sweep::result::{ChipRow, EpochRecord};
use pimento::sweep::slices::{AccuracyRow, ArrayRow, CellRow, LayerRow, ReadRow, SliceRow};

use super::source::{read, root};

pub fn is_up_to_date(path: &str, text: &str) {
    let file = root().join(path);
    if std::env::var_os("PIMENTO_BLESS").is_some() {
        std::fs::write(&file, text).expect("the file can be written");
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = there.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(
        there == text,
        "{path}:{}: is not what the declarations say; PIMENTO_BLESS=1 cargo test --test house generated",
        differs.map_or(1, |line| line + 1)
    );
}

#[test]
fn the_reference_is_that_of_the_declarations() {
    is_up_to_date("docs/reference.md", &reference::markdown());
}

#[test]
fn the_schema_is_that_of_the_declarations() {
    let text = serde_json::to_string_pretty(&reference::schema()).expect("JSON");
    is_up_to_date("assets/experiment.schema.json", &(text + "\n"));
}

#[test]
fn the_page_of_mistakes_has_every_code() {
    let page = read("docs/errors.md");
    let (_, table) = page
        .split_once("| code | meaning |\n| --- | --- |\n")
        .expect("a table");
    let row = |code: &Code| format!("| `{code}` | {} |\n", code.about().trim());
    let rows: String = Code::ALL.iter().map(row).collect();
    assert_eq!(table, rows);
}

#[test]
fn the_page_of_columns_is_that_of_the_declarations() {
    is_up_to_date("docs/columns.md", &columns::markdown());
}

#[test]
#[cfg(all(feature = "cli", feature = "gpu", feature = "parquet"))]
fn the_page_of_commands_is_that_of_the_help() {
    is_up_to_date("docs/commands.md", &pimento::cli::command_reference());
}

#[test]
fn every_column_is_described_and_has_a_name_of_its_own() {
    let of_chips = ChipRow::FIELDS.iter().map(|f| &f.column);
    let of_chips: Vec<&Column> = of_chips.chain(columns::all()).collect();
    fn of<R>(fields: &'static [Field<R>]) -> Vec<&'static Column> {
        fields.iter().map(|f| &f.column).collect()
    }
    let of_slices = [
        of(SliceRow::FIELDS),
        of(LayerRow::FIELDS),
        of(CellRow::FIELDS),
        of(ReadRow::FIELDS),
        of(ArrayRow::FIELDS),
        of(AccuracyRow::FIELDS),
    ];
    let others = [of_chips, COSTS.iter().collect(), of(EpochRecord::FIELDS)];
    for table in others.into_iter().chain(of_slices) {
        let mut names = HashSet::new();
        for column in table {
            assert!(names.insert(column.name), "{} is there twice", column.name);
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(column.name.chars().all(plain), "{}", column.name);
            assert!(column.about.len() > 20, "{}: {}", column.name, column.about);
        }
    }
}

#[test]
fn every_field_is_described() {
    for table in reference::tables() {
        assert!(!table.about.trim().is_empty(), "{}", table.path);
        for f in &table.fields {
            let around = f.path.rsplit_once('.').map_or("", |(section, _)| section);
            assert_eq!(around, table.path, "{}", f.path);
            assert!(f.about.ends_with('.'), "{}: {}", f.path, f.about);
            assert!(!f.kind.is_empty() && !f.allowed.is_empty(), "{}", f.path);
            assert!(
                f.names.iter().all(|(_, about)| !about.is_empty()),
                "{}",
                f.path
            );
        }
    }
}
