//! What texts come to, and what is said about those that come to nothing.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

fn resolve(tree: Json) -> (Node, Vec<String>) {
    let variables =
        [("PORT", "8000"), ("VERSION", "1.10"), ("EMPTY", ""), ("OPENAI_API_KEY", "sk-123")];
    let variables = variables.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    let mut root = Node::from(tree);
    root.mark_secrets(Secrecy::Open);
    let (node, problems) = interpolate(&root, &variables, Leave::Nothing);
    (node, problems.iter().map(Problem::to_string).collect())
}

#[test]
fn references_take_values_and_build_texts() {
    let cases = [
        (json!({"x": "${a}", "a": 4}), json!(4)),
        (json!({"x": "${a.b}", "a": {"b": [1, {"c": true}]}}), json!([1, {"c": true}])),
        (json!({"x": "${a.1}", "a": ["p", "q"]}), json!("q")),
        (json!({"x": "http://${h}:${p}/v1", "h": "host", "p": 80}), json!("http://host:80/v1")),
        (json!({"x": "${a.${b}}", "a": {"c": 3}, "b": "c"}), json!(3)),
        (json!({"x": "${a}", "a": "${b}", "b": "${c}", "c": null}), json!(null)),
        (json!({"x": "${a.k}", "a": "${b}", "b": {"k": 5}}), json!(5)),
        (json!({"x": "${a}", "a": "\\${b}"}), json!("${b}")),
        (json!({"x": "a\\${b}c"}), json!("a${b}c")),
        (json!({"x": "${\"a.b\"}", "a.b": 1}), json!(1)),
        (json!({"x": "${env:PORT}"}), json!(8000)),
        (json!({"x": "v${env:VERSION}"}), json!("v1.10")),
        (json!({"x": "${env:EMPTY,no}"}), json!("")),
        (json!({"x": "${env:NO,7}"}), json!(7)),
        (json!({"x": "${env:NO, http://h:1/}"}), json!("http://h:1/")),
        (json!({"x": "${env:NO,}"}), json!("")),
        (json!({"x": "${env:NO,${a}}", "a": [1]}), json!([1])),
        (json!({"x": "${env:PORT,${nothing}}"}), json!(8000)),
        (json!({"x": "${oc.env:${n}}", "n": "PORT"}), json!(8000)),
        (json!({"x": "$a {b} $ {c}"}), json!("$a {b} $ {c}")),
        (json!({"x": "${a[1][0]}", "a": [1, ["q"]]}), json!("q")),
        (json!({"x": "${a.b}", "a": {"b": "${.c}", "c": "${..d}"}, "d": 2}), json!(2)),
        (json!({"x": "${oc.select:a.b,${d}}", "a": 1, "d": 2}), json!(2)),
        (json!({"x": "${oc.select:a,2}", "a": 1}), json!(1)),
        (json!({"x": "${oc.decode:${env:PORT}}"}), json!(8000)),
        (json!({"x": "${env:NO,'a, b'}"}), json!("a, b")),
    ];
    for (tree, expected) in cases {
        let (node, problems) = resolve(tree.clone());
        assert_eq!(problems, [""; 0], "{tree}");
        assert_eq!(node.get("x").unwrap().to_json(), expected, "{tree}");
    }
}

#[test]
fn what_cannot_be_interpolated_is_said_with_its_path() {
    let cases = [
        (
            json!({"x": "${polcy}", "policy": 1}),
            "`x`: `${polcy}` refers to nothing; did you mean `policy`?",
        ),
        (json!({"x": "${a.c1}", "a": {"c2": 1}}), "`x`: `${a.c1}` refers to nothing"),
        (
            json!({"x": "${a.modle}", "a": {"model": 1}}),
            "`x`: `${a.modle}` refers to nothing; did you mean `a.model`?",
        ),
        (json!({"x": "${env:NO}"}), "`x`: environment variable `NO` is not set"),
        (json!({"x": "${foo:1}"}), "`x`: unknown resolver `foo`"),
        (json!({"x": "a ${b"}), "`x`: `${` is never closed"),
        (
            json!({"x": "a ${b}", "b": {"c": 1}}),
            "`x`: `${b}` is a map and cannot stand inside a text",
        ),
        (json!({"x": "a ${b}", "b": null}), "`x`: `${b}` is null and cannot stand inside a text"),
        (json!({"x": "${}"}), "`x`: `` is not a key path"),
        (json!({"x": "${x}"}), "`x`: interpolation cycle: `x` -> `x`"),
        (json!({"a": {"b": "${a}"}}), "`a.b`: interpolation cycle: `a` -> `a`"),
        (
            json!({"x": "${${api_key}}", "api_key": "s"}),
            "`x`: invalid value (not shown, since it holds a secret)",
        ),
    ];
    for (tree, message) in cases {
        assert_eq!(resolve(tree).1, [message]);
    }
}

