//! Tool arguments: from the model's text to typed values.
//!
//! What fits is read by `serde` at full speed. The rest is read as NeMo Gym reads it, with pydantic's
//! conversions, and what still does not fit is answered in its words: models are trained on these
//! texts, and correct themselves by them.

mod coerce;
mod problem;

use serde::de::DeserializeOwned;

use super::python::{DecodeError, Json};
use super::schema::Schema;
use super::tools::ToolError;

use problem::Problem;

/// Why arguments, or the keys of a row, do not fit their schema.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArgumentsError {
    /// Not JSON.
    #[error("{0}")]
    Json(#[from] DecodeError),
    /// JSON that does not fit, with all that is wrong with it.
    #[error("{}", problem::list(.0))]
    Invalid(Vec<Problem>),
}

impl ArgumentsError {
    /// What NeMo Gym lets the model read.
    fn into_tool_error(self) -> ToolError {
        ToolError::text(match self {
            Self::Json(error) => {
                let text = format!("Invalid tool call arguments: {error}");
                format!("{{\"error\": {}}}", super::python::Quoted(&text))
            }
            Self::Invalid(problems) => problem::body(&problems),
        })
    }
}

/// Parses arguments.
///
/// # Errors
/// Fails if the text is not JSON or does not fit; the error is for the model to read.
pub(super) fn parse_arguments<A: DeserializeOwned>(
    schema: &Schema,
    text: &str,
) -> Result<A, ToolError> {
    parse_with_schema(schema, text).map_err(ArgumentsError::into_tool_error)
}

/// Parses the text of an object that a schema describes.
pub(super) fn parse_with_schema<A: DeserializeOwned>(
    schema: &Schema,
    text: &str,
) -> Result<A, ArgumentsError> {
    let may_fit = schema.is_plain() && text.trim_ascii_start().starts_with('{');
    if may_fit && let Ok(arguments) = serde_json::from_str(text) {
        return Ok(arguments);
    }
    let body = Json::parse(text)?;
    if matches!(body, Json::Null) {
        return Err(ArgumentsError::Invalid(vec![Problem::missing(Vec::new(), &body)]));
    }
    let coerced = coerce::coerce(schema.as_value(), &body).map_err(ArgumentsError::Invalid)?;
    deserialize(&coerced, &body)
}

/// Reads a value that fits its schema. It may yet not fit its type: too big, or against a rule that
/// the type checks itself.
fn deserialize<A: DeserializeOwned>(coerced: &Json, body: &Json) -> Result<A, ArgumentsError> {
    let text = coerced.to_string();
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| ArgumentsError::Invalid(vec![Problem::of_type(&error, body)]))
}

#[cfg(test)]
mod tests {
    use super::super::python::reference;
    use super::super::schema::schema_of;
    use super::*;
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Deserialize, JsonSchema, Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Unit {
        Celsius,
        Kelvin,
        Fahrenheit,
    }

    #[derive(Debug, Default, Deserialize, JsonSchema, Serialize)]
    struct Everything {
        #[serde(default)]
        i: i64,
        #[serde(default)]
        f: f64,
        #[serde(default)]
        s: String,
        #[serde(default)]
        b: bool,
        #[serde(default)]
        l: Vec<i64>,
        o: Option<i64>,
        n: Option<Box<Inner>>,
        u: Option<Unit>,
        #[serde(default)]
        d: std::collections::BTreeMap<String, i64>,
    }

    #[derive(Debug, Deserialize, JsonSchema, Serialize)]
    struct Inner {
        a: i64,
        b: String,
        l: Option<Vec<Option<f64>>>,
    }

    fn answer(text: &str) -> String {
        match parse_arguments::<Everything>(&schema_of::<Everything>(), text) {
            Ok(value) => serde_json::to_string(&value).unwrap(),
            Err(error) => error.into_text(),
        }
    }

