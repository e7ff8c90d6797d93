//! The tests of a problem, as its row has them.

use framework::environment::python::Json;
use framework::task::{Row, TargetError};
use schemars::JsonSchema;
use serde::Deserialize;

use super::language::LanguageName;

/// What a row says beyond the prompt.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Target {
    /// The tests, and what else is known of the problem.
    pub verifier_metadata: Metadata,
    /// The tests, checked.
    #[serde(skip)]
    pub(super) exam: Exam,
}

/// The tests, and what else is known of a problem.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Metadata {
    /// The tests.
    pub unit_tests: UnitTests,
    /// The language of the solution, if it is not the environment's.
    pub language: Option<LanguageName>,
    /// How hard the problem is; it goes into the record.
    pub difficulty: Option<Json>,
}

/// Inputs, and the output for each.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct UnitTests {
    /// What a program reads, or a JSON value per line for each argument of a function.
    pub inputs: Vec<String>,
    /// What it prints, or the JSON of what the function returns.
    pub outputs: Vec<String>,
    /// The function, or method of a class `Solution`, that is called; null for programs that read
    /// their input and print their output.
    pub fn_name: Option<String>,
}

/// The tests of a problem; at least one.
#[derive(Debug)]
pub(super) enum Exam {
    /// Of a program that reads its input and prints its output.
    Stdin(Vec<StdinTest>),
    /// Of a function.
    Calls { name: String, tests: Vec<CallTest> },
}

/// An input and what is to be printed.
#[derive(Debug)]
pub(super) struct StdinTest {
    pub(super) input: String,
    pub(super) expected: String,
}

/// Arguments and what is to be returned.
#[derive(Debug)]
pub(super) struct CallTest {
    /// The arguments as the row has them: JSON, one a line.
    pub(super) input: String,
    pub(super) arguments: Vec<Json>,
    pub(super) expected: Json,
}

impl Default for Exam {
    fn default() -> Self {
        Self::Stdin(Vec::new())
    }
}

impl Exam {
    /// How many tests there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Stdin(tests) => tests.len(),
            Self::Calls { tests, .. } => tests.len(),
        }
    }

    fn read(tests: &mut UnitTests) -> Result<Self, String> {
        const KEY: &str = "`verifier_metadata.unit_tests";
        let (inputs, outputs) =
            (std::mem::take(&mut tests.inputs), std::mem::take(&mut tests.outputs));
        if inputs.is_empty() {
            return Err(format!("{KEY}.inputs` is empty: without a test every program would pass"));
        }
        if inputs.len() != outputs.len() {
            let (inputs, outputs) = (inputs.len(), outputs.len());
            return Err(format!("{KEY}` has {inputs} inputs but {outputs} outputs"));
        }
        let pairs = inputs.into_iter().zip(outputs);
        match &tests.fn_name {
            None => {
                let tests = pairs.map(|(input, expected)| StdinTest { input, expected });
                Ok(Self::Stdin(tests.collect()))
            }
            Some(name) if name.is_empty() => Err(format!(
                "{KEY}.fn_name` is empty; it is null for programs that read their input"
            )),
            Some(name) => {
                let tests = pairs.enumerate().map(|(index, (input, output))| {
                    let at = |list: &str, error: &dyn std::fmt::Display| {
                        format!("{KEY}.{list}[{index}]` is not JSON: {error}")
                    };
                    let lines = input.split('\n').filter(|line| !line.trim().is_empty());
                    let arguments = lines.map(Json::parse).collect::<Result<Vec<_>, _>>();
                    let arguments = arguments.map_err(|error| at("inputs", &error))?;
                    let expected = Json::parse(&output).map_err(|error| at("outputs", &error))?;
                    Ok(CallTest { input, arguments, expected })
                });
                let tests = tests.collect::<Result<_, String>>()?;
                Ok(Self::Calls { name: name.clone(), tests })
            }
        }
    }
}

impl Target {
    /// Reads a row and checks its tests.
    ///
    /// # Errors
    /// Fails if there is no test, or one without its output, or with JSON that is none.
    pub(super) fn read(row: &Row) -> Result<Self, TargetError> {
        let mut target: Self = row.read()?;
        let Metadata { unit_tests, language, .. } = &mut target.verifier_metadata;
        target.exam = Exam::read(unit_tests).map_err(TargetError::new)?;
        match (language, &target.exam) {
            (Some(language), Exam::Calls { .. }) if !language.has_calls() => {
                let reason = "`verifier_metadata.unit_tests.fn_name` needs `language: python`";
                Err(TargetError::new(reason))
            }
            _ => Ok(target),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(unit_tests: &Value) -> Result<Target, String> {
        let metadata = json!({ "unit_tests": unit_tests });
        let row =
            json!({ "responses_create_params": { "input": "q" }, "verifier_metadata": metadata });
        Target::read(&Row::parse(&row.to_string()).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn tests_are_read_by_their_mode() {
        let target = read(&json!({ "inputs": ["1\n", ""], "outputs": ["2", ""], "fn_name": null }));
        assert!(matches!(&target.unwrap().exam, Exam::Stdin(tests) if tests[0].expected == "2"));
        let calls =
            read(&json!({ "inputs": ["[1]\n\"a\"\n"], "outputs": ["NaN"], "fn_name": "f" }));
        let Exam::Calls { name, tests } = calls.unwrap().exam else { panic!("no calls") };
        assert_eq!((name.as_str(), tests[0].arguments.len()), ("f", 2));
    }

    #[test]
    fn what_cannot_be_graded_is_malformed() {
        for (tests, expected) in [
            (json!({ "inputs": [], "outputs": [] }), "inputs` is empty"),
            (json!({ "inputs": ["1"], "outputs": [] }), "has 1 inputs but 0 outputs"),
            (json!({ "inputs": ["1"] }), "outputs"),
            (json!({ "inputs": "1", "outputs": ["1"] }), "inputs"),
            (json!({ "inputs": [["1"]], "outputs": ["1"] }), "inputs"),
            (json!({ "inputs": ["1"], "outputs": ["1"], "fn_name": "" }), "fn_name` is empty"),
            (
                json!({ "inputs": ["1", "{"], "outputs": ["1", "1"], "fn_name": "f" }),
                "inputs[1]` is not JSON",
            ),
            (
                json!({ "inputs": ["1"], "outputs": ["one"], "fn_name": "f" }),
                "outputs[0]` is not JSON",
            ),
            (json!(null), "unit_tests"),
        ] {
            let error = read(&tests).unwrap_err();
            assert!(error.contains(expected), "{tests}: {error}");
        }
    }

    #[test]
    fn a_language_without_calls_is_refused_where_a_function_is_called() {
        let metadata = json!({
            "unit_tests": { "inputs": ["1"], "outputs": ["1"], "fn_name": "f" }, "language": "cpp",
        });
        let row =
            json!({ "responses_create_params": { "input": "q" }, "verifier_metadata": metadata });
        let error = Target::read(&Row::parse(&row.to_string()).unwrap()).unwrap_err().to_string();
        assert!(error.contains("needs `language: python`"), "{error}");
    }
}