#[test]
fn a_cycle_is_reported_once_and_with_its_whole_chain() {
    let (node, problems) = resolve(json!({"a": "${b}", "b": "-${c}-", "c": "${a}", "d": "${a}"}));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].ends_with("interpolation cycle: `a` -> `b` -> `c` -> `a`"));
    assert_eq!(node.get("d").unwrap().value, Value::Broken);
}

#[test]
fn one_mistake_that_many_refer_to_is_one_problem() {
    let (_, problems) =
        resolve(json!({"a": "${nothing}", "b": "${a}", "c": "x${a}", "d": ["${b}"]}));
    assert_eq!(problems, ["`a`: `${nothing}` refers to nothing"]);
}

#[test]
fn what_is_made_of_a_secret_is_a_secret() {
    let (node, _) = resolve(json!({
        "api_key": "sk-123", "header": "Bearer ${api_key}", "copy": "${header}", "open": "${model}", "model": "m",
        "hf_token": "${model}", "from_env": "${env:OPENAI_API_KEY}", "tree": {"authorization": ["a"]}, "all": "${tree}",
    }));
    let masked = node.to_masked_json();
    let expected = json!({
        "api_key": "***", "header": "***", "copy": "***", "open": "m", "model": "m",
        "hf_token": "***", "from_env": "***", "tree": {"authorization": ["***"]}, "all": {"authorization": ["***"]},
    });
    assert_eq!(masked, expected);
}

#[test]
fn interpolations_without_end_are_bounded() {
    let mut doubling = serde_json::Map::new();
    doubling.insert("a0".into(), json!("x"));
    for level in 1..20 {
        doubling.insert(format!("a{level}"), json!(format!("${{a{0}}}${{a{0}}}", level - 1)));
    }
    assert_eq!(resolve(Json::Object(doubling)).1.len(), 1);
    let mut chain = serde_json::Map::new();
    chain.insert("a00".into(), json!("x"));
    for level in 1..50 {
        chain.insert(format!("a{level:02}"), json!(format!("${{a{:02}}}", level - 1)));
    }
    let problems = resolve(Json::Object(chain)).1;
    assert!(
        problems
            .iter()
            .all(|problem| problem.ends_with("more than 32 interpolations inside each other"))
    );
    assert!(!problems.is_empty());
}

#[test]
fn what_is_left_is_what_a_later_interpolation_finds() {
    let tree = json!({
        "url": "http://${host}:${port}/${a.b}", "a": {"b": "x", "c": "\\${d}", "e": "${.b}"},
        "host": "h", "port": "${env:PORT}", "copy": "${a.c}", "unknown": "${nothing} ${oc.env:NO}",
        "default": "${oc.env:NO,7}", "inner": "${${which}}", "which": "host",
    });
    let root = Node::from(tree);
    let variables = [("PORT".to_owned(), "8000".to_owned())].into();
    let names = ["host", "port", "which"].map(str::to_owned).into();
    let (kept, problems) = interpolate(&root, &variables, Leave::Variables(&names));
    assert_eq!(problems, []);
    let expected = json!({
        "url": "http://${host}:${port}/x", "a": {"b": "x", "c": "\\${d}", "e": "x"},
        "host": "h", "port": "${env:PORT}", "copy": "\\${d}", "unknown": "${nothing} ${env:NO}",
        "default": "${env:NO,7}", "inner": "h", "which": "host",
    });
    assert_eq!(kept.to_json(), expected);
    let (whole, problems) = interpolate(&root, &variables, Leave::Unknown);
    assert_eq!(problems, []);
    let url = whole.get("url").unwrap().to_json();
    assert_eq!(
        (url, whole.get("default").unwrap().to_json()),
        (json!("http://h:8000/x"), json!(7))
    );
    assert_eq!(whole.get("unknown").unwrap().to_json(), json!("${nothing} ${env:NO}"));
}

proptest! {
    #[test]
    fn interpolating_twice_is_interpolating_once(texts in prop::collection::vec("(a|\\$|\\{|b|\\$\\{[ab]\\}){0,5}", 1..5)) {
        let tree = json!({"a": 1, "b": "text", "texts": texts});
        let (once, problems) = resolve(tree);
        prop_assume!(problems.is_empty());
        let (twice, problems) = interpolate(&once, &Variables::new(), Leave::Nothing);
        prop_assert!(problems.is_empty());
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[a$\\{}\\\\:,.\"é ]{0,12}") {
        resolve(json!({"a": text, "b": "${a}"}));
    }
}
