//! LaTeX as the parser expects it: without layout, units and the slips that models make.
//!
//! The steps and their order are those of Math-Verify's normalisation, whose effects on real answers they
//! keep, the odd ones included. Each takes time linear in the text.

use framework::environment::python::text::strip;

use super::cursor::Cursor;
use super::{Options, operators, units};

/// Delimiters that need no `\left` before them, and those that need no `\right`.
const OPENING: [&str; 15] = [
    "(",
    "[",
    "{",
    "|",
    "\\{",
    "\\|",
    "\\lbrace",
    "\\lbrack",
    "\\lceil",
    "\\lfloor",
    "\\lgroup",
    "\\langle",
    "\\lvert",
    "\\vert",
    "\\llcorner",
];
const CLOSING: [&str; 15] = [
    ")",
    "]",
    "}",
    "|",
    "\\}",
    "\\|",
    "\\rbrace",
    "\\rbrack",
    "\\rceil",
    "\\rfloor",
    "\\rgroup",
    "\\rangle",
    "\\rvert",
    "\\vert",
    "\\lrcorner",
];

/// Normalises the content of an environment or of boxes.
pub(super) fn normalised(content: &str, options: Options) -> String {
    let text = commands(content);
    let text = pochhammer(&text);
    let text = without_layout(&text);
    let text = rewritten(&text);
    let text = lines(text);
    let text = units::without(text, options);
    let text = leading_point(text);
    strip(&operators::mended(text)).to_owned()
}

/// Commands that say nothing: upright letters, old-fashioned matrices, `\left` and `\right`.
fn commands(content: &str) -> String {
    let mut text = content.to_owned();
    for (command, plain) in [
        ("\\mathrm{T}", "T"),
        ("\\mathrm{d}", "d"),
        ("{\\rm d}", "d"),
        ("\\left[\\begin{matrix}", "\\begin{bmatrix}"),
        ("\\end{matrix}\\right]", "\\end{bmatrix}"),
    ] {
        replace(&mut text, command, plain);
    }
    for (command, delimiters, special) in
        [("left", OPENING, "\\ulcorner"), ("right", CLOSING, "\\urcorner")]
    {
        if text.contains(command) {
            text = without_size(&text, command, &delimiters, special);
        }
    }
    text
}

fn replace(text: &mut String, from: &str, to: &str) {
    if text.contains(from) {
        *text = text.replace(from, to);
    }
}

fn without_size(text: &str, command: &str, delimiters: &[&str], special: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut copied = 0;
    for (start, _) in text.match_indices('\\') {
        let rest = &text[start + 1..];
        let rest = rest.strip_prefix('m').unwrap_or(rest);
        let Some(delimiter) = rest.strip_prefix(command).filter(|_| start >= copied) else {
            continue;
        };
        let is_known = |known: &&str| delimiter.starts_with(*known);
        if delimiters.iter().any(is_known) || is_known(&special) {
            kept.push_str(&text[copied..start]);
            copied = text.len() - delimiter.len();
        }
    }
    kept.push_str(&text[copied..]);
    kept
}

/// `(n)_{k}`, which is n!/(n-k)!.
fn pochhammer(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut copied = 0;
    for (start, _) in text.match_indices('(') {
        let Some((base, rest)) = operand(&text[start + 1..]) else { continue };
        let count = rest.strip_prefix(")_{").and_then(operand);
        let Some((count, rest)) = count.filter(|(_, rest)| rest.starts_with('}')) else { continue };
        written.push_str(&text[copied..start]);
        written.push_str(&format!("\\frac{{({base})!}}{{(({base})-({count}))!}}"));
        copied = text.len() - rest.len() + 1;
    }
    written.push_str(&text[copied..]);
    written
}

