//! The `settings:` of one component: a tree that its kind reads as a type of its own.
//!
//! The framework knows no concrete kind, so it carries settings unread. A kind reads them as strictly, and
//! with problems as complete, as the framework reads its own keys.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value as Json;

use super::{key_path::KeyPath, problem::Problem, strict, tree::Node};

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

impl From<Json> for Settings {
    fn from(value: Json) -> Self {
        Self { node: value.into(), ..Self::default() }
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
