//! Every row of the rules' tables, and what no answer may do to them.

use framework::environment::Trial;
use framework::responses::Response;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::trials;

mod formats;

fn row(target: &JsonValue) -> String {
    let mut row = target.clone();
    row["responses_create_params"] = json!({ "input": "?" });
    row.to_string()
}

fn target(format: &str, schema: &str) -> JsonValue {
    json!({ "schema_str": schema, "schema_type": format })
}

/// The verdict on what the model said.
async fn verdict(
    settings: &str,
    target: &JsonValue,
    items: Vec<Item>,
) -> (f64, Option<String>, String) {
    let mut trial = Trial::<StructuredOutputs>::open(settings, &row(target)).await.unwrap();
    for item in items {
        trial.play(item).await;
    }
    let verdict = trial.verify().await.unwrap();
    let extra = |name| verdict.extras.get(name).unwrap().get();
    let kind: Option<String> = serde_json::from_str(extra("error_type")).unwrap();
    let message: Option<String> = serde_json::from_str(extra("error_message")).unwrap();
    assert_eq!(kind.is_some(), message.is_some());
    assert_eq!(verdict.reward == Reward::ONE, kind.is_none());
    (verdict.reward.get(), kind, message.unwrap_or_default())
}

/// The error type of a text; `None` if it earns 1.
async fn error_type(target: &JsonValue, text: &str) -> Option<String> {
    verdict("{}", target, vec![Item::output_message("m", text)]).await.1
}

const OK: Option<&str> = None;
const INVALID: Option<&str> = Some("validation_error");
const UNPARSED: Option<&str> = Some("parse_error");

async fn json_table(rows: &[(&str, &str, Option<&str>)]) {
    for (schema, text, expected) in rows {
        let found = error_type(&target("json", schema), text).await;
        assert_eq!(found.as_deref(), *expected, "{schema}: {text}");
    }
}

/// A plan with nested objects, an enumeration and a format; it names nothing as required.
const PLAN: &str = r#"{"type":"object","properties":{
    "student":{"type":"object","properties":{"name":{"type":"string"},"id":{"type":"integer"}}},
    "term":{"type":"string","enum":["spring","autumn"]},
    "start":{"type":"string","format":"date"},
    "credits":{"type":"integer"},
    "advisor":{"type":"object","properties":{"name":{"type":"string"}},"required":[]},
    "courses":{"type":"array","items":{"type":"object","properties":{"code":{"type":"string"}}}},
    "note":{"type":"string"}}}"#;
const GOOD_PLAN: &str = r#"{"student":{"name":"Ada","id":7},"term":"spring","start":"2025-09-01","credits":30,"advisor":{"name":"Grace"},"courses":[{"code":"M1"}],"note":""}"#;

