//! The JSON schema of the experiment file, for editors.

use serde_json::{Map, Value as Json, json};

use super::axes::{Mode, SHARED, SHORT};
use super::layers::{TABLE as LAYER, is_offered};
use super::reference::{Field, Table, tables};
use super::sweep::MAX_POINTS;
use crate::choice::Choice;

/// Where the schema of a design stands.
pub(super) const DESIGN: &str = "#/definitions/design";

/// JSON Schema (draft 7) of an experiment file. It knows every field, its type and its range; which values
/// contradict each other it does not know.
pub fn schema() -> Json {
    let (of_layers, tables): (Vec<Table>, Vec<Table>) =
        tables().into_iter().partition(|table| table.path == LAYER);
    let mut whole = json!({});
    for table in &tables {
        *place(&mut whole, &table.path) = section(table);
    }
    for table in &of_layers {
        whole["properties"]["layer"] = json!({
            "type": "object",
            "description": table.about,
            "additionalProperties": {"$ref": "#/definitions/layer"},
        });
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Pimento experiment",
        "type": "object",
        "additionalProperties": false,
        "properties": whole["properties"],
        "definitions": {
            "design": design(&tables),
            "axis": axes(&tables),
            "range": range(),
            "layer": layer(&of_layers, &tables),
        },
    })
}

/// The place of a section, made where it is not there yet.
fn place<'a>(whole: &'a mut Json, path: &str) -> &'a mut Json {
    let parts = path.split('.').filter(|part| !part.is_empty());
    parts.fold(whole, |at, part| &mut at["properties"][part])
}

fn section(table: &Table) -> Json {
    let fields = table.fields.iter();
    let properties: Map<String, Json> = fields.map(|f| (f.key().into(), property(f))).collect();
    json!({
        "type": "object",
        "description": table.about,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn property(field: &Field) -> Json {
    let mut about = field.about.clone();
    if !field.unit.is_empty() {
        about += &format!(" Unit: {}.", field.unit);
    }
    if let Some(default) = &field.default {
        about += &format!(" Default: {default}.");
    }
    // Draft 7 ignores what stands beside a reference.
    let mut schema = match field.schema.get("$ref") {
        Some(_) => json!({"allOf": [field.schema]}),
        None => field.schema.clone(),
    };
    schema["description"] = about.into();
    schema
}

/// Settings of one layer: its own fields, and those of other sections that it may override.
fn layer(own: &[Table], tables: &[Table]) -> Json {
    let mut layer = closed();
    for field in own.iter().flat_map(|table| &table.fields) {
        layer["properties"][field.key()] = property(field);
    }
    for field in tables.iter().flat_map(|table| &table.fields) {
        let path = field.path.strip_prefix("quantize.").unwrap_or(&field.path);
        if !is_offered(path) {
            continue;
        }
        let (around, key) = path.rsplit_once('.').unwrap_or(("", path));
        let keys = around.split('.').filter(|key| !key.is_empty());
        let at = keys.fold(&mut layer, |at, key| {
            let inner = &mut at["properties"][key];
            if inner.is_null() {
                *inner = closed();
            }
            inner
        });
        at["properties"][key] = json!({"$ref": pointer(field)});
    }
    layer
}

/// A table without fields so far, and without unknown ones.
fn closed() -> Json {
    json!({"type": "object", "additionalProperties": false, "properties": {}})
}

/// Where the schema of a field stands.
fn pointer(field: &Field) -> String {
    format!("#/properties/{}", field.path.replace('.', "/properties/"))
}

/// Axes and how they are combined. Keys are short names, paths in quotes, or paths without, which are
/// tables in tables.
fn design(tables: &[Table]) -> Json {
    let modes: Vec<&str> = Mode::ALL.iter().map(|mode| mode.name()).collect();
    let mut design = json!({"type": "object", "additionalProperties": false, "properties": {
        "mode": {"enum": modes, "description": "How the values of the axes make points. Default: \"grid\"."},
        "samples": {"type": "integer", "minimum": 1, "maximum": MAX_POINTS,
            "description": "Points of a Latin hypercube."},
    }});
    let axis = |path: &str| json!({"$ref": format!("#/definitions/axis/{path}")});
    for (short, path) in SHORT {
        design["properties"][short] = axis(path);
    }
    // The names of layers are those of a network.
    design["patternProperties"] = json!({"^layer\\.": {}});
    design["properties"]["layer"] = json!({"type": "object"});
    for field in varying(tables) {
        design["properties"][&field.path] = axis(&field.path);
        let at = place(&mut design, field.section());
        if at.is_null() {
            *at = closed();
        }
        at["properties"][field.key()] = axis(&field.path);
    }
    design
}

/// The fields that may differ between the points of a sweep.
fn varying(tables: &[Table]) -> impl Iterator<Item = &Field> {
    let fields = tables.iter().flat_map(|table| &table.fields);
    fields.filter(|field| {
        let is_shared = |(shared, _): &(&str, &str)| {
            let rest = field.path.strip_prefix(shared);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let is_of_the_plan = matches!(field.path.as_str(), "sweep.chips" | "sweep.yield_limit");
        is_of_the_plan || !SHARED.iter().any(is_shared)
    })
}

/// The axis of every field by its path: a value that is no list, a list of values, or a range.
fn axes(tables: &[Table]) -> Json {
    let axis = |field: &Field| {
        let value = json!({"$ref": pointer(field)});
        let list = json!({"type": "array", "minItems": 1, "maxItems": MAX_POINTS, "items": value});
        let mut values = vec![list, json!({"$ref": "#/definitions/range"})];
        match (field.schema.get("anyOf"), &field.schema["type"]) {
            (Some(_), _) => values.push(json!({"allOf": [{"not": {"type": "array"}}, value]})),
            (None, kind) if kind == "array" => {}
            (None, _) => values.push(value),
        }
        json!({"anyOf": values})
    };
    let axes = varying(tables).map(|f| (f.path.clone(), axis(f)));
    Json::Object(axes.collect())
}

fn range() -> Json {
    json!({
        "type": "object",
        "description": "Range of an axis of a Latin hypercube.",
        "additionalProperties": false,
        "required": ["from", "to"],
        "properties": {
            "from": {"type": "number"},
            "to": {"type": "number"},
            "log": {"type": "boolean"},
            "integer": {"type": "boolean"},
        },
    })
}

#[cfg(test)]
mod tests;
