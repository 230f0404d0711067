//! The JSON schema of the experiment file, for editors.

use serde_json::{Map, Value as Json, json};

use super::axes::{Mode, SHARED, SHORT};
use super::heads::{self, TABLE as HEAD};
use super::layers::{TABLE as LAYER, is_offered};
use super::parts::PARTS;
use super::reference::{Field, Table, tables};
use super::stages::{ONCE, TABLE as STAGE};
use super::sweep::MAX_POINTS;
use crate::choice::Choice;

/// Where the schema of a design stands.
pub(super) const DESIGN: &str = "#/definitions/design";

/// JSON Schema (draft 7) of an experiment file. It knows every field, its type and its range; which values
/// contradict each other it does not know.
pub fn schema() -> Json {
    let (of_layers, tables): (Vec<Table>, Vec<Table>) =
        tables().into_iter().partition(|table| table.path == LAYER);
    let (of_stages, tables): (Vec<Table>, Vec<Table>) =
        tables.into_iter().partition(|table| table.path == STAGE);
    let (of_heads, tables): (Vec<Table>, Vec<Table>) =
        tables.into_iter().partition(|table| table.path == HEAD);
    // Kinds of parts are in the schemas of their lists.
    let (parts, tables): (Vec<Table>, Vec<Table>) =
        tables.into_iter().partition(|table| table.part().is_some());
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
    for table in &of_stages {
        *place(&mut whole, STAGE) = json!({
            "type": "array",
            "description": table.about,
            "items": {"$ref": "#/definitions/stage"},
        });
    }
    for table in &of_heads {
        *place(&mut whole, HEAD) = heads::schema_of(table);
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Pimento experiment",
        "type": "object",
        "additionalProperties": false,
        "properties": whole["properties"],
        "definitions": {
            "design": design(&tables, &parts, &of_heads),
            "axis": axes(&tables),
            "range": range(),
            "layer": layer(&of_layers, &tables),
            "stage": stage(&of_stages, &tables),
        },
    })
}

/// The place of a section, made where it is not there yet.
fn place<'a>(whole: &'a mut Json, path: &str) -> &'a mut Json {
    let parts = path.split('.').filter(|part| !part.is_empty());
    parts.fold(whole, |at, part| &mut at["properties"][part])
}

/// A table with the fields of a section or part.
pub(super) fn section(table: &Table) -> Json {
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

/// A stage of a training: its name, and the fields of `[train]` that may differ from stage to stage.
fn stage(own: &[Table], tables: &[Table]) -> Json {
    let mut stage = closed();
    stage["required"] = json!(["name"]);
    for field in own.iter().flat_map(|table| &table.fields) {
        stage["properties"][field.key()] = property(field);
    }
    for table in tables {
        let Some(rest) = table.path.strip_prefix("train") else {
            continue;
        };
        let at = match rest.strip_prefix('.') {
            None if rest.is_empty() => &mut stage,
            Some(inner) => {
                stage["properties"][inner] = closed();
                &mut stage["properties"][inner]
            }
            None => continue,
        };
        let fields = table.fields.iter().filter(|f| !ONCE.contains(&f.key()));
        for field in fields {
            at["properties"][field.key()] = json!({"$ref": pointer(field)});
        }
    }
    stage
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
fn design(tables: &[Table], parts: &[Table], heads: &[Table]) -> Json {
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
    for (path, axis) in named(tables, parts).into_iter().chain(of_heads(heads)) {
        design["patternProperties"][path] = axis;
    }
    design["properties"]["layer"] = json!({"type": "object"});
    design["properties"]["train"] = closed();
    for list in PARTS.into_iter().chain(["stage"]) {
        *place(&mut design, &format!("train.{list}")) = json!({"type": "object"});
    }
    for field in varying(tables) {
        design["properties"][&field.path] = axis(&field.path);
        let at = place(&mut design, field.section());
        if at.is_null() {
            *at = closed();
        }
        at["properties"][field.key()] = axis(&field.path);
    }
    *place(&mut design, HEAD) = json!({"type": "object"});
    design
}

/// Axes of heads, by a pattern of their path.
fn of_heads(heads: &[Table]) -> impl Iterator<Item = (String, Json)> {
    let table = HEAD.replace('.', "\\.");
    let fields = heads.iter().flat_map(|table| &table.fields);
    let varying = fields.filter(|field| field.key() != "name");
    varying.map(move |field| {
        let path = format!("^{table}\\.[A-Za-z0-9_-]+\\.{}$", field.key());
        (path, axis(&field.schema, &field.schema))
    })
}

/// Axes in arrays, by a pattern of their path: fields of stages and of parts, and of parts of stages.
fn named(tables: &[Table], parts: &[Table]) -> Vec<(String, Json)> {
    let quoted = |path: &str| path.replace('.', "\\.");
    let stage = format!("{}\\.[A-Za-z0-9_-]+\\.", quoted(STAGE));
    let mut found = Vec::new();
    for field in varying(tables) {
        if let Some(own) = field.path.strip_prefix("train.")
            && !ONCE.contains(&own)
        {
            let axis = json!({"$ref": format!("#/definitions/axis/{}", field.path)});
            found.push((format!("^{stage}{}$", quoted(own)), axis));
        }
    }
    for table in parts {
        let Some((list, kind)) = table.part() else {
            continue;
        };
        let list = list.strip_prefix("train.").unwrap_or(list);
        for field in &table.fields {
            let path = format!("{list}\\.{kind}\\.{}$", field.key());
            let axis = axis(&field.schema, &field.schema);
            found.push((format!("^(train\\.|{stage}){path}"), axis));
        }
    }
    found
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
        let is_list = field
            .path
            .strip_prefix("train.")
            .is_some_and(|key| PARTS.contains(&key));
        !is_list && (is_of_the_plan || !SHARED.iter().any(is_shared))
    })
}

/// The axis of every field by its path: a value that is no list, a list of values, or a range.
fn axes(tables: &[Table]) -> Json {
    let axes = varying(tables).map(|f| {
        let value = json!({"$ref": pointer(f)});
        (f.path.clone(), axis(&value, &f.schema))
    });
    Json::Object(axes.collect())
}

/// The axis of a field with this schema, which `value` gives or refers to.
fn axis(value: &Json, schema: &Json) -> Json {
    let list = json!({"type": "array", "minItems": 1, "maxItems": MAX_POINTS, "items": value});
    let mut values = vec![list, json!({"$ref": "#/definitions/range"})];
    match (schema.get("anyOf"), &schema["type"]) {
        (Some(_), _) => values.push(json!({"allOf": [{"not": {"type": "array"}}, value]})),
        (None, kind) if kind == "array" => {}
        (None, _) => values.push(value.clone()),
    }
    json!({"anyOf": values})
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
