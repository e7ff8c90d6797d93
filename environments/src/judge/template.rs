//! The question to a judge: text with places for what it compares, in the notation of Python's
//! `str.format`.

use serde::{Deserialize, Serialize};

/// What is put into the question.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// What was asked.
    pub question: &'a str,
    /// The answer that is known to be right.
    pub expected_answer: &'a str,
    /// The answer that is judged.
    pub generated_answer: &'a str,
}

/// A checked template.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    source: String,
    pieces: Vec<Piece>,
}

/// One part of the question.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Question,
    ExpectedAnswer,
    GeneratedAnswer,
}

/// Why text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A place with a name that is not known.
    #[error(
        "`{{{name}}}` is not known; there are `{{question}}`, `{{expected_answer}}` and \
         `{{generated_answer}}`, and a brace is written twice"
    )]
    Unknown {
        /// The name.
        name: String,
    },
    /// A brace without its partner.
    #[error("a single `{brace}`; a brace is written twice")]
    Single {
        /// The brace.
        brace: char,
    },
    /// A place without which there is nothing to judge.
    #[error("`{{{name}}}` is missing, so the judge would not see it")]
    Missing {
        /// The name.
        name: &'static str,
    },
}

impl TryFrom<String> for Template {
    type Error = TemplateError;

    fn try_from(source: String) -> Result<Self, TemplateError> {
        let pieces = parse(&source)?;
        for (piece, name) in [
            (Piece::ExpectedAnswer, "expected_answer"),
            (Piece::GeneratedAnswer, "generated_answer"),
        ] {
            if !pieces.contains(&piece) {
                return Err(TemplateError::Missing { name });
            }
        }
        Ok(Self { source, pieces })
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.source
    }
}

fn parse(source: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = source;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let (brace, after) = (rest.as_bytes()[at], &rest[at + 1..]);
        if after.as_bytes().first() == Some(&brace) {
            text.push(char::from(brace));
            rest = &after[1..];
            continue;
        }
        let name = after.split_once('}').filter(|_| brace == b'{');
        let Some((name, after)) = name else {
            return Err(TemplateError::Single { brace: char::from(brace) });
        };
        let piece = match name {
            "question" => Piece::Question,
            "expected_answer" => Piece::ExpectedAnswer,
            "generated_answer" => Piece::GeneratedAnswer,
            _ => return Err(TemplateError::Unknown { name: name.to_owned() }),
        };
        pieces.extend([Piece::Text(std::mem::take(&mut text)), piece]);
        rest = after;
    }
    text.push_str(rest);
    pieces.push(Piece::Text(text));
    Ok(pieces)
}

impl Template {
    /// The question. What is put in is taken as it is: braces in it mean nothing.
    pub(crate) fn fill(&self, inputs: &Inputs<'_>) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Question => inputs.question,
            Piece::ExpectedAnswer => inputs.expected_answer,
            Piece::GeneratedAnswer => inputs.generated_answer,
        });
        pieces.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_once() {
        let source = "{{x}} Q:{question} A:{expected_answer}/{generated_answer}{question}";
        let template = Template::try_from(source.to_owned()).unwrap();
        let inputs = Inputs {
            question: "{generated_answer}",
            expected_answer: "{",
            generated_answer: "}} {{question}",
        };
        assert_eq!(
            template.fill(&inputs),
            "{x} Q:{generated_answer} A:{/}} {{question}{generated_answer}"
        );
        assert_eq!(String::from(template), source);
    }

    #[test]
    fn what_cannot_be_filled_is_refused() {
        for (source, expected) in [
            ("{gold}", "`{gold}` is not known"),
            ("{}", "`{}` is not known"),
            ("{question!r}", "`{question!r}` is not known"),
            ("{ question }", "`{ question }` is not known"),
            ("{question", "a single `{`"),
            ("a } b", "a single `}`"),
            ("{question}", "`{expected_answer}` is missing"),
            ("{expected_answer}", "`{generated_answer}` is missing"),
            ("{{generated_answer}}{expected_answer}", "`{generated_answer}` is missing"),
        ] {
            let error = Template::try_from(source.to_owned()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{source}: {error}");
        }
    }
}
