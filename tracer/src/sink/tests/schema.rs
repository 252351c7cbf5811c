//! The published schema of the JSON lines holds for what is written, and says every key of it.

use serde_json::Value;

use super::*;

const SCHEMA: &str = include_str!("../../../../docs/jsonl.schema.json");

/// The schema, so that keys it does not name are mistakes: readers have to expect new ones, we must not forget them.
fn strict() -> jsonschema::Validator {
    let mut schema: Value = serde_json::from_str(SCHEMA).expect("valid JSON");
    jsonschema::meta::validate(&schema).expect("a valid schema");
    forbid(&mut schema);
    jsonschema::validator_for(&schema).expect("a schema")
}

fn forbid(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.values_mut().for_each(forbid);
            if map.contains_key("required") {
                map.insert("additionalProperties".to_owned(), false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(forbid),
        _ => {}
    }
}

#[test]
fn json_lines_are_as_the_schema_says() {
    let schema = strict();
    let text = written(|out| Jsonl::new(out, clock()));
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("valid JSON");
        let errors: Vec<_> = schema.iter_errors(&line).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{line}: {errors:?}");
    }
}

#[test]
fn the_schema_refuses_what_is_no_call() {
    let schema = strict();
    let text = written(|out| Jsonl::new(out, clock()));
    let good: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("valid JSON");
    for (pointer, wrong) in [
        ("/ts", "yesterday".into()),
        ("/pid", (-1).into()),
        ("/device/kind", "printer".into()),
        ("/request/hex", 5.into()),
        ("/ret", "many".into()),
        ("/notes", Value::Null),
    ] {
        let mut line = good.clone();
        *line.pointer_mut(pointer).expect("it is there") = wrong;
        assert!(!schema.is_valid(&line), "{pointer}");
    }
    let mut more = good.clone();
    more.as_object_mut().expect("an object").insert("unknown".to_owned(), Value::Null);
    assert!(!schema.is_valid(&more));
}
