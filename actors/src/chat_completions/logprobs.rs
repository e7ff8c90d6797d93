//! The log-probabilities of a long answer as vLLM writes them: an object of some ninety bytes for every
//! token, most of which says nothing. Read by what they always look like; whatever looks otherwise is
//! left to the reader that knows all of JSON.

use framework::responses::{LogProbs, TokenIds};
use memchr::memmem;

/// How the list begins.
const BEGIN: &str = r#""logprobs":{"content":[{"token":"token_id:"#;
/// Where its entries begin in that.
const ENTRIES: usize = r#""logprobs":{"content":["#.len();
/// Where the value begins in that.
const VALUE: usize = r#""logprobs":"#.len();

/// What was found in a completion's text.
#[derive(Debug)]
pub(super) struct Taken {
    /// The text without it.
    pub(super) rest: String,
    pub(super) ids: TokenIds,
    pub(super) log_probs: LogProbs,
}

/// Takes the log-probabilities out of a completion's text.
pub(super) fn take(text: &str) -> Option<Taken> {
    let start = memmem::find(text.as_bytes(), BEGIN.as_bytes())?;
    // Inside a text the quotes would be escaped.
    if text[..start].ends_with('\\') {
        return None;
    }
    let mut cursor = Cursor { text, at: start + ENTRIES };
    let (mut ids, mut values) = (Vec::new(), String::from("["));
    loop {
        let (id, value) = cursor.entry()?;
        ids.push(id);
        values.push_str(value);
        if cursor.skip("]").is_some() {
            break;
        }
        cursor.skip(",")?;
        values.push(',');
    }
    values.push(']');
    // `refusal` is the other list that OpenAI has there.
    let _ = cursor.skip(r#","refusal":null"#).or_else(|| cursor.skip(r#","refusal":[]"#));
    cursor.skip("}")?;
    let log_probs = LogProbs::parse(&values).ok()?;
    let mut rest = String::with_capacity(text.len() - (cursor.at - start) + VALUE + 4);
    rest.extend([&text[..start + VALUE], "null", &text[cursor.at..]]);
    Some(Taken { rest, ids: ids.into_iter().collect(), log_probs })
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Goes over what has to come next.
    fn skip(&mut self, expected: &str) -> Option<()> {
        let rest = &self.text.as_bytes()[self.at..];
        rest.starts_with(expected.as_bytes()).then(|| self.at += expected.len())
    }

    /// Takes bytes while they are of a sort.
    fn run(&mut self, fits: impl Fn(u8) -> bool) -> &'a str {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|byte| !fits(*byte)).unwrap_or(rest.len());
        let start = self.at;
        self.at += length;
        &self.text[start..self.at]
    }

    fn entry(&mut self) -> Option<(u32, &'a str)> {
        self.skip(r#"{"token":"token_id:"#)?;
        let id = self.run(|byte| byte.is_ascii_digit()).parse().ok()?;
        self.skip(r#"","logprob":"#)?;
        let value = self.run(|byte| !matches!(byte, b',' | b'}' | b'"' | b'[' | b'{'));
        if self.skip(r#","bytes":"#).is_some() && self.skip("null").is_none() {
            self.skip("[")?;
            self.run(|byte| byte.is_ascii_digit() || byte == b',');
            self.skip("]")?;
        }
        let _ = self.skip(r#","top_logprobs":[]"#);
        self.skip("}")?;
        (!value.is_empty()).then_some((id, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"choices":[{"logprobs":{"content":[{"token":"token_id:5","logprob":-0.5,"bytes":[104,105],"top_logprobs":[]},{"token":"token_id:7","logprob":-1e-05,"bytes":null,"top_logprobs":[]}]},"x":1}]}"#;

    #[test]
    fn what_vllm_writes_is_taken_out() {
        let taken = take(WHOLE).unwrap();
        assert_eq!(taken.rest, r#"{"choices":[{"logprobs":null,"x":1}]}"#);
        assert_eq!((taken.ids.json(), taken.log_probs.json()), ("[5,7]", "[-0.5,-1e-05]"));
    }

    #[test]
    fn what_looks_otherwise_stays_for_the_reader_of_json() {
        for (from, to) in [
            ("token_id:5", "Paris"),
            ("token_id:7", "x"),
            ("-0.5", "null"),
            ("-0.5", "-0.5.5"),
            ("\"top_logprobs\":[]", "\"top_logprobs\":[{}]"),
            ("104,105", "\"a\""),
            ("}]},\"x\"", "}],\"y\":1},\"x\""),
            ("},{", "} , {"),
            ("{\"logprobs\":", "{\"x\\\"logprobs\":"),
        ] {
            let text = WHOLE.replacen(from, to, 1);
            assert_ne!(text, WHOLE);
            assert!(take(&text).is_none(), "{text}");
        }
        for end in 0..WHOLE.len() - 10 {
            assert!(take(&WHOLE[..end]).is_none(), "{end}");
        }
    }
}