/// Letters, digits and signs up to whatever else comes.
fn operand(text: &str) -> Option<(&str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+-*/\\ ".contains(c);
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Drops what is there for the eye alone.
fn without_layout(text: &str) -> String {
    if !text.contains(['\\', '$', '"', '\'']) {
        return text.to_owned();
    }
    let cursor = Cursor::new(text);
    let mut kept = String::with_capacity(text.len());
    // All signs that begin something are of one byte, so that others are passed over byte by byte.
    let (mut at, mut copied) = (0, 0);
    while let Some(byte) = cursor.byte(at) {
        let dropped = match byte {
            b'\\' => layout_command(&cursor, at),
            b'$' => Some(at + 1),
            b'"' | b'\'' if cursor.byte_before(at) != Some(b'\\') => Some(at + 1),
            _ => None,
        };
        at = match dropped {
            Some(end) => {
                kept.push_str(&text[copied..at]);
                copied = end;
                end
            }
            None => at + 1,
        };
    }
    kept.push_str(&text[copied..]);
    kept
}

fn layout_command(cursor: &Cursor<'_>, at: usize) -> Option<usize> {
    let behind = |command: &str| cursor.behind(at, command);
    let empty_text = || {
        let open = cursor.behind(cursor.spaces_end(behind("\\text")?), "{")?;
        cursor.behind(cursor.spaces_end(open), "}")
    };
    let spaced = behind("\\!").map(|end| cursor.spaces_end(end));
    let found = behind("\\mathrm{th}").or(spaced).or_else(empty_text);
    found.or_else(|| behind("\\$")).or_else(|| behind("\\displaystyle"))
}

/// Rewrites other ways to say the same, in one pass.
fn rewritten(text: &str) -> String {
    let cursor = Cursor::new(text);
    let mut written = String::with_capacity(text.len() + 8);
    let (mut at, mut copied) = (0, 0);
    while let Some(byte) = cursor.byte(at) {
        let found = match byte {
            b'\\' => synonym(&cursor, at),
            b'{' => dotted_brace(&cursor, at).or_else(|| braced_comma(&cursor, at)),
            b'~' => cursor.behind(at, "~=").map(|end| ("\\approx", end)),
            b',' => conjunction(&cursor, at).or_else(|| dots(&cursor, at)),
            b'a' | b'o' => conjunction(&cursor, at),
            b'p' => percent(&cursor, at),
            b'i' => infinity(&cursor, at),
            byte if byte.is_ascii_graphic() || !text.is_char_boundary(at) => None,
            _ => spaced(&cursor, at),
        };
        match found {
            Some((replacement, end)) => {
                written.push_str(&text[copied..at]);
                written.push_str(replacement);
                (at, copied) = (end, end);
            }
            None => at += 1,
        }
    }
    written.push_str(&text[copied..]);
    written
}

/// What is written instead, and where what it replaces ends.
type Replacement = Option<(&'static str, usize)>;

fn synonym(cursor: &Cursor<'_>, at: usize) -> Replacement {
    let one_of = |prefix: &str, names: &[&str]| {
        let behind = cursor.behind(at, prefix)?;
        names.iter().find_map(|name| cursor.behind(behind, name))
    };
    let family = one_of("\\math", &["rm", "it", "bf"]);
    let family = family.or_else(|| one_of("\\text", &["normal", "bf", "it", "rm"]));
    let fraction = || one_of("\\", &["dfrac", "tfrac", "cfrac"]).map(|end| ("\\frac", end));
    let space = || {
        let is_escaped = cursor.byte_before(at) == Some(b'\\');
        cursor.behind_space(at + 1).filter(|_| !is_escaped).map(|end| (" ", end))
    };
    let percent = || {
        let end = one_of("\\text{", &["percentage}", "percent}", "pct}"]);
        end.map(|end| ("\\%", end))
    };
    let found = family.map(|end| ("\\text", end)).or_else(fraction);
    let found = found.or_else(|| worded_conjunction(cursor, at)).or_else(space);
    found.or_else(|| dots(cursor, at)).or_else(percent)
}

fn dotted_brace(cursor: &Cursor<'_>, at: usize) -> Replacement {
    cursor.behind(at, "{.").map(|end| ("{0.", end))
}

/// `{,}`, with spaces wherever.
fn braced_comma(cursor: &Cursor<'_>, at: usize) -> Replacement {
    let open = cursor.behind(cursor.spaces_end(at), "{")?;
    let comma = cursor.behind(cursor.spaces_end(open), ",")?;
    cursor.behind(cursor.spaces_end(comma), "}").map(|end| (",", end))
}

/// `and` and `or` as words, with the comma before them.
fn conjunction(cursor: &Cursor<'_>, at: usize) -> Replacement {
    let is_letter = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphabetic());
    let word = cursor.spaces_end(cursor.behind(at, ",").unwrap_or(at));
    let end = cursor.behind(word, "and").or_else(|| cursor.behind(word, "or"));
    let is_word = |end: &usize| !is_letter(cursor.byte_before(at)) && !is_letter(cursor.byte(*end));
    let end = end.filter(is_word).map(|end| (",", end));
    end.or_else(|| worded_conjunction(cursor, at))
}

/// `\text{and}` and `\text{or}`, with the comma before them.
fn worded_conjunction(cursor: &Cursor<'_>, at: usize) -> Replacement {
    let command = cursor.spaces_end(cursor.behind(at, ",").unwrap_or(at));
    let word = cursor.spaces_end(cursor.behind(command, "\\text{")?);
    let end = cursor.behind(word, "and").or_else(|| cursor.behind(word, "or"))?;
    cursor.behind(cursor.spaces_end(end), "}").map(|end| (",", end))
}

fn dots(cursor: &Cursor<'_>, at: usize) -> Replacement {
    let dots = cursor.behind(at, ",").unwrap_or(at);
    cursor.behind(dots, "\\ldots").map(|end| (" ", end))
}

fn percent(cursor: &Cursor<'_>, at: usize) -> Replacement {
    let word = cursor.spaces_end(at);
    let mut names = ["percentage", "percent", "pct"].into_iter();
    names.find_map(|name| cursor.behind(word, name)).map(|end| ("\\%", end))
}

fn infinity(cursor: &Cursor<'_>, at: usize) -> Replacement {
    let short = || cursor.behind(at, "inf").filter(|_| cursor.byte_before(at) != Some(b'\\'));
    cursor.behind(at, "infinity").or_else(short).map(|end| ("\\infty", end))
}

/// What begins with spaces.
fn spaced(cursor: &Cursor<'_>, at: usize) -> Replacement {
    let next = cursor.behind_space(at)?;
    let point = cursor.behind(next, ".").map(|end| (" 0.", end));
    let found = point.or_else(|| braced_comma(cursor, at)).or_else(|| conjunction(cursor, at));
    let root = || cursor.behind(at, " sqrt").map(|end| ("\\sqrt", end));
    found.or_else(|| percent(cursor, at)).or_else(root)
}

/// One line, with single backslashes before letters.
fn lines(mut text: String) -> String {
    replace(&mut text, "\n", " ");
    replace(&mut text, "\t", " ");
    if !text.contains("\\\\") || text.contains("matrix") {
        return text;
    }
    let mut kept = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    // One backslash of two, if they stand right before a letter.
    let mut is_pair = false;
    while let Some(character) = characters.next() {
        let is_before_letter = characters.peek().is_some_and(char::is_ascii_alphabetic);
        if character == '\\' && is_pair && is_before_letter {
            continue;
        }
        is_pair = character == '\\';
        kept.push(character);
    }
    kept
}

fn leading_point(text: String) -> String {
    let text = if text.starts_with('.') { format!("0{text}") } else { text };
    if text == "0.5" { "\\frac{1}{2}".to_owned() } else { text }
}
