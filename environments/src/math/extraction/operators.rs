//! Operators without their braces: `\frac12`, `\sqrt3`, `^(2)`.

use framework::environment::python::text::is_space;

use super::cursor::{Cursor, Memo};

/// Gives operators the braces that they lack.
pub(super) fn mended(text: String) -> String {
    let has_operator = ["^", "sqrt", "frac", "log", "/"].iter().any(|name| text.contains(name));
    if !has_operator {
        return text;
    }
    let text = rewritten(text, "^", power);
    let text = rewritten(text, "sqrt", root_of_brackets);
    let text = rewritten(text, "\\frac", |cursor, at, _| digits(cursor, at, "\\frac"));
    let text = rewritten(text, "\\log_", |cursor, at, _| digits(cursor, at, "\\log_"));
    let text = rewritten(text, "\\frac", fraction_by_digit);
    let text = rewritten(text, "\\frac", digit_by_group);
    let text = rewritten(text, "\\sqrt", root_of_digit);
    let text = if text.contains(" sqrt") { text.replace(" sqrt", "\\sqrt") } else { text };
    whole_fraction(fractions(roots(text)))
}

/// Rewrites what begins with a name: the function gets the position behind it, and says what is written
/// for all up to which position.
fn rewritten(
    text: String,
    name: &str,
    rewrite: impl Fn(&Cursor<'_>, usize, &Memo) -> Option<(String, usize)>,
) -> String {
    if !text.contains(name) {
        return text;
    }
    let (cursor, memo) = (Cursor::new(&text), Memo::default());
    let mut written = String::with_capacity(text.len() + 8);
    let mut copied = 0;
    for (start, _) in text.match_indices(name) {
        if start < copied {
            continue;
        }
        if let Some((replacement, end)) = rewrite(&cursor, start + name.len(), &memo) {
            written.push_str(&text[copied..start]);
            written.push_str(&replacement);
            copied = end;
        }
    }
    written.push_str(&text[copied..]);
    written
}

/// A position, behind one space if there is one.
fn behind_one_space(cursor: &Cursor<'_>, at: usize) -> usize {
    cursor.behind_space(at).unwrap_or(at)
}

/// What is in round brackets, up to the first that closes, and the position behind it.
fn bracketed<'t>(cursor: &Cursor<'t>, at: usize, memo: &Memo) -> Option<(&'t str, usize)> {
    let text = cursor.text();
    let open = cursor.behind(behind_one_space(cursor, at), "(")?;
    let close = memo.next(open, |from| Some(from + text[from..].find(')')?))?;
    let inside = Some(&text[open..close]).filter(|inside| !inside.contains('\n'))?;
    Some((inside, close + 1))
}

fn power(cursor: &Cursor<'_>, at: usize, memo: &Memo) -> Option<(String, usize)> {
    let (inside, end) = bracketed(cursor, at, memo)?;
    Some((format!("^{{{inside}}}"), end))
}

fn root_of_brackets(cursor: &Cursor<'_>, at: usize, memo: &Memo) -> Option<(String, usize)> {
    let (inside, end) = bracketed(cursor, at, memo)?;
    Some((format!("\\sqrt{{{inside}}}"), end))
}

fn digit(cursor: &Cursor<'_>, at: usize) -> Option<char> {
    cursor.byte(at).filter(u8::is_ascii_digit).map(char::from)
}

/// A digit, and digits behind it.
fn digits(cursor: &Cursor<'_>, at: usize, name: &str) -> Option<(String, usize)> {
    let at = behind_one_space(cursor, at);
    let first = digit(cursor, at)?;
    let start = behind_one_space(cursor, at + 1);
    let end = cursor.digits_end(start);
    let rest = Some(&cursor.text()[start..end]).filter(|rest| !rest.is_empty())?;
    Some((format!("{name}{{{first}}}{{{rest}}}"), end))
}

/// A brace, up to the first closing brace that a digit follows, and that digit.
fn fraction_by_digit(cursor: &Cursor<'_>, at: usize, memo: &Memo) -> Option<(String, usize)> {
    let text = cursor.text();
    let open = cursor.behind(behind_one_space(cursor, at), "{")?;
    let is_by_digit = |at: usize| digit(cursor, behind_one_space(cursor, at + 1)).is_some();
    let find = |from: usize| {
        let mut braces = text[from..].match_indices('}').map(|(index, _)| from + index);
        braces.find(|brace| is_by_digit(*brace))
    };
    let close = memo.next(open, find)?;
    let at = behind_one_space(cursor, close + 1);
    let below = digit(cursor, at)?;
    Some((format!("\\frac{{{}}}{{{below}}}", &text[open..close]), at + 1))
}

fn digit_by_group(cursor: &Cursor<'_>, at: usize, memo: &Memo) -> Option<(String, usize)> {
    let text = cursor.text();
    let at = behind_one_space(cursor, at);
    let above = digit(cursor, at)?;
    let open = cursor.behind(behind_one_space(cursor, at + 1), "{")?;
    let close = memo.next(open, |from| Some(from + text[from..].find('}')?))?;
    Some((format!("\\frac{{{above}}}{{{}}}", &text[open..close]), close + 1))
}

fn root_of_digit(cursor: &Cursor<'_>, at: usize, _: &Memo) -> Option<(String, usize)> {
    let at = behind_one_space(cursor, at);
    let inside = digit(cursor, at)?;
    Some((format!("\\sqrt{{{inside}}}"), at + 1))
}

/// The first character behind a root without braces is what it is of.
fn roots(text: String) -> String {
    if !text.contains("\\sqrt") {
        return text;
    }
    let mut parts = text.split("\\sqrt");
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let part = part.trim_start_matches(is_space);
        written.push_str("\\sqrt");
        let mut rest = part.chars();
        match rest.next() {
            Some(first) if first != '{' && first != '[' => {
                written.push_str(&format!("{{{first}}}{}", rest.as_str()));
            }
            _ => written.push_str(part),
        }
    }
    written
}

/// The first two characters behind a fraction without braces are what it is of.
fn fractions(text: String) -> String {
    if !text.contains("\\frac") {
        return text;
    }
    let mut parts = text.split("\\frac");
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let part = part.trim_start_matches(is_space);
        written.push_str("\\frac");
        if part.starts_with('{') {
            written.push_str(part);
            continue;
        }
        let mut rest = part.chars();
        let (Some(above), Some(below)) = (rest.next(), rest.next()) else { return text };
        let below = if below == '{' { "{".to_owned() } else { format!("{{{below}}}") };
        written.push_str(&format!("{{{above}}}{below}{}", rest.as_str()));
    }
    written
}

/// A text that is one integer by another is a fraction.
fn whole_fraction(text: String) -> String {
    let is_integer = |part: &str| {
        let digits = part.strip_prefix('-').unwrap_or(part);
        let is_canonical = digits == "0" && part == "0" || !digits.starts_with('0');
        is_canonical && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let parts =
        text.split_once('/').filter(|(above, below)| is_integer(above) && is_integer(below));
    match parts {
        Some((above, below)) => format!("\\frac{{{above}}}{{{below}}}"),
        None => text,
    }
}