    #[test]
    fn every_error_of_the_specification_has_its_text() {
        #[derive(Debug, Deserialize, JsonSchema)]
        #[expect(dead_code, reason = "only the errors matter")]
        struct Arguments {
            count: i64,
            city: String,
        }
        let schema = schema_of::<Arguments>();
        for (text, expected) in [
            (
                "null",
                r#"{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}"#,
            ),
            (
                "[1]",
                r#"{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":[1]}]}"#,
            ),
            (
                "\"x\"",
                r#"{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":"x"}]}"#,
            ),
            (
                r#"{"z": "é"}"#,
                r#"{"detail":[{"type":"missing","loc":["body","count"],"msg":"Field required","input":{"z":"é"}},{"type":"missing","loc":["body","city"],"msg":"Field required","input":{"z":"é"}}]}"#,
            ),
            (
                r#"{"count":"x","city":1}"#,
                r#"{"detail":[{"type":"int_parsing","loc":["body","count"],"msg":"Input should be a valid integer, unable to parse string as an integer","input":"x"},{"type":"string_type","loc":["body","city"],"msg":"Input should be a valid string","input":1}]}"#,
            ),
            (
                r#"{"count":2.5,"city":""}"#,
                r#"{"detail":[{"type":"int_from_float","loc":["body","count"],"msg":"Input should be a valid integer, got a number with a fractional part","input":2.5}]}"#,
            ),
            (
                r#"{"count":NaN,"city":""}"#,
                r#""ValueError('Out of range float values are not JSON compliant')""#,
            ),
            (
                r#"{"count":}"#,
                r#"{"error": "Invalid tool call arguments: JSONDecodeError('Expecting value: line 1 column 10 (char 9)')"}"#,
            ),
            (
                r#"{"count" 1}"#,
                r#"{"error": "Invalid tool call arguments: JSONDecodeError(\"Expecting ':' delimiter: line 1 column 10 (char 9)\")"}"#,
            ),
            (
                r#"{"count":100000000000000000000,"city":""}"#,
                r#"{"detail":[{"type":"value_error","loc":["body","count"],"msg":"Value error, invalid type: floating point `1e+20`, expected i64","input":100000000000000000000}]}"#,
            ),
        ] {
            let error = parse_arguments::<Arguments>(&schema, text).unwrap_err();
            assert_eq!(error.into_text(), expected, "{text}");
        }
    }

