//! The `settings:` of one component: a tree that its kind reads as a type of its own.
//!
//! The framework knows no concrete kind, so it carries settings unread. A kind reads them as strictly, and
//! with problems as complete, as the framework reads its own keys.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value as Json;

use super::{
    key_path::KeyPath,
    problem::Problem,
    strict,
    tree::{Exposure, Node},
};

/// What a kind owns of a component's configuration, secrets in clear inside and masked when printed.
#[derive(Clone, PartialEq)]
pub struct Settings {
    node: Node,
    path: KeyPath,
}

impl Settings {
    /// Carries the settings that stand under `path`.
    pub(super) fn new(node: Node, path: KeyPath) -> Self {
        Self { node, path }
    }

    /// Reads the settings as the type of a kind. Keys that the type does not know are refused.
    ///
    /// # Errors
    /// All problems at once, each with its file, line and full key path.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Vec<Problem>> {
        strict::read(&self.node, &self.path)
    }

    /// Returns the settings as plain JSON, secrets in clear.
    pub fn to_json(&self) -> Json {
        self.node.to_json()
    }

    /// Returns where the settings stand, such as `models.policy.settings`.
    pub fn path(&self) -> &KeyPath {
        &self.path
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(Node::empty(), KeyPath::root().child("settings"))
    }
}

/// What a program gives, secrets too: a key that it fetched from a vault.
impl From<Json> for Settings {
    fn from(value: Json) -> Self {
        let mut node = Node::from(value);
        node.expose(Exposure::Private);
        Self { node, ..Self::default() }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(formatter)
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = serde_json::Map::deserialize(deserializer)?;
        Ok(Json::Object(entries).into())
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.node.to_masked_json().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU32};

    use super::*;
    use crate::config::{Loader, Problems, Secret, TimeSpan};

