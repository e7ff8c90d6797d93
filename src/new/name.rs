//! The name of a new kind: what configurations, files and modules call it, and its type.

use crate::Fatal;

/// A checked name.
#[derive(Debug)]
pub(super) struct Name {
    kind: String,
    of_type: String,
}

/// Longer names are refused.
const LENGTH_MAX: usize = 48;

/// Words that cannot name a module (the Rust Reference, "Keywords"), and names that crates have.
const RESERVED: &str = "abstract alloc as async await become box break const continue core crate do \
    dyn else enum extern false final fn for gen if impl in let lib loop macro main match mod move mut \
    override priv pub ref rehearsal return self static std struct super test tests trait true try \
    type typeof unsafe unsized use virtual where while yield";

/// Types that the generated file has already.
const TYPES: &str = "AnyTarget Arc BTreeMap BuildError Config Default Deserialize Environment \
    EnvironmentError Err Items JsonSchema Left Loader MemoryRecorder NonZeroU32 Ok Option Pantry \
    Response Result Reward Row Runtime Serialize Some String Take Target TargetError ToolError Tools \
    Trial Verdict Wiring";

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// Says what is wrong with it, and what would be right.
    pub(super) fn parse(text: &str) -> Result<Self, Fatal> {
        let wrong = |message: String, hint: String| Err(Fatal { message, hint: Some(hint) });
        if !is_snake_case(text) {
            let better = Some(snake_case(text)).filter(|better| is_snake_case(better));
            let example = better.unwrap_or_else(|| "tea_shop".to_owned());
            let hint = format!("use small letters, digits and single underscores: `{example}`");
            return wrong(format!("`{text}` is no name in snake case"), hint);
        }
        if text.len() > LENGTH_MAX {
            let message = format!("`{text}` has {} letters, more than {LENGTH_MAX}", text.len());
            return wrong(message, "choose a shorter name".into());
        }
        if RESERVED.split_whitespace().any(|word| word == text) {
            let message = format!("`{text}` is reserved and cannot name a module");
            return wrong(message, format!("use another name: `{text}_world`"));
        }
        if rehearsal::kinds().names().environments.contains(text) {
            let message = format!("there is an environment `{text}` already");
            return wrong(message, "use another name; `rehearsal kinds` lists those taken".into());
        }
        let mut of_type = camel_case(text);
        if TYPES.split_whitespace().any(|taken| taken == of_type) {
            of_type.push_str("World");
        }
        Ok(Self { kind: text.to_owned(), of_type })
    }

    /// The kind, and the module.
    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    /// The type.
    pub(super) fn of_type(&self) -> &str {
        &self.of_type
    }
}

/// Words of small letters and digits, of which the first begins with a letter.
fn is_snake_case(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('_').all(is_word)
}

/// The words of a text, each beginning at a capital or after what is no letter and no digit.
fn snake_case(text: &str) -> String {
    let mut name = String::new();
    let mut before = '_';
    for c in text.chars() {
        let begins = c.is_ascii_uppercase() && !before.is_ascii_uppercase();
        let is_between = !c.is_ascii_alphanumeric();
        if (begins || is_between) && !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
        if !is_between {
            name.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    name.trim_end_matches('_').to_owned()
}

fn camel_case(name: &str) -> String {
    let capital = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    name.split('_').map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_in_snake_case_and_free() {
        for (text, of_type) in [
            ("tea_shop", "TeaShop"),
            ("a", "A"),
            ("grid_2d", "Grid2d"),
            ("target", "TargetWorld"),
            ("tool_error", "ToolErrorWorld"),
        ] {
            let name = Name::parse(text).map_err(|fatal| fatal.message).unwrap();
            assert_eq!((name.kind(), name.of_type()), (text, of_type));
        }
    }

    #[test]
    fn what_is_no_name_says_why_and_what_would_be_one() {
        let long = "a".repeat(49);
        for (text, message, hint) in [
            ("TeaShop", "no name in snake case", "`tea_shop`"),
            ("tea-shop", "no name in snake case", "`tea_shop`"),
            ("tea__shop_", "no name in snake case", "`tea_shop`"),
            ("HTTPWorld", "no name in snake case", "`httpworld`"),
            ("2d", "no name in snake case", "`tea_shop`"),
            ("", "no name in snake case", "`tea_shop`"),
            ("../evil", "no name in snake case", "`evil`"),
            ("café", "no name in snake case", "`caf`"),
            ("yield", "reserved", "`yield_world`"),
            ("main", "reserved", "`main_world`"),
            ("workbench", "already", "rehearsal kinds"),
            (&long, "49 letters", "shorter"),
        ] {
            let fatal = Name::parse(text).expect_err(text);
            assert!(fatal.message.contains(message), "{}", fatal.message);
            assert!(fatal.hint.unwrap().contains(hint), "{text}");
        }
    }
}