    #[test]
    fn forms_that_only_serde_takes_are_refused() {
        for (text, expected) in [
            ("[1,2.0,\"s\"]", "model_attributes_type"),
            (r#"{"n":[1,"b",null]}"#, "model_attributes_type"),
            (r#"{"u":{"celsius":null}}"#, "Input should be 'celsius', 'kelvin' or 'fahrenheit'"),
        ] {
            assert!(answer(text).contains(expected), "{text}: {}", answer(text));
        }
    }

    /// Bodies of every kind, right and wrong.
    const BODIES: [&str; 38] = [
        "{}",
        "[]",
        "7",
        "true",
        r#"{"i":"1_0","f":"1e3","b":"on","l":["1",true,2.0],"o":"5"}"#,
        r#"{"i":1,"i":2}"#,
        r#"{"i":"x","f":"q","s":1,"b":"maybe","l":3,"o":"x","n":1,"u":"x","d":[]}"#,
        r#"{"i":null,"f":null,"s":null,"b":null,"l":null,"o":null,"n":null,"u":null,"d":null}"#,
        r#"{"l":[1,null,"x",1.5]}"#,
        r#"{"l":{"a":1}}"#,
        r#"{"n":{}}"#,
        r#"{"n":{"a":"7","b":"é"}}"#,
        r#"{"n":{"a":[],"b":{},"l":[1,"x",null,"2"]}}"#,
        r#"{"n":"{}"}"#,
        r#"{"u":"kelvin"}"#,
        r#"{"u":1}"#,
        r#"{"d":{"x":"1","y":"z","w":2.5}}"#,
        r#"{"unknown":[{"deep":1e22}],"i":2.0}"#,
        r#"{"i":9007199254740993}"#,
        r#"{"i":"9007199254740993"}"#,
        r#"{"i":9007199254740993.0}"#,
        r#"{"f":9007199254740993}"#,
        r#"{"f":1e22}"#,
        r#"{"f":true}"#,
        r#"{"f":"x y"}"#,
        r#"{"f":[]}"#,
        r#"{"s":"a\u00e9\n\"\\"}"#,
        r#"{"s":["\u001f\u007f\b\f"]}"#,
        r#"{"b":2}"#,
        r#"{"b":0.5}"#,
        r#"{"b":"NO"}"#,
        r#"{"o":[1e-7,1e16,-0.0]}"#,
        r#"{"n":{"a":1,"b":"x","l":"abc"}}"#,
        r#"{"n":{"b":"x"},"i":"y"}"#,
        r#"{"i":1e19}"#,
        r#"{"i":{"a":{"b":[]}}}"#,
        r#"{"l":["1.0"," 2 ","x"]}"#,
        r#"{"d":{}}"#,
    ];

    /// The same types and the same envelope, in pydantic and as FastAPI wraps it.
    const SCRIPT: &str = r#"
import json, sys
from enum import Enum
from typing import Optional
from pydantic import BaseModel, TypeAdapter, ValidationError
Unit = Enum("Unit", {"C": "celsius", "K": "kelvin", "F": "fahrenheit"})
class Inner(BaseModel):
    a: int
    b: str
    l: Optional[list[Optional[float]]] = None
class Everything(BaseModel):
    i: int = 0
    f: float = 0.0
    s: str = ""
    b: bool = False
    l: list[int] = []
    o: Optional[int] = None
    n: Optional[Inner] = None
    u: Optional[Unit] = None
    d: dict[str, int] = {}
adapter = TypeAdapter(Everything)
def show(value): return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
def item(error):
    found = {"type": error["type"], "loc": ("body",) + error["loc"], "msg": error["msg"], "input": error["input"]}
    return found | ({"ctx": error["ctx"]} if "ctx" in error else {})
for text in json.load(sys.stdin):
    try: print(show(adapter.validate_python(json.loads(text), from_attributes=True).model_dump(mode="json")))
    except ValidationError as error: print(show({"detail": [item(e) for e in error.errors()]}))
"#;

    #[test]
    fn pydantic_itself_reads_and_answers_the_same() {
        let Some(output) = reference::python(SCRIPT, &serde_json::to_string(&BODIES[..]).unwrap())
        else {
            return;
        };
        for (text, expected) in BODIES.iter().zip(output.lines()) {
            let (ours, theirs) = (answer(text), Json::parse(expected).unwrap());
            let is_error = expected.starts_with("{\"detail\"");
            assert!(Json::parse(&ours).unwrap().equals(&theirs), "{text}:\n{ours}\n{expected}");
            assert!(!is_error || ours == expected, "{text}:\n{ours}\n{expected}");
        }
    }

    #[test]
    fn reading_what_was_read_changes_nothing() {
        for text in BODIES {
            let once = answer(text);
            if !once.starts_with("{\"detail\"") {
                assert_eq!(answer(&once), once, "{text}");
            }
        }
    }

    #[test]
    fn a_megabyte_of_arguments_is_no_trouble() {
        let text = format!(r#"{{"l":[{}"x"]}}"#, "\"1\",".repeat(1 << 18));
        let error = answer(&text);
        assert!(
            error.contains(r#""loc":["body","l",262144]"#),
            "{}",
            &error[..200.min(error.len())]
        );
        let text = format!(r#"{{"l":[{}]}}"#, "null,".repeat(1 << 18) + "1");
        assert!(answer(&text).len() < 1 << 20);
        let text = format!(r#"{{"i":{}"#, "[".repeat(1 << 20));
        assert!(answer(&text).contains("RecursionError"));
    }

    #[test]
    fn numbers_of_any_size_arrive_exactly() {
        use super::super::python::Integer;
        #[derive(Deserialize, JsonSchema)]
        struct Big {
            count: Integer,
        }
        let schema = schema_of::<Big>();
        let digits = "123456789".repeat(10);
        for text in [format!(r#"{{"count":{digits}}}"#), format!(r#"{{"count":" {digits}.0"}}"#)] {
            let big: Big = parse_arguments(&schema, &text).unwrap();
            assert_eq!(big.count.as_str(), digits);
        }
    }

    #[test]
    fn floats_beyond_json_reach_those_who_take_them() {
        use super::super::python::Float;
        #[derive(Debug, Deserialize, JsonSchema)]
        struct Arguments {
            a: Option<Float>,
            b: Option<f64>,
        }
        let schema = schema_of::<Arguments>();
        let read = |text| parse_arguments::<Arguments>(&schema, text);
        assert!(read(r#"{"a":NaN}"#).unwrap().a.unwrap().0.is_nan());
        assert_eq!(read(r#"{"a":" -inf","b":"2_0"}"#).unwrap().a, Some(Float(f64::NEG_INFINITY)));
        assert_eq!(read(r#"{"a":null,"b":true}"#).unwrap().b, Some(1.0));
        let error = read(r#"{"b":"inf"}"#).unwrap_err().into_text();
        assert!(error.contains(r#""loc":["body","b"]"#), "{error}");
    }

    #[test]
    fn who_takes_any_arguments_gets_them_all_however_they_are_read() {
        #[derive(Debug, Deserialize, JsonSchema)]
        #[schemars(extend("additionalProperties" = true))]
        struct Any {
            b: Option<f64>,
            #[serde(flatten)]
            #[schemars(skip)]
            others: std::collections::BTreeMap<String, serde_json::Value>,
        }
        let schema = schema_of::<Any>();
        for (text, b) in
            [(r#"{"a":[1],"b":2,"c":null}"#, 2.0), (r#"{"a":[1],"b":"2","c":null}"#, 2.0)]
        {
            let read: Any = parse_arguments(&schema, text).unwrap();
            assert_eq!(read.b, Some(b), "{text}");
            let others = serde_json::to_string(&read.others).unwrap();
            assert_eq!(others, r#"{"a":[1],"c":null}"#, "{text}");
        }
        let error = parse_arguments::<Any>(&schema, r#"{"a":NaN}"#).unwrap_err().into_text();
        assert!(error.contains("ValueError"), "{error}");
    }

    #[test]
    fn no_float_is_off_by_a_bit() {
        #[derive(Deserialize, JsonSchema)]
        struct Arguments {
            a: f64,
        }
        let schema = schema_of::<Arguments>();
        for digits in ["0.7439993082085593", "142.64940296754523", "9007199254740993", "1e23"] {
            let read: Arguments =
                parse_arguments(&schema, &format!(r#"{{"a":{digits}}}"#)).unwrap();
            assert_eq!(read.a.to_bits(), digits.parse::<f64>().unwrap().to_bits(), "{digits}");
        }
    }

    #[test]
    fn problems_with_a_row_are_listed_for_its_author() {
        #[derive(Debug, Deserialize, JsonSchema)]
        #[expect(dead_code, reason = "only the errors matter")]
        struct Target {
            expected_count: i64,
            initial_count: i64,
            parts: Vec<Inner>,
        }
        let text = r#"{"initial_count":2.5,"parts":[{"a":1,"b":2}]}"#;
        let error = parse_with_schema::<Target>(&schema_of::<Target>(), text).unwrap_err();
        let expected = "`expected_count`: Field required; `initial_count`: Input should be a valid \
            integer, got a number with a fractional part; `parts[0].b`: Input should be a valid string";
        assert_eq!(error.to_string(), expected);
    }
}