    #[derive(Debug, PartialEq, Deserialize)]
    struct Client {
        base_url: String,
        retries: NonZeroU32,
        #[serde(default)]
        labels: BTreeMap<String, String>,
        #[serde(default)]
        wait: Option<TimeSpan>,
        #[serde(default)]
        api_key: Option<Secret>,
        #[serde(default)]
        backoff: Option<Backoff>,
        #[serde(default)]
        bounds: Option<(f64, f64)>,
        #[serde(default)]
        listen: Option<SocketAddr>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Backoff {
        None,
        Constant(TimeSpan),
        Exponential { first: TimeSpan, factor: f64 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
    enum Tagged {
        Fast { workers: u32, name: String },
        Slow,
    }

    fn settings(yaml: &str) -> Settings {
        let indented =
            yaml.lines().fold(String::new(), |text, line| format!("{text}      {line}\n"));
        let yaml = format!("models:\n  policy:\n    kind: openai\n    settings:\n{indented}");
        let key = ("KEY".to_owned(), "sk-123".to_owned());
        let loader = Loader::new().text("a.yaml", &yaml).environment([key].into_iter());
        loader.load().unwrap().models["policy"].settings.clone()
    }

    fn problems<T: DeserializeOwned + std::fmt::Debug>(yaml: &str) -> Vec<String> {
        let problems = Problems(settings(yaml).parse::<T>().unwrap_err()).to_string();
        problems.lines().map(|line| line.replace("models.policy.settings", "…")).collect()
    }

    #[test]
    fn a_kind_reads_its_settings_as_its_own_type() {
        let yaml = "
base_url: http://h
retries: 3
labels: { x: y }
wait: 10s
api_key: ${env:KEY}
backoff: { exponential: { first: 1s, factor: 2 } }
bounds: [0, 1.5]
listen: 127.0.0.1:80";
        let client: Client = settings(yaml).parse().unwrap();
        let expected = Client {
            base_url: "http://h".to_owned(),
            retries: NonZeroU32::new(3).unwrap(),
            labels: BTreeMap::from([("x".to_owned(), "y".to_owned())]),
            wait: Some(TimeSpan::from_secs(10)),
            api_key: Some(Secret::new("sk-123")),
            backoff: Some(Backoff::Exponential { first: TimeSpan::from_secs(1), factor: 2.0 }),
            bounds: Some((0.0, 1.5)),
            listen: Some("127.0.0.1:80".parse().unwrap()),
        };
        assert_eq!(client, expected);
    }

    #[test]
    fn what_is_read_as_a_secret_is_not_written_out_whatever_its_key_is_called() {
        type Pairs = BTreeMap<String, Secret>;
        assert!(settings("{ pin: '${env:KEY}', code: none }").parse::<Pairs>().is_ok());
        let expected = "a.yaml:5: `….pin`: a secret is written out where others can read it";
        assert_eq!(problems::<Pairs>("{ pin: sk-1, code: none }"), [expected]);
        let headers = "headers: { x-title: mine }";
        assert!(settings(headers).parse::<BTreeMap<String, Pairs>>().is_ok());
        let given = Settings::from(serde_json::json!({ "pin": "from a vault" }));
        assert_eq!(given.parse::<Pairs>().unwrap()["pin"].expose(), "from a vault");
    }

    #[test]
    fn variants_are_read_by_name_and_with_content() {
        let read = |backoff| {
            let yaml = format!("base_url: x\nretries: 1\nbackoff: {backoff}");
            settings(&yaml).parse::<Client>().unwrap().backoff
        };
        assert_eq!(read("none"), Some(Backoff::None));
        assert_eq!(read("null"), None);
        assert_eq!(read("{ constant: 2s }"), Some(Backoff::Constant(TimeSpan::from_secs(2))));
    }

    #[test]
    fn all_problems_of_all_types_are_found_in_one_go() {
        let yaml = "
base_ulr: http://h
retries: 0
labels: { x: 1, y: ok, z: [] }
wait: soon
api_key: [null]
backoff: { exponential: { frist: 1s, factor: fast } }
bounds: [low, 1, 2]
listen: here";
        let expected = [
            "a.yaml:10: `….api_key`: expected a string, found a list",
            "a.yaml:11: `….backoff.exponential.factor`: expected a number, found text `fast`",
            "a.yaml:11: `….backoff.exponential.first`: missing key",
            "a.yaml:11: `….backoff.exponential.frist`: unknown key; did you mean `first`?",
            "a.yaml:6: `….base_ulr`: unknown key; did you mean `base_url`?",
            "a.yaml:4: `….base_url`: missing key",
            "a.yaml:12: `….bounds.0`: expected a number, found text `low`",
            "a.yaml:8: `….labels.x`: expected a string, found number `1`",
            "a.yaml:8: `….labels.z`: expected a string, found a list",
            "a.yaml:13: `….listen`: invalid socket address syntax",
            "a.yaml:7: `….retries`: expected an integer of at least 1, found number `0`",
            "a.yaml:9: `….wait`: expected a time span such as `30s`, `10m`, `500ms` or a number of seconds, found text `soon`",
        ];
        assert_eq!(problems::<Client>(yaml), expected);
    }

    #[test]
    fn long_texts_are_shown_by_their_beginning() {
        let found = problems::<u8>(&format!("a: {}", "x".repeat(200)));
        assert_eq!(found, ["a.yaml:4: `…`: expected an integer from 0 to 255, found a map"]);
        let found = problems::<BTreeMap<String, u8>>(&format!("a: {}", "é".repeat(200)));
        let shown = "é".repeat(80);
        assert_eq!(
            found,
            [format!("a.yaml:5: `….a`: expected an integer from 0 to 255, found text `{shown}…`")]
        );
    }

    #[test]
    fn a_number_that_is_none_is_refused() {
        let yaml = "models: { m: { kind: k, settings: { a: .nan, b: -.inf } } }";
        let problems = Loader::new().text("a.yaml", yaml).load().unwrap_err().to_string();
        let problem = |key, number| {
            format!(
                "a.yaml:1: `models.m.settings.{key}`: expected a finite number, found number `{number}`"
            )
        };
        let lines: Vec<&str> = problems.lines().collect();
        assert_eq!(lines, [problem("a", "NaN"), problem("b", "-inf")]);
    }

    #[test]
    fn a_wrong_variant_is_reported_with_the_right_ones() {
        let yaml = "base_url: x\nretries: 1\nbackoff: exponentiall";
        let found = settings(yaml).parse::<Client>().unwrap_err();
        assert!(
            found[0]
                .to_string()
                .ends_with("unknown value `exponentiall`; did you mean `exponential`?")
        );
        assert_eq!(found[0].hint().unwrap(), "known values: `none`, `constant`, `exponential`");
        let both = "base_url: x\nretries: 1\nbackoff: { none: 1, constant: 2 }";
        assert_eq!(
            problems::<Client>(both),
            ["a.yaml:7: `….backoff`: expected one of its variants, found a map"]
        );
    }

    #[test]
    fn inside_of_internally_tagged_enums_the_first_problems_are_found() {
        assert_eq!(
            settings("mode: fast\nworkers: 2\nname: x").parse::<Tagged>(),
            Ok(Tagged::Fast { workers: 2, name: "x".to_owned() })
        );
        assert_eq!(settings("mode: slow").parse::<Tagged>(), Ok(Tagged::Slow));
        let unknown = "mode: fast\nworkres: 2\nname: x";
        let expected = [
            "a.yaml:4: `….workers`: missing key",
            "a.yaml:6: `….workres`: unknown key; did you mean `workers`?",
        ];
        assert_eq!(problems::<Tagged>(unknown), expected);
    }

    #[test]
    fn absent_settings_are_empty() {
        let config = Loader::new().text("a.yaml", "models: { m: { kind: k } }").load().unwrap();
        let settings = &config.models["m"].settings;
        let found = settings.parse::<Client>().unwrap_err();
        let found: Vec<String> = found.iter().map(Problem::to_string).collect();
        let missing = |key| format!("a.yaml:1: `models.m.settings.{key}`: missing key");
        assert_eq!(found, [missing("base_url"), missing("retries")]);
        assert!(settings.parse::<BTreeMap<String, u8>>().unwrap().is_empty());
    }

    #[test]
    fn settings_are_masked_wherever_they_are_printed() {
        let settings = settings("api_key: '${env:KEY}'\nmodel: m");
        assert_eq!(format!("{settings:?}"), r#"{"api_key":"***","model":"m"}"#);
        assert_eq!(serde_json::to_string(&settings).unwrap(), r#"{"api_key":"***","model":"m"}"#);
        assert_eq!(settings.to_json()["api_key"], "sk-123");
    }

    #[test]
    fn a_type_that_rejects_what_placeholders_make_of_it_adds_no_problem_of_its_own() {
        #[derive(Debug, Deserialize)]
        #[serde(try_from = "Bounds")]
        struct Ordered {}
        #[derive(Debug, Deserialize)]
        struct Bounds {
            low: i64,
            high: i64,
        }
        impl TryFrom<Bounds> for Ordered {
            type Error = String;
            fn try_from(bounds: Bounds) -> Result<Self, String> {
                let is_ordered = bounds.low < bounds.high;
                if is_ordered { Ok(Self {}) } else { Err("`low` must be below `high`".to_owned()) }
            }
        }
        assert_eq!(
            problems::<Ordered>("low: 5\nhigh: 4"),
            ["a.yaml:4: `…`: `low` must be below `high`"]
        );
        let wrong_type = problems::<Ordered>("low: x\nhigh: 4\nmid: 3");
        assert_eq!(
            wrong_type,
            [
                "a.yaml:5: `….low`: expected an integer, found text `x`",
                "a.yaml:7: `….mid`: unknown key",
            ]
        );
    }
}
