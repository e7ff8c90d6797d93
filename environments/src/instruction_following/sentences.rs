//! Sentences by the substitution of marks: the splitter of IFEval's instructions.
//!
//! Dots that end no sentence are hidden behind one mark, ends of sentences get another, and the text
//! is split there. The marks are ordinary text, as in NeMo Gym: an answer that contains one is split
//! by it. For sentences as Punkt sees them, which other instructions count, see [`super::punkt`].

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::text::trim;

/// A dot that ends no sentence.
const KEPT_DOT: &str = "<prd>";
/// The end of a sentence.
const END: &str = "<stop>";

/// Spaces as Python's `\s`.
const SPACE: &str = r"[\s\x1c-\x1f]";

/// A pattern, and what takes its place.
struct Substitution(Regex, &'static str);

impl Substitution {
    fn new(pattern: &str, replacement: &'static str) -> Self {
        Self(Regex::new(pattern).expect("the pattern is well-formed"), replacement)
    }

    fn apply(&self, text: &str) -> String {
        self.0.replace_all(text, self.1).into_owned()
    }
}

/// What is substituted before runs of dots, and after them.
static BEFORE_DOTS: LazyLock<[Substitution; 3]> = LazyLock::new(|| {
    [
        Substitution::new("(Mr|St|Mrs|Ms|Dr)[.]", "${1}<prd>"),
        Substitution::new("[.](com|net|org|io|gov|edu|me)", "<prd>${1}"),
        Substitution::new("([0-9])[.]([0-9])", "${1}<prd>${2}"),
    ]
});
static DOTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\.{2,}").expect("the pattern is well-formed"));
static AFTER_DOTS: LazyLock<[Substitution; 7]> = LazyLock::new(|| {
    let s = SPACE;
    let starter = format!(
        "(Mr|Mrs|Ms|Dr|Prof|Capt|Cpt|Lt|He{s}|She{s}|It{s}|They{s}|Their{s}|Our{s}|We{s}|But{s}\
         |However{s}|That{s}|This{s}|Wherever)"
    );
    let acronym = "([A-Z][.][A-Z][.](?:[A-Z][.])?)";
    let suffix = "(Inc|Ltd|Jr|Sr|Co)";
    let letter = "([A-Za-z])";
    [
        Substitution::new(&format!("{s}{letter}[.] "), " ${1}<prd> "),
        Substitution::new(&format!("{acronym} {starter}"), "${1}<stop> ${2}"),
        Substitution::new(
            &format!("{letter}[.]{letter}[.]{letter}[.]"),
            "${1}<prd>${2}<prd>${3}<prd>",
        ),
        Substitution::new(&format!("{letter}[.]{letter}[.]"), "${1}<prd>${2}<prd>"),
        Substitution::new(&format!(" {suffix}[.] {starter}"), " ${1}<stop> ${2}"),
        Substitution::new(&format!(" {suffix}[.]"), " ${1}<prd>"),
        Substitution::new(&format!(" {letter}[.]"), " ${1}<prd>"),
    ]
});

/// The sentences of a text, trimmed. There may be empty ones, but not at the end.
pub(super) fn sentences(text: &str) -> Vec<String> {
    let text = mark(&format!(" {text}  ").replace('\n', " "));
    let mut sentences: Vec<_> = text.split(END).map(|piece| trim(piece).to_owned()).collect();
    sentences.pop_if(|last| last.is_empty());
    sentences
}

/// The text with an end mark after each sentence, and its dots back.
fn mark(text: &str) -> String {
    let apply = |text: String, substitution: &Substitution| substitution.apply(&text);
    let text = BEFORE_DOTS.iter().fold(text.to_owned(), apply);
    let hide = |dots: &Captures<'_>| KEPT_DOT.repeat(dots[0].len()) + END;
    let text = DOTS.replace_all(&text, hide).replace("Ph.D.", "Ph<prd>D<prd>");
    let text = AFTER_DOTS.iter().fold(text, apply);
    text.replace(".”", "”.")
        .replace(".\"", "\".")
        .replace("!\"", "\"!")
        .replace("?\"", "\"?")
        .replace('.', ".<stop>")
        .replace('?', "?<stop>")
        .replace('!', "!<stop>")
        .replace(KEPT_DOT, ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_split_into_sentences() {
        let cases: [(&str, &[&str]); 24] = [
            ("", &[]),
            (" \n ", &[]),
            ("no end", &["no end"]),
            ("Dr. Smith went. He left", &["Dr. Smith went.", "He left"]),
            ("Wait... what? Yes", &["Wait...", "what?", "Yes"]),
            ("What?! Really", &["What?", "!", "Really"]),
            ("See www.x.com now. Ok", &["See www.", "x.com now.", "Ok"]),
            ("Acme Inc. It grew. Ok", &["Acme Inc", "It grew.", "Ok"]),
            ("Acme Inc. grew. Ok", &["Acme Inc. grew.", "Ok"]),
            ("She said \"Hi.\" Then left.", &["She said \"Hi\".", "Then left."]),
            ("She said “Hi.” Then left.", &["She said “Hi”.", "Then left."]),
            (
                "\"Go!\" he said. \"Why?\" I asked.",
                &["\"Go\"!", "he said.", "\"Why\"?", "I asked."],
            ),
            ("(Hi.) Ok.", &["(Hi.", ") Ok."]),
            ("It is 3.14. Yes", &["It is 3.14.", "Yes"]),
            ("Version 1.2.3 is out", &["Version 1.2.", "3 is out"]),
            ("A Ph.D. helps. Yes", &["A Ph.D. helps.", "Yes"]),
            ("John F. Kennedy won. Yes", &["John F. Kennedy won.", "Yes"]),
            ("In the U.S. He won", &["In the U.S.", "He won"]),
            ("In the U.S. Kennedy won", &["In the U.S. Kennedy won"]),
            ("The U.S.A. won", &["The U.S.A. won"]),
            ("e.g. this. And", &["e.g. this.", "And"]),
            ("Mr.Smith and Dr.No. Ok", &["Mr.Smith and Dr.No.", "Ok"]),
            ("One.\nTwo.\n\nThree", &["One.", "Two.", "Three"]),
            ("Split<stop>here<prd> too", &["Split", "here. too"]),
        ];
        for (text, expected) in cases {
            assert_eq!(sentences(text), expected, "{text}");
        }
    }
}
