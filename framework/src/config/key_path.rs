//! A key path: where a value stands in the configuration, such as `models.policy.settings.model`.
//!
//! Paths are lists of segments rather than dotted text, because names of models may contain dots.
//! In text such a segment is quoted: `models."org/model-7b.v1".kind`.

use std::fmt;

use super::problem::Fault;

/// Where a value stands in the configuration: map keys and list indices from the top.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPath(Vec<String>);

impl KeyPath {
    /// Returns the path of the whole configuration.
    pub fn root() -> Self {
        Self::default()
    }

    /// Returns the path of a map key or list index below this one.
    pub fn child(&self, segment: impl fmt::Display) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment.to_string());
        Self(segments)
    }

    /// Returns the keys and indices from the top.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// Whether this is the path of the whole configuration.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this path is `other` or lies below it.
    pub fn starts_with(&self, other: &KeyPath) -> bool {
        self.0.starts_with(&other.0)
    }

    /// Returns the path of the map or list that holds this value.
    pub(super) fn parent(&self) -> Option<KeyPath> {
        let (_, above) = self.0.split_last()?;
        Some(Self(above.to_vec()))
    }

    /// Reads `a.b.0`, where a segment that contains a dot stands in double quotes.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let malformed = || Fault::MalformedPath { text: text.to_owned() };
        let mut segments = Vec::new();
        let mut rest = text;
        loop {
            let (segment, after) = next_segment(rest).ok_or_else(malformed)?;
            segments.push(segment.to_owned());
            match after {
                Some(after) => rest = after,
                None => return Ok(Self(segments)),
            }
        }
    }
}

impl FromIterator<String> for KeyPath {
    fn from_iter<I: IntoIterator<Item = String>>(segments: I) -> Self {
        Self(segments.into_iter().collect())
    }
}

/// Splits the first segment off; the second part is `None` at the end of the path.
fn next_segment(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (segment, after) = quoted.split_once('"')?;
        return match after {
            "" => Some((segment, None)),
            after => Some((segment, Some(after.strip_prefix('.')?))),
        };
    }
    let (segment, after) = match text.split_once('.') {
        Some((segment, after)) => (segment, Some(after)),
        None => (text, None),
    };
    (!segment.is_empty()).then_some((segment, after))
}

impl fmt::Display for KeyPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            if position > 0 {
                formatter.write_str(".")?;
            }
            if segment.is_empty() || segment.contains('.') {
                write!(formatter, "\"{segment}\"")?;
            } else {
                formatter.write_str(segment)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_segment_keeps_its_dots() {
        let path = KeyPath::parse(r#"models."org/m.v1".kind"#).unwrap();
        assert_eq!(path.segments(), ["models", "org/m.v1", "kind"]);
        assert_eq!(path.to_string(), r#"models."org/m.v1".kind"#);
    }

    #[test]
    fn paths_without_a_name_between_the_dots_are_refused() {
        for text in ["", ".a", "a.", "a..b", "\"a", "\"a\"b"] {
            let fault = KeyPath::parse(text).unwrap_err();
            assert_eq!(fault.to_string(), format!("`{text}` is not a key path"));
        }
    }

    #[test]
    fn a_path_lies_below_itself_and_its_parents_only() {
        let path = KeyPath::parse("a.b").unwrap();
        assert!(path.starts_with(&path));
        assert!(path.starts_with(&path.parent().unwrap()));
        assert!(!path.starts_with(&KeyPath::parse("a.bc").unwrap()));
    }
}
