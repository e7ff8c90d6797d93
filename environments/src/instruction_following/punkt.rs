//! Sentences as NLTK's English Punkt model finds them (Kiss and Strunk, "Unsupervised Multilingual
//! Sentence Boundary Detection", 2006).
//!
//! The model's tables are those of NLTK's `punkt_tab`, as the crate `punkt` 1.0.5 carries them
//! (`punkt/english.json`, unchanged; MIT or Apache-2.0). The procedure follows NLTK 3.10: find what
//! may end a sentence, look at the word that it ends and the token after it, decide, and move closing
//! quotes and brackets to the sentence that they close. Work and memory are linear in the text.

mod model;
mod token;

use super::text::is_space;
use model::{LOWER, MODEL, UPPER, UPPER_INSIDE};
use token::Token;

/// What may end a sentence.
const ENDS: [char; 3] = ['.', '?', '!'];
/// What no word contains.
const NON_WORD: [char; 20] = [
    ')', '"', ';', '}', ']', '*', ':', '@', '\'', '(', '{', '[', '‘', '’', '“', '”', '«', '»', '?',
    '!',
];
/// What closes a quotation or a bracket.
const CLOSERS: [char; 11] = ['"', '\'', ')', ']', '}', '‘', '’', '“', '”', '«', '»'];

/// The sentences of a text, without the whitespace between them.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    realigned(text, &slices(text))
}

/// A piece of the text: where it starts and ends, in bytes.
type Slice = (usize, usize);

/// A place that may end a sentence, and what follows it.
struct Candidate {
    /// Where the character that may end the sentence stands.
    at: usize,
    /// Where the following token ends.
    context_end: usize,
    /// Where the following token starts, if whitespace stands before it.
    next_token: Option<usize>,
}

/// A candidate and the start of the word that it ends.
struct Context {
    start: usize,
    candidate: Candidate,
}

/// The candidates of a text, in order.
fn candidates(text: &str) -> impl Iterator<Item = Candidate> {
    text.match_indices(ENDS).filter_map(|(at, _)| {
        let after = at + 1;
        let rest = &text[after..];
        let next = rest.chars().next()?;
        if NON_WORD.contains(&next) {
            return Some(Candidate { at, context_end: after + next.len_utf8(), next_token: None });
        }
        let token = rest.trim_start_matches(is_space);
        if token.len() == rest.len() || token.is_empty() {
            return None;
        }
        let start = text.len() - token.len();
        let length = token.find(is_space).unwrap_or(token.len());
        Some(Candidate { at, context_end: start + length, next_token: Some(start) })
    })
}

/// The last candidate of each word, with its context.
fn contexts(text: &str) -> impl Iterator<Item = Context> {
    let mut candidates = candidates(text);
    let mut previous: Option<Context> = None;
    std::iter::from_fn(move || {
        for candidate in candidates.by_ref() {
            let (start, end) = previous.as_ref().map_or((0, 0), |p| (p.start, p.candidate.at));
            let start = match last_space(&text[end..candidate.at]) {
                Some(space) => end + space + 1,
                None => start,
            };
            let is_new_word = end <= start;
            let before = previous.replace(Context { start, candidate });
            if let Some(before) = before.filter(|_| is_new_word) {
                return Some(before);
            }
        }
        previous.take()
    })
}

/// Where the last ASCII space of a text is; one at its very start counts for none.
fn last_space(text: &str) -> Option<usize> {
    text.rfind([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']).filter(|space| *space > 0)
}

/// The sentences before their closing quotes are moved; some may be empty.
fn slices(text: &str) -> Vec<Slice> {
    let mut slices = Vec::new();
    let mut start = 0;
    for Context { start: word, candidate } in contexts(text) {
        if !ends_sentence(&text[word..candidate.context_end]) {
            continue;
        }
        let end = candidate.at + 1;
        slices.push((start, end));
        start = candidate.next_token.unwrap_or(end);
    }
    slices.push((start, text.trim_end_matches(is_space).len()));
    slices
}

/// Moves closing quotes and brackets at the start of a sentence to the one before.
fn realigned<'a>(text: &'a str, slices: &[Slice]) -> Vec<&'a str> {
    let mut sentences = Vec::new();
    let mut moved = 0;
    for (index, (start, end)) in slices.iter().enumerate() {
        let start = start + moved;
        let next = slices.get(index + 1);
        let closing = next.and_then(|(start, end)| closing(text.get(*start..*end)?));
        if let (Some((next, _)), Some(closing)) = (next, closing) {
            sentences.push(&text[start.min(next + closing.closers)..next + closing.closers]);
            moved = closing.length;
            continue;
        }
        moved = 0;
        sentences.extend(text.get(start..*end).filter(|sentence| !sentence.is_empty()));
    }
    sentences
}

/// What a sentence starts with that closes the one before.
struct Closing {
    /// Bytes of quotes and brackets.
    closers: usize,
    /// Bytes with the whitespace after them.
    length: usize,
}