#[tokio::test]
async fn a_strict_schema_wants_every_declared_property_and_no_other() {
    let spoiled = [
        (GOOD_PLAN.to_owned(), OK),
        (GOOD_PLAN.replace("2025-09-01", "some day"), OK),
        (format!(" \n{GOOD_PLAN}\t"), OK),
        (GOOD_PLAN[..GOOD_PLAN.len() - 1].to_owned(), UNPARSED),
        (GOOD_PLAN.replace(r#","note":"""#, ""), INVALID),
        (GOOD_PLAN.replace(r#""note":"""#, r#""note":"","more":1"#), INVALID),
        (GOOD_PLAN.replace("30", r#""one hundred""#), INVALID),
        (GOOD_PLAN.replace(r#""id":7"#, r#""id":7,"more":1"#), INVALID),
        (GOOD_PLAN.replace(r#""code":"M1""#, ""), INVALID),
        (GOOD_PLAN.replace(r#""name":"Grace""#, ""), INVALID),
        (GOOD_PLAN.replace("spring", "summer"), INVALID),
        (format!("```json\n{GOOD_PLAN}\n```"), UNPARSED),
        (" \n".to_owned(), Some("empty_response")),
        (String::new(), Some("empty_response")),
    ];
    for (text, expected) in spoiled {
        let found = error_type(&target("json", PLAN), &text).await;
        assert_eq!(found.as_deref(), expected, "{text}");
    }
}

#[tokio::test]
async fn strictness_reaches_where_it_reaches() {
    let a = r#"{"type":"object","properties":{"a":{}}}"#;
    let in_list = |keyword: &str| format!(r#"{{"{keyword}":[{a}]}}"#);
    let (any_of, all_of, one_of) = (in_list("anyOf"), in_list("allOf"), in_list("oneOf"));
    let items = format!(r#"{{"items":{a}}}"#);
    let defs = format!(r##"{{"$ref":"#/$defs/a","$defs":{{"a":{a}}}}}"##);
    let negated = format!(r#"{{"not":{a}}}"#);
    json_table(&[
        (&any_of, "{}", OK),
        (&all_of, r#"{"b":1}"#, OK),
        (&one_of, "{}", OK),
        (&format!(r#"{{"prefixItems":[{a}]}}"#), "[{}]", OK),
        (&items, "[{}]", INVALID),
        (&items, r#"[{"a":1}]"#, OK),
        (&defs, "{}", INVALID),
        (&defs, r#"{"a":1}"#, OK),
        (&negated, "{}", OK),
        (&negated, r#"{"a":1}"#, INVALID),
        (r#"{"required":["a"]}"#, r#"{"a":1,"b":2}"#, OK),
        (r#"{"required":["a"]}"#, "{}", INVALID),
        (r#"{"properties":{}}"#, "{}", OK),
        (r#"{"properties":{}}"#, r#"{"a":1}"#, INVALID),
        (r#"{"properties":{},"patternProperties":{"^x":{"type":"integer"}}}"#, r#"{"x1":1}"#, OK),
        (
            r#"{"properties":{},"patternProperties":{"^x":{"type":"integer"}}}"#,
            r#"{"x1":""}"#,
            INVALID,
        ),
        (
            r#"{"properties":{"a":{}},"additionalProperties":{"type":"string"}}"#,
            r#"{"a":1,"b":""}"#,
            INVALID,
        ),
    ])
    .await;
}

#[tokio::test]
async fn types_and_equality_are_those_of_the_draft() {
    json_table(&[
        (r#"{"type":"integer"}"#, "1.0", OK),
        (r#"{"type":"integer"}"#, "1e3", OK),
        (r#"{"type":"integer"}"#, "1.5", INVALID),
        (r#"{"type":"integer"}"#, "true", INVALID),
        (r#"{"type":"number"}"#, "true", INVALID),
        (r#"{"type":["string","null"]}"#, "null", OK),
        (r#"{"type":"string","nullable":true}"#, "null", INVALID),
        (r#"{"enum":[1]}"#, "1.0", OK),
        (r#"{"enum":[1]}"#, "true", INVALID),
        (r#"{"const":0}"#, "false", INVALID),
        (r#"{"enum":[[1]]}"#, "[true]", INVALID),
        (r#"{"uniqueItems":true}"#, "[1,true]", OK),
        (r#"{"uniqueItems":true}"#, "[1,1.0]", INVALID),
        (r#"{"uniqueItems":true}"#, r#"[{"a":1,"b":2},{"b":2,"a":1}]"#, INVALID),
        (r#"{"minLength":2}"#, r#""é""#, INVALID),
        (r#"{"maxLength":1}"#, r#""😀""#, OK),
        (r#"{"format":"date"}"#, r#""nope""#, OK),
        (r#"{"unknown":5,"dependencies":{"a":["b"]}}"#, r#"{"a":1}"#, OK),
        (r#"{"$schema":"http://json-schema.org/draft-04/schema#","const":1}"#, "2", INVALID),
        ("true", "5", OK),
        ("{}", r#"{"a":[1]}"#, OK),
        ("false", "5", INVALID),
    ])
    .await;
}

#[tokio::test]
async fn multiples_are_by_division_of_floats() {
    for (divisor, number, expected) in [
        ("0.1", "0.3", INVALID),
        ("0.01", "19.99", INVALID),
        ("0.01", "4.35", INVALID),
        ("0.01", "0.07", INVALID),
        ("0.1", "0.5", OK),
        ("2", "4.0", OK),
        ("2", "5", INVALID),
        ("2", "NaN", INVALID),
        ("2", "Infinity", INVALID),
        ("0.5", "NaN", INVALID),
        ("0.5", "1e308", OK),
        ("3", "100000000000000000000000000000000000002", OK),
        ("3", "100000000000000000000000000000000000003", INVALID),
        ("1e-10", "1e300", INVALID),
        ("0.5", "Infinity", INVALID),
    ] {
        let schema = format!(r#"{{"multipleOf":{divisor}}}"#);
        let found = error_type(&target("json", &schema), number).await;
        assert_eq!(found.as_deref(), expected, "{number} of {divisor}");
    }
}

#[tokio::test]
async fn json_is_read_as_python_reads_it() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let (fine, too_deep) = (deep(900), deep(2000));
    json_table(&[
        (r#"{"type":"number"}"#, "NaN", OK),
        (r#"{"type":"number"}"#, "-Infinity", OK),
        (r#"{"type":"number"}"#, "1e999", OK),
        (r#"{"type":"integer"}"#, "1e999", INVALID),
        (r#"{"type":"integer"}"#, "123456789012345678901234567890", OK),
        (r#"{"properties":{"a":{"type":"integer"}}}"#, r#"{"a":"x","a":1}"#, OK),
        (r#"{"type":"string"}"#, r#""\ud800""#, OK),
        ("{}", "\u{feff}1", UNPARSED),
        ("{}", "[1,]", UNPARSED),
        ("{}", "1 2", UNPARSED),
        ("{}", "{'a':1}", UNPARSED),
        ("{}", "\"a\nb\"", UNPARSED),
        ("{}", &fine, OK),
        ("{}", &too_deep, UNPARSED),
    ])
    .await;
}

#[tokio::test]
async fn patterns_are_pythons() {
    json_table(&[
        (r#"{"pattern":"^\\d+$"}"#, "\"\u{663}\"", OK),
        (r#"{"pattern":"^a$"}"#, r#""a\n""#, OK),
        (r#"{"pattern":"\\Aa\\Z"}"#, r#""a""#, OK),
        (r#"{"pattern":"b"}"#, r#""abc""#, OK),
        (r#"{"pattern":"b"}"#, "5", OK),
        (r#"{"patternProperties":{"^\\w+$":{"type":"integer"}}}"#, r#"{"é":""}"#, INVALID),
    ])
    .await;
}

#[tokio::test]
async fn references_matter_when_they_are_reached() {
    json_table(&[
        (r##"{"anyOf":[{"type":"integer"},{"$ref":"#/none"}]}"##, "1", OK),
        (r##"{"anyOf":[{"$ref":"#/none"},{"type":"integer"}]}"##, "1", INVALID),
        (r##"{"items":{"$ref":"#/none"}}"##, "[]", OK),
        (r##"{"items":{"$ref":"#/none"}}"##, "[1]", INVALID),
        (r##"{"$ref":"#/definitions/a","definitions":{"a":{"type":"string"}}}"##, r#""x""#, OK),
        (r##"{"$ref":"#/$defs/a~1b%25","$defs":{"a/b%":{"type":"string"}}}"##, "1", INVALID),
        (r##"{"$ref":"#x","$defs":{"a":{"$anchor":"x","type":"string"}}}"##, r#""x""#, OK),
        (r#"{"$ref":"http://nowhere.example/x"}"#, "1", INVALID),
        (r#"{"$id":"http://a.example/r","$ref":"b","$defs":{"b":{"$id":"b","type":"string"}}}"#, "1", INVALID),
        (r#"{"$id":"http://a.example/r","$ref":"b","$defs":{"b":{"$id":"b","type":"string"}}}"#, r#""""#, OK),
        (r##"{"$ref":"#"}"##, "1", INVALID),
        (r##"{"type":"array","items":{"$ref":"#"}}"##, "[[],[[]]]", OK),
        (r##"{"not":{"type":"string","$ref":"#/none"}}"##, "1", OK),
        (r##"{"not":{"$ref":"#/none","type":"string"}}"##, "1", INVALID),
        (
            r##"{"$id":"http://a.example/t","$dynamicAnchor":"n","type":"object","additionalProperties":{"$dynamicRef":"#n"}}"##,
            r#"{"a":{"b":5}}"#,
            INVALID,
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_dynamic_reference_skips_documents_that_no_reference_led_through() {
    let schema = r##"{"$id":"http://a.example/main","properties":{"x":{"$ref":"bar#/$defs/item"}},
        "$defs":{"bar":{"$id":"bar","items":{"$ref":"item"},"$defs":{
            "item":{"$id":"item","properties":{"c":{"$dynamicRef":"#c"}},
                "$defs":{"default":{"$dynamicAnchor":"c","type":"integer"}}},
            "c":{"$dynamicAnchor":"c","type":"string"}}}}}"##;
    json_table(&[(schema, r#"{"x":{"c":42}}"#, OK), (schema, r#"{"x":{"c":"value"}}"#, INVALID)])
        .await;
}

#[tokio::test]
async fn a_discriminator_chooses_the_schema() {
    let schema = r##"{"anyOf":[{"type":"object"}],
        "discriminator":{"propertyName":"kind","mapping":{"c":"#/$defs/cat","x":"#/none"}},
        "$defs":{"cat":{"required":["meow"]}},"components":{"schemas":{"dog":{"required":["bark"]}}}}"##;
    json_table(&[
        (schema, r#"{"kind":"c","meow":1}"#, OK),
        (schema, r#"{"kind":"c"}"#, INVALID),
        (schema, r#"{"kind":"dog","bark":1}"#, OK),
        (schema, r#"{"kind":"dog"}"#, INVALID),
        (schema, r#"{"kind":"x"}"#, INVALID),
        (schema, r#"{"kind":"fish"}"#, INVALID),
        (schema, r#"{"kind":""}"#, INVALID),
        (schema, "{}", INVALID),
        (schema, "[]", INVALID),
        (r#"{"discriminator":{"propertyName":"kind"}}"#, "{}", OK),
    ])
    .await;
}

#[tokio::test]
async fn every_other_keyword_holds() {
    json_table(&[
        (r#"{"minimum":1,"exclusiveMaximum":3}"#, "1", OK),
        (r#"{"minimum":1,"exclusiveMaximum":3}"#, "3", INVALID),
        (r#"{"maximum":1}"#, "NaN", OK),
        (r#"{"exclusiveMinimum":1}"#, "1", INVALID),
        (r#"{"minItems":1,"maxItems":2}"#, "[]", INVALID),
        (r#"{"minProperties":1,"maxProperties":1}"#, r#"{"a":1,"b":2}"#, INVALID),
        (r#"{"prefixItems":[{"type":"string"}],"items":false}"#, r#"["a"]"#, OK),
        (r#"{"prefixItems":[{"type":"string"}],"items":false}"#, r#"["a",1]"#, INVALID),
        (r#"{"contains":{"type":"string"},"maxContains":1}"#, r#"["a",1]"#, OK),
        (r#"{"contains":{"type":"string"},"maxContains":1}"#, r#"["a","b"]"#, INVALID),
        (r#"{"contains":{"type":"string"},"minContains":0}"#, "[]", OK),
        (r#"{"propertyNames":{"maxLength":1}}"#, r#"{"ab":1}"#, INVALID),
        (r#"{"dependentRequired":{"a":["b"]}}"#, r#"{"a":1}"#, INVALID),
        (r#"{"dependentSchemas":{"a":{"required":["b"]}}}"#, r#"{"a":1}"#, INVALID),
        (r#"{"if":{"type":"string"},"then":{"minLength":1},"else":{"minimum":1}}"#, "0", INVALID),
        (r#"{"if":{"type":"string"},"then":{"minLength":1}}"#, r#""""#, INVALID),
        (r#"{"oneOf":[{"type":"integer"},{"minimum":2}]}"#, "3", INVALID),
        (r#"{"oneOf":[{"type":"integer"},{"minimum":2}]}"#, "1", OK),
        (r#"{"allOf":[{"required":["a"]}],"unevaluatedProperties":false}"#, r#"{"a":1}"#, INVALID),
        (r#"{"allOf":[{"properties":{"a":{}}}],"unevaluatedProperties":false}"#, r#"{"a":1}"#, OK),
        (r#"{"prefixItems":[{}],"unevaluatedItems":false}"#, "[1,2]", INVALID),
        (r#"{"contains":{"type":"string"},"unevaluatedItems":false}"#, r#"["a"]"#, OK),
    ])
    .await;
}

#[tokio::test]
async fn rows_whose_schema_nothing_can_meet_are_malformed() {
    for (schema, expected) in [
        ("{", "`schema_str` can be met by nothing: JSONDecodeError"),
        ("[]", "`#` must be a schema"),
        ("\"x\"", "`#` must be a schema"),
        ("null", "`#` must be a schema"),
        (r#"{"type":"text"}"#, "`#/type` must be a type"),
        (r#"{"properties":{"a":{"required":true}}}"#, "`#/properties/a/required` must be a list"),
        (r#"{"items":[{}]}"#, "`#/items` must be a schema"),
        (r#"{"exclusiveMinimum":true}"#, "must be a number"),
        (r#"{"minLength":-1}"#, "must be a whole number"),
        (r#"{"title":5}"#, "must be text"),
        (r##"{"$id":"a#b"}"##, "without a fragment"),
        (r#"{"definitions":{"a":5}}"#, "`#/definitions/a` must be a schema"),
        (r#"{"pattern":"\\p{L}"}"#, "no pattern of Python's `re`: bad escape"),
        (r#"{"patternProperties":{"(?<=a+)b":{}}}"#, "look-behind requires fixed-width"),
        (r#"{"properties":[]}"#, "`properties` must be an object"),
        (r#"{"properties":{"properties":{"type":"string"}}}"#, "must be a schema"),
        (r#"{"const":{"properties":[1]}}"#, "`properties` must be an object"),
    ] {
        let opened = Trial::<StructuredOutputs>::open("{}", &row(&target("json", schema))).await;
        let error = opened.err().unwrap().to_string();
        assert!(error.contains(expected), "{schema}: {error}");
    }
    for (keys, expected) in [
        (json!({}), "schema_str"),
        (json!({ "schema_str": {} }), "schema_str"),
        (json!({ "schema_str": "{}", "schema_type": "JSON" }), "schema_type"),
        (json!({ "schema_str": "{}", "response_mode": "call" }), "response_mode"),
    ] {
        let error = Trial::<StructuredOutputs>::open("{}", &row(&keys)).await.err().unwrap();
        assert!(error.to_string().contains(expected), "{keys}: {error}");
    }
}

/// A schema with one property of a type, in objects.
fn property(kind: &str) -> String {
    format!(r#"{{"type":"object","properties":{{"a":{{"type":{kind}}}}}}}"#)
}

const PERSON: &str = r#"{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"},
    "home":{"type":"object","properties":{"city":{"type":"string"}}}}}"#;

fn call(name: &str, arguments: &str) -> Item {
    let function = framework::responses::FunctionCall {
        call_id: "c".into(),
        name: name.into(),
        arguments: arguments.into(),
    };
    Item::function_call("f", function)
}

#[tokio::test]
async fn a_tool_call_carries_the_answer() {
    let call_of = |keys: JsonValue| {
        let mut target = target("json", &property(r#""integer""#));
        target["response_mode"] = json!("tool_call");
        target.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        target
    };
    let direct = call_of(json!({ "tool_name": "extract" }));
    let wrapped = call_of(json!({ "tool_name": "extract", "tool_payload_key": "extraction" }));
    let summary = call_of(json!({ "tool_payload_key": "summary" }));
    let good = r#"{"a":1}"#;
    let inside = |key: &str| format!(r#"{{"{key}":{good}}}"#);
    for (target, calls, expected) in [
        (&direct, vec![call("extract", good)], None),
        (&wrapped, vec![call("extract", &inside("extraction"))], None),
        (&summary, vec![call("whatever", &inside("summary"))], None),
        (&direct, vec![call("other", good)], Some("wrong_tool_name")),
        (&direct, vec![], Some("missing_tool_call")),
        (&direct, vec![Item::output_message("m", good)], Some("missing_tool_call")),
        (&direct, vec![call("extract", good), call("extract", good)], Some("multiple_tool_calls")),
        (&direct, vec![call("extract", "{")], Some("tool_arguments_parse_error")),
        (&direct, vec![call("extract", r#"{"a":"x"}"#)], INVALID),
        (&wrapped, vec![call("extract", good)], Some("missing_tool_payload_key")),
        (&wrapped, vec![call("extract", "[]")], Some("missing_tool_payload_key")),
        (&wrapped, vec![call("extract", &inside("summary"))], Some("missing_tool_payload_key")),
    ] {
        let (_, kind, message) = verdict("{}", target, calls.clone()).await;
        assert_eq!(kind.as_deref(), expected, "{target} {calls:?}: {message}");
    }
}

#[tokio::test]
async fn a_response_that_says_it_failed_is_no_tool_call() {
    let wire = r#"{"id":"r","output":[],"error":{"code":"server_error","message":"x"}}"#;
    let response = Response::parse(wire).unwrap();
    let Said::Error(error) = said(ResponseMode::ToolCall, &response) else { panic!() };
    assert!(error.contains("server_error"));
    assert!(matches!(said(ResponseMode::Text, &response), Said::Text(_)));
}

#[tokio::test]
async fn messages_name_the_exception_and_are_short() {
    let say = |text: &str| vec![Item::output_message("m", text)];
    let (_, _, message) = verdict("{}", &target("json", "{}"), say("{")).await;
    let words = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)";
    assert_eq!(message, format!("JSONDecodeError: {words}"));
    let many =
        format!("{{{}}}", (0..99).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(","));
    let (_, _, message) = verdict("{}", &target("json", r#"{"properties":{}}"#), say(&many)).await;
    assert!(message.starts_with("ValidationError: additional properties: `k0`"), "{message}");
    assert_eq!(message.chars().count(), "ValidationError: ".len() + 200);
    let (_, _, message) =
        verdict("{}", &target("json", PERSON), say(r#"{"name":1,"age":1,"home":{}}"#)).await;
    assert_eq!(message, "ValidationError: `name`: is not of type string");
}

#[tokio::test]
async fn parts_are_joined_without_anything_and_other_items_are_nothing() {
    let items = [
        r#"{"role":"assistant","content":"ignored"}"#,
        r#"{"role":"assistant","content":[{"type":"output_text","text":"{\"a\""},{"type":"output_text","text":":1}"}]}"#,
        r#"{"type":"reasoning","id":"r","summary":[]}"#,
    ];
    let items = items.iter().map(|item| Item::parse(item).unwrap()).collect();
    assert_eq!(verdict("{}", &target("json", &property(r#""integer""#)), items).await.1, None);
}

#[tokio::test]
async fn a_validation_without_end_fails_and_scores_nothing() {
    let pattern = target("json", r#"{"pattern":"(?=((?:a|aa)+)$)\\1(?:x|y(?=z))b"}"#);
    let doubling = (1..40).map(|n| {
        let next = format!(r##"{{"$ref":"#/$defs/d{}"}}"##, n - 1);
        format!(r#""d{n}":{{"allOf":[{next},{next}]}}"#)
    });
    let defs = doubling.collect::<Vec<_>>().join(",");
    let explosive = format!(r##"{{"$ref":"#/$defs/d39","$defs":{{"d0":{{}},{defs}}}}}"##);
    for (target, text) in [
        (pattern, format!("\"{}!\"", "a".repeat(60))),
        (target("json", &explosive), "1".to_owned()),
    ] {
        let mut trial = Trial::<StructuredOutputs>::open("{}", &row(&target)).await.unwrap();
        trial.play(Item::output_message("m", &text)).await;
        let error = trial.verify().await.unwrap_err();
        assert!(!error.is_retryable() && error.to_string().contains("steps"), "{error}");
    }
}

#[tokio::test]
async fn a_mebibyte_of_anything_is_validated() {
    let schema = r##"{"type":["object","array"],"uniqueItems":true,"items":{"$ref":"#"},
        "additionalProperties":{"$ref":"#"},"patternProperties":{"^a+$":{"type":"string"}}}"##;
    for unit in [
        "[",
        "{\"a\":",
        "- ",
        "a: ",
        "<a>",
        "[a]\n",
        "a,\"b\",\n",
        "\"",
        "1,",
        "&a ",
        "? ",
        "a = {",
        "'",
        "\n",
    ] {
        let text = unit.repeat((1 << 20) / unit.len());
        for format in ["json", "yaml", "xml", "toml", "csv"] {
            let _ = error_type(&target(format, schema), &text).await;
        }
    }
    let numbers: Vec<_> = (0..150_000).map(|n| n.to_string()).collect();
    let list = format!("[{}]", numbers.join(","));
    let unique = r#"{"uniqueItems":true,"items":{"type":"integer"}}"#;
    assert_eq!(error_type(&target("json", unique), &list).await, None);
    assert_eq!(
        error_type(&target("json", unique), &list.replacen("[0,1", "[1,1", 1)).await.as_deref(),
        INVALID
    );
}

#[tokio::test]
async fn aliases_of_aliases_do_not_fill_the_memory() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(",");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert_eq!(error_type(&target("yaml", "{}"), &text).await.as_deref(), UNPARSED);
}

proptest! {
    #[test]
    fn no_answer_makes_a_verifier_panic(
        text in r#"([\[\]{}:,"'<>/=&*!|#\-\n \t]|[a-c1-3]|&amp;|"a"|true|null|---|<a>|</a>|\\u00e9|.){0,40}"#,
    ) {
        let schema = r##"{"properties":{"a":{"$ref":"#"}},"items":{"type":"integer"},"unevaluatedProperties":false}"##;
        for format in ["json", "yaml", "xml", "toml", "csv"] {
            let row: Row = serde_json::from_value(target(format, schema)).unwrap();
            let task = Task::try_from(row).unwrap();
            let failure = task.failure(&Said::Text(text.clone()), true).unwrap();
            prop_assert!(failure.is_none_or(|failure| failure.message.chars().count() < 300));
        }
    }

    #[test]
    fn what_python_writes_is_what_the_other_formats_read(number in any::<i64>(), text in "[a-z ]{1,9}") {
        let schema = r#"{"type":"object","properties":{"n":{"type":"integer"},"t":{"type":"string"}}}"#;
        let quoted = serde_json::to_string(&text).unwrap();
        for (format, answer) in [
            ("json", format!(r#"{{"n":{number},"t":{quoted}}}"#)),
            ("yaml", format!("n: {number}\nt: {quoted}\n")),
            ("toml", format!("n = {number}\nt = {quoted}\n")),
        ] {
            let row: Row = serde_json::from_value(target(format, schema)).unwrap();
            let failure = Task::try_from(row).unwrap().failure(&Said::Text(answer), true).unwrap();
            prop_assert_eq!(failure, None);
        }
    }
}

#[tokio::test]
async fn gold_answers_earn_1_and_silence_less() {
    trials::gold_answers_earn_1::<StructuredOutputs>().await;
    trials::silence_earns_less::<StructuredOutputs>().await;
}
