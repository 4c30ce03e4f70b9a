//! What the schemas for editors have in common.

use std::collections::BTreeSet;

use heal_language::Diagnostic;
use jsonschema::Validator;
use serde_json::Value;

use crate::texts;

pub fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::meta::validate(schema).expect("valid against the meta-schema");
    jsonschema::draft202012::new(schema).expect("a JSON Schema")
}

pub fn json(text: &str) -> Value {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text.trim_start_matches('\u{feff}'), options).expect("YAML")
}

/// Every text of `files`, stems and texts, is valid.
pub fn assert_valid(schema: &Value, files: impl IntoIterator<Item = (String, String)>) {
    let validator = validator(schema);
    for (name, text) in files {
        let value = json(&text);
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

/// Every file of `names` in `folder` is refused.
pub fn assert_refused(schema: &Value, folder: &str, names: &[&str]) {
    let validator = validator(schema);
    let texts = texts(folder);
    for name in names {
        let (_, text) = texts.iter().find(|(stem, _)| stem == name).expect(name);
        assert!(!validator.is_valid(&json(text)), "{name} is valid");
    }
}

/// The keys of the object that `part` of a schema describes.
pub fn keys(part: &Value) -> BTreeSet<String> {
    part["properties"].as_object().expect("properties").keys().cloned().collect()
}

/// The keys that reading lists when it reports an unknown one.
pub fn listed_keys(diagnostics: &[Diagnostic]) -> BTreeSet<String> {
    let help = diagnostics.iter().find(|one| one.code == "unknown-key").and_then(|one| one.help.as_deref());
    let (_, list) = help.expect("help").split_once(" has the keys ").expect("a list of keys");
    list.split(", ").map(ToOwned::to_owned).collect()
}