/// The shortest run of closers before whitespace, two hyphens or a line's end.
fn closing(sentence: &str) -> Option<Closing> {
    for (at, character) in sentence.char_indices() {
        if at > 0 {
            let rest = &sentence[at..];
            let after = rest.trim_start_matches(is_space);
            if after.len() < rest.len() || rest.starts_with("--") {
                return Some(Closing { closers: at, length: sentence.len() - after.len() });
            }
        }
        if !CLOSERS.contains(&character) {
            return None;
        }
    }
    let length = sentence.len();
    (length > 0).then_some(Closing { closers: length, length })
}

/// Whether a word ends a sentence, seen with the token after it.
fn ends_sentence(context: &str) -> bool {
    let mut tokens: Vec<_> = context.split('\n').flat_map(token::tokens).collect();
    (1..tokens.len()).any(|next| {
        let (before, after) = tokens.split_at_mut(next);
        let token = &mut before[next - 1];
        token.decide(&after[0]);
        token.is_break
    })
}

impl Token<'_> {
    /// Decides about a token that ends in a dot by the token after it.
    fn decide(&mut self, next: &Token<'_>) {
        if !self.text.ends_with('.') {
            return;
        }
        let (kind, next_kind) = (self.kind_without_dot(), next.kind_without_break());
        if MODEL.collocations.contains(&(kind.into(), next_kind.into())) {
            self.is_break = false;
            return;
        }
        let is_initial = self.is_initial();
        let opens = next.opens_sentence();
        if (self.is_abbreviation || self.is_ellipsis) && !is_initial {
            let is_starter = next.starts_upper() && MODEL.sentence_starters.contains(next_kind);
            if opens == Some(true) || is_starter {
                self.is_break = true;
                return;
            }
        }
        if is_initial || kind == token::NUMBER {
            let never_lower = next.starts_upper() && MODEL.contexts(next_kind) & LOWER == 0;
            if opens == Some(false) || (opens.is_none() && is_initial && never_lower) {
                self.is_break = false;
            }
        }
    }

    /// Whether the token starts a sentence, by how its word is written elsewhere; `None` if that
    /// does not tell.
    fn opens_sentence(&self) -> Option<bool> {
        if [";", ":", ",", ".", "!", "?"].contains(&self.text) {
            return Some(false);
        }
        let contexts = MODEL.contexts(self.kind_without_break());
        if self.starts_upper() && contexts & LOWER != 0 && contexts & UPPER_INSIDE == 0 {
            return Some(true);
        }
        let never_opens = contexts & UPPER != 0 || contexts & model::LOWER_AT_START == 0;
        (self.starts_lower() && never_opens).then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_split_into_sentences() {
        let cases: [(&str, &[&str]); 27] = [
            ("", &[]),
            ("  \n", &[]),
            ("one", &["one"]),
            (
                " The U.S. is big. I live in the U.S. She does not. ",
                &[" The U.S. is big.", "I live in the U.S. She does not."],
            ),
            ("Wait... what? Yes! Ok.", &["Wait... what?", "Yes!", "Ok."]),
            (
                "1. First item\n2. Second item\n3. Third",
                &["1.", "First item\n2.", "Second item\n3.", "Third"],
            ),
            (
                "Mr. John F. Kennedy Jr. spoke at 5 p.m. on Monday. Then he left",
                &["Mr. John F. Kennedy Jr. spoke at 5 p.m. on Monday.", "Then he left"],
            ),
            ("Line one\nLine two", &["Line one\nLine two"]),
            ("Hello!Hi. There", &["Hello!Hi.", "There"]),
            ("What?! Really. No way!!! Yes.", &["What?!", "Really.", "No way!!!", "Yes."]),
            ("He said \"stop.\" Then ran.", &["He said \"stop.\"", "Then ran."]),
            ("A.B.C. corp. Inc. yes", &["A.B.C.", "corp. Inc. yes"]),
            ("你好。再见。", &["你好。再见。"]),
            ("e.g. this, i.e. that. Next", &["e.g.", "this, i.e.", "that.", "Next"]),
            ("(Hi.) Ok.", &["(Hi.)", "Ok."]),
            ("“Hi.” Ok.", &["“Hi.”", "Ok."]),
            ("Stop.)--go. On", &["Stop.)--go.", "On"]),
            ("Stop.) --go. On", &["Stop.)", "--go.", "On"]),
            ("It is 3.14. Yes", &["It is 3.14.", "Yes"]),
            ("It is no. 5. yes", &["It is no.", "5. yes"]),
            ("a. b. c.", &["a. b. c."]),
            ("...", &["..."]),
            (". . . .", &[".", ".", ".", "."]),
            ("?!?", &["?", "!", "?"]),
            ("Ends.\n\n\"Quoted.\"\n\nNext.", &["Ends.", "\"Quoted.\"", "Next."]),
            ("So.\u{a0}Then", &["So.", "Then"]),
            ("Yes.\u{1f}No", &["Yes.", "No"]),
        ];
        for (text, expected) in cases {
            assert_eq!(sentences(text), expected, "{text:?}");
        }
    }
}
