//! Reads the test vectors, and compares JSON by their rules (`tests/vectors/README.md`).

#![allow(dead_code, missing_docs)]

use std::path::PathBuf;

use serde_json::Value;

/// Where the vectors are.
pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../tests/vectors"))
}

/// The cases of a file, each with its name.
pub fn cases(file: &str) -> Vec<(String, Value)> {
    let path = folder().join(format!("{file}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let vectors: Value = serde_json::from_slice(&text).unwrap();
    let cases = vectors["cases"].as_array().expect("`cases` is a list").clone();
    assert!(!cases.is_empty(), "{file} has no cases");
    cases.into_iter().map(|case| (case["name"].as_str().unwrap().to_owned(), case)).collect()
}

/// A text: itself, or pieces that may be repeated.
pub fn text(rule: &Value) -> String {
    match rule {
        Value::String(text) => text.clone(),
        Value::Array(pieces) => pieces.iter().map(piece).collect(),
        other => panic!("{other} is no text"),
    }
}

fn piece(piece: &Value) -> String {
    match piece {
        Value::String(text) => text.clone(),
        repeated => {
            let times = repeated["times"].as_u64().unwrap();
            repeated["repeat"].as_str().unwrap().repeat(times.try_into().unwrap())
        }
    }
}

/// A case's line, without its end.
pub fn line(case: &Value) -> Vec<u8> {
    let Some(hex) = case["line_hex"].as_str() else { return text(&case["line"]).into_bytes() };
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// A text of JSON as a value.
pub fn json(rule: &Value) -> Value {
    serde_json::from_str(&text(rule)).unwrap()
}

/// Whether two values say the same.
pub fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            same_number(&one.to_string(), &other.to_string())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|two| same(one, two)))
        }
        _ => one == other,
    }
}

fn same_number(one: &str, other: &str) -> bool {
    let is_integer = |text: &str| !text.contains(['.', 'e', 'E']);
    if is_integer(one) || is_integer(other) {
        return exact(one) == exact(other);
    }
    let double = |text: &str| text.parse::<f64>().unwrap().to_bits();
    double(one) == double(other)
}

/// The sign, the digits without the zeros around them, and the power of ten behind the last.
fn exact(text: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
    let digits = digits.trim_start_matches('0');
    let kept = digits.trim_end_matches('0');
    let power = exponent.parse::<i64>().unwrap() - i64::try_from(fraction.len()).unwrap()
        + i64::try_from(digits.len() - kept.len()).unwrap();
    (text.starts_with('-'), kept.to_owned(), if kept.is_empty() { 0 } else { power })
}

/// An object without the fields that are null.
pub fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, field| !field.is_null());
    }
    value
}
