//! Whether stored metrics still say what a dataset is, by NeMo Gym's rules: what was there must be there
//! and be the same, numbers up to their rounding; what is new does not matter.

use serde_json::{Map, Value};

use super::metrics::{EXAMPLES, MEDIAN};

/// The key under which a file says that its medians are exact; those of others are estimates.
pub(super) const OURS: &str = "rehearsal";

/// What the metrics of a stored file say that the new ones do not, each difference by its key.
///
/// The file also holds the dataset's configuration, which is no matter here: a dataset that has been
/// moved or licensed is the same.
pub(super) fn conflicts(stored: &Map<String, Value>, new: &Map<String, Value>) -> Vec<String> {
    let is_exact = stored.contains_key(OURS);
    let is_metric = |(name, value): &(&String, &Value)| {
        let has = |key: &str| value.get(key).is_some();
        *name == EXAMPLES || has("Average") || has("unique_count")
    };
    let mut found = Vec::new();
    for (name, stored) in stored.iter().filter(is_metric) {
        let mut stored = stored.clone();
        if let (false, Some(metric)) = (is_exact, stored.as_object_mut()) {
            metric.remove(MEDIAN);
        }
        match new.get(name) {
            Some(new) => compare(name, &stored, new, &mut found),
            None => found.push(format!("`{name}` is gone")),
        }
    }
    found
}

fn compare(path: &str, stored: &Value, new: &Value, found: &mut Vec<String>) {
    match (stored, new) {
        (Value::Object(stored), Value::Object(new)) => {
            for (name, stored) in stored {
                let path = format!("{path}.{name}");
                match new.get(name) {
                    Some(new) => compare(&path, stored, new, found),
                    None => found.push(format!("`{path}` is gone")),
                }
            }
        }
        (Value::Array(stored), Value::Array(new)) if are_same_lists(stored, new) => {}
        (Value::Number(one), Value::Number(other)) if are_close(one, other) => {}
        _ if stored == new => {}
        _ => found.push(format!("`{path}` was {stored} and is {new}")),
    }
}

/// Whether lists have the same elements, in any order.
fn are_same_lists(stored: &[Value], new: &[Value]) -> bool {
    let mut left: Vec<&Value> = new.iter().collect();
    let found = stored.iter().all(|stored| {
        let same = |new: &&Value| {
            let mut differences = Vec::new();
            compare("", stored, new, &mut differences);
            differences.is_empty()
        };
        left.iter().position(same).map(|index| left.swap_remove(index)).is_some()
    });
    found && left.is_empty()
}

/// Whether numbers are the same up to their rounding, if both are fractions; else exactly.
fn are_close(one: &serde_json::Number, other: &serde_json::Number) -> bool {
    let (Some(a), Some(b)) = (one.as_f64(), other.as_f64()) else { return false };
    let tolerance = match (one.is_f64() && other.is_f64(), a.abs().max(b.abs()) >= 1.0) {
        (true, true) => 5e-3,
        (true, false) => 5e-4,
        (false, _) => 0.0,
    };
    // The difference of two decimals is not quite the decimal that it should be.
    (a - b).abs() <= tolerance + 1e-9 * tolerance
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(stored: &Value, new: &Value) -> Vec<String> {
        let mut found = Vec::new();
        compare("x", stored, new, &mut found);
        found
    }

    #[test]
    fn numbers_may_differ_by_their_rounding() {
        for (stored, new, same) in [
            (100.0, 100.004, true),
            (1.0, 1.005, true),
            (1000.0, 1000.004, true),
            (100.0, 100.006, false),
            (1000.0, 1000.01, false),
            (0.5, 0.5004, true),
            (0.1, 0.10049, true),
            (0.5, 0.5006, false),
            (0.999, 1.0039, true),
            (0.999, 0.9994, true),
        ] {
            assert_eq!(differences(&json!(stored), &json!(new)).is_empty(), same, "{stored} {new}");
        }
        assert!(differences(&json!(5), &json!(5.0)).is_empty());
        assert_eq!(differences(&json!(5), &json!(5.001)), ["`x` was 5 and is 5.001"]);
        assert_eq!(differences(&json!(5), &json!(6)), ["`x` was 5 and is 6"]);
    }

    #[test]
    fn what_was_there_must_be_there_and_what_is_new_does_not_matter() {
        for (stored, new, same) in [
            (json!({ "a": 1 }), json!({ "a": 1, "b": 2 }), true),
            (json!({ "a": { "b": 1 } }), json!({ "a": { "b": 1, "c": 2 } }), true),
            (json!({ "a": 1, "b": 2 }), json!({ "a": 1 }), false),
            (json!({ "a": { "b": 1, "c": 1 } }), json!({ "a": { "b": 1 } }), false),
            (json!([1, 2, 2]), json!([2, 1, 2]), true),
            (json!(["a", "b"]), json!(["b", "a"]), true),
            (json!([1, 2, 2]), json!([1, 1, 2]), false),
            (json!([1, 2]), json!([1, 2, 3]), false),
            (json!([{ "a": 1.0 }]), json!([{ "a": 1.001, "b": 1 }]), true),
            (json!("a"), json!("b"), false),
            (json!(true), json!(1), false),
            (json!(null), json!(null), true),
        ] {
            assert_eq!(differences(&stored, &new).is_empty(), same, "{stored} {new}");
        }
    }

    #[test]
    fn configuration_is_not_compared_nor_are_estimated_medians() {
        let metric = |median: f64| json!({ "Average": 2.0, "Median": median });
        let object = |value: Value| value.as_object().unwrap().clone();
        let new = object(json!({ "name": "b", "Number of examples": 5, "id": metric(2.0) }));
        let theirs = object(
            json!({ "name": "a", "license": null, "Number of examples": 5, "id": metric(2.07) }),
        );
        assert_eq!(conflicts(&theirs, &new), [""; 0]);
        let mut ours = theirs.clone();
        ours.insert(OURS.to_owned(), json!({ "medians": "exact" }));
        assert_eq!(conflicts(&ours, &new), ["`id.Median` was 2.07 and is 2.0"]);
        let other = object(json!({ "Number of examples": 4, "name": { "unique_count": 1 } }));
        let expected =
            ["`Number of examples` was 4 and is 5", "`name` was {\"unique_count\":1} and is \"b\""];
        assert_eq!(conflicts(&other, &new), expected);
    }
}
