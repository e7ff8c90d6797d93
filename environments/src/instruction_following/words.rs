//! Words as NLTK's `word_tokenize` finds them: Punkt's sentences, each rewritten by rule until its
//! tokens stand apart.
//!
//! The rules are those of NLTK's own tokenizer, which extends the Penn Treebank's: quotes become
//! `` and '', clitics such as n't are split off, and so is nearly all punctuation. Every rule is a
//! substitution on the outcome of those before, as in NLTK, because they lean on each other.

use std::sync::LazyLock;

use regex::Regex;

use super::punkt;
use super::text::{fold, is_space, is_word};

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for sentence in punkt::sentences(text) {
        tokens.extend(super::text::words(&spaced(sentence)).map(str::to_owned));
    }
    tokens
}

/// A pattern, and what takes its place.
type Rule = (Regex, &'static str);

fn rules<const N: usize>(rules: [(&str, &'static str); N]) -> [Rule; N] {
    rules.map(|(pattern, replacement)| {
        (Regex::new(pattern).expect("the pattern is well-formed"), replacement)
    })
}

static OPENING_QUOTES: LazyLock<[Rule; 4]> = LazyLock::new(|| {
    rules([
        ("[«“‘„]|`+", " $0 "),
        ("^\"", "``"),
        ("``", " $0 "),
        (r#"([ (\[{<])("|'{2})"#, "$1 `` "),
    ])
});
static PUNCTUATION: LazyLock<[Rule; 12]> = LazyLock::new(|| {
    rules([
        (r#"([^.])(\.)([\])}>"'»”’ ]*)[\s\x1c-\x1f]*$"#, "$1 $2 $3 "),
        (r"([:,])(\P{Nd})", " $1 $2"),
        // Python's `$` also stands before a newline at the very end.
        (r"([:,])(\n?)$", " $1 $2"),
        (r"\.{2,}", " $0 "),
        ("[;@#$%&]", " $0 "),
        ("[\u{2012}-\u{2015}]", " $0 "),
        (r#"([^.])(\.)([\])}>"']*)[\s\x1c-\x1f]*$"#, "$1 $2$3 "),
        ("[?!]", " $0 "),
        ("([^'])' ", "$1 ' "),
        (r"\*", " $0 "),
        (r"[\]\[(){}<>]", " $0 "),
        ("--", " -- "),
    ])
});
static CLOSING_QUOTES: LazyLock<[Rule; 6]> = LazyLock::new(|| {
    rules([
        ("[»”’]", " $0 "),
        ("''", " '' "),
        ("\"", " '' "),
        (r"[\s\x1c-\x1f]+", " "),
        ("([^' ])('[sS]|'[mM]|'[dD]|') ", "$1 $2 "),
        ("([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", "$1 $2 "),
    ])
});

/// Words that are two, in the order in which they are looked for.
const CONTRACTIONS: [Contraction; 10] = [
    Contraction::new("can", "not"),
    Contraction::new("d", "'ye"),
    Contraction::new("gim", "me"),
    Contraction::new("gon", "na"),
    Contraction::new("got", "ta"),
    Contraction::new("lem", "me"),
    Contraction::new("more", "'n"),
    Contraction { ends: Edge::BeforeSpace, ..Contraction::new("wan", "na") },
    Contraction { starts: Edge::AfterBlank, ..Contraction::new("'t", "is") },
    Contraction { starts: Edge::AfterBlank, ..Contraction::new("'t", "was") },
];

/// Where a contraction must stand.
#[derive(Clone, Copy, PartialEq)]
enum Edge {
    Word,
    BeforeSpace,
    AfterBlank,
}

#[derive(Clone, Copy)]
struct Contraction {
    head: &'static str,
    tail: &'static str,
    starts: Edge,
    ends: Edge,
}

/// A sentence with spaces around each token.
fn spaced(sentence: &str) -> String {
    let apply = |text: String, (pattern, replacement): &Rule| match pattern
        .replace_all(&text, *replacement)
    {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(changed) => changed,
    };
    let text = OPENING_QUOTES.iter().fold(sentence.to_owned(), apply);
    let text = PUNCTUATION.iter().fold(space_opening_apostrophes(&text), apply);
    let text = CLOSING_QUOTES.iter().fold(format!(" {text} "), apply);
    CONTRACTIONS.iter().fold(text, |text, contraction| contraction.split(text))
}

/// Puts a space after each apostrophe that opens a word, unless the word is a clitic.
fn space_opening_apostrophes(text: &str) -> String {
    const CLITICS: [&str; 8] = ["re", "ve", "ll", "m", "t", "s", "d", "n"];
    let mut spaced = String::with_capacity(text.len());
    let mut previous = None;
    for (at, character) in text.char_indices() {
        spaced.push(character);
        let opens = character == '\'' && !previous.is_some_and(is_word);
        let after = &text[at + character.len_utf8()..];
        let is_clitic = || CLITICS.iter().any(|clitic| is_word_of(after, clitic));
        if opens && after.starts_with(is_word) && !is_clitic() {
            spaced.push(' ');
        }
        previous = Some(character);
    }
    spaced
}

/// Whether a text starts with that word, in whatever case.
fn is_word_of(text: &str, word: &str) -> bool {
    strip_prefix(text, word).is_some_and(|rest| !rest.starts_with(is_word))
}

/// The rest of a text that starts with something, in whatever case.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let mut characters = text.chars();
    prefix.chars().all(|expected| characters.next().map(fold) == Some(expected)).then_some(())?;
    Some(characters.as_str())
}

impl Contraction {
    const fn new(head: &'static str, tail: &'static str) -> Self {
        Self { head, tail, starts: Edge::Word, ends: Edge::Word }
    }

    /// Splits the contraction wherever it stands.
    fn split(self, text: String) -> String {
        let first = self.head.chars().next().expect("a contraction has a head");
        let mut spaced: Option<String> = None;
        let (mut previous, mut rest, mut copied) = (None, text.as_str(), 0);
        while let Some(character) = rest.chars().next() {
            let at = text.len() - rest.len();
            if fold(character) == first
                && let Some((head, end)) = self.find(&text, at, previous)
            {
                let out = spaced.get_or_insert_default();
                // The blank before `'tis` belongs to the match; it is put back.
                out.push_str(&text[copied..at]);
                out.push(' ');
                out.push_str(&text[at..head]);
                out.push(' ');
                out.push_str(&text[head..end]);
                out.push(' ');
                (copied, rest) = (end, &text[end..]);
                previous = text[..end].chars().next_back();
                continue;
            }
            previous = Some(character);
            rest = &rest[character.len_utf8()..];
        }
        match spaced {
            Some(out) => out + &text[copied..],
            None => text,
        }
    }

    /// Where head and tail of the contraction end, if it stands here.
    fn find(self, text: &str, at: usize, previous: Option<char>) -> Option<(usize, usize)> {
        let starts = match self.starts {
            Edge::AfterBlank => previous == Some(' '),
            Edge::Word | Edge::BeforeSpace => !previous.is_some_and(is_word),
        };
        let after_head = strip_prefix(&text[at..], self.head).filter(|_| starts)?;
        let rest = strip_prefix(after_head, self.tail)?;
        let ends = match self.ends {
            Edge::BeforeSpace => rest.starts_with(is_space),
            Edge::Word | Edge::AfterBlank => !rest.starts_with(is_word),
        };
        ends.then_some((text.len() - after_head.len(), text.len() - rest.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_split_into_tokens() {
        for (text, expected) in [
            ("", ""),
            ("don't stop-now", "do n't stop-now"),
            ("$5.00 50% a/b", "$ 5.00 50 % a/b"),
            ("1,000 3:30 http://x.y/z", "1,000 3:30 http : //x.y/z"),
            ("foo@bar.com #tag", "foo @ bar.com # tag"),
            ("\"Hello,\" she said.", "`` Hello , '' she said ."),
            ("e.g. this, i.e. that. Next", "e.g . this , i.e . that . Next"),
            ("I cannot; gimme 'tis WANNA go", "I can not ; gim me ' tis WAN NA go"),
            ("wanna", "wan na"),
            ("wanna!", "wan na !"),
            ("'hello' 'tis 's it's the boys' toy", "' hello ' ' tis 's it 's the boys ' toy"),
            ("(a) [b] {c} <d>", "( a ) [ b ] { c } < d >"),
            ("a -- b--c – d—e", "a -- b -- c – d — e"),
            ("wait... what?!", "wait ... what ? !"),
            ("**bold** `code`", "* * bold * * ` code `"),
            ("we'll WE'LL They're I'd", "we 'll WE 'LL They 're I 'd"),
            ("“Hi” ‘x’", "“ Hi ” ‘ x ’"),
            ("time 5:", "time 5 :"),
            ("d'ye more'n gotta", "d 'ye more 'n got ta"),
            ("Mr. Smith", "Mr. Smith"),
            ("Ends.\")", "Ends . '' )"),
        ] {
            assert_eq!(tokens(text).join(" "), expected, "{text}");
        }
    }
}
