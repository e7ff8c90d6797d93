//! Where references begin and end in a text.

use super::super::problem::Fault;

/// A piece of a text.
pub(in super::super) enum Part<'a> {
    /// What stands as it is.
    Literal(String),
    /// What stands between `${` and `}`.
    Reference(&'a str),
}

/// Splits a text into what stands as it is and what stands between `${` and its `}`.
pub(in super::super) fn split(text: &str) -> Result<Vec<Part<'_>>, Fault> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if let Some(before) = rest[..start].strip_suffix('\\') {
            literal.push_str(before);
            literal.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        literal.push_str(&rest[..start]);
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        let inside = &rest[start + 2..];
        let end = end_of_reference(inside).ok_or(Fault::UnclosedReference)?;
        parts.push(Part::Reference(&inside[..end]));
        rest = &inside[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

/// Finds the `}` that closes a reference, past those of the references inside it.
fn end_of_reference(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (position, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(position),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Splits at the first separator that stands in no inner reference, list or map and in no quotes.
pub(super) fn split_outside_references(text: &str, separator: char) -> (&str, Option<&str>) {
    let mut depth = 0_usize;
    let mut in_quotes = false;
    for (position, letter) in text.char_indices() {
        match letter {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            '"' => in_quotes = !in_quotes,
            _ if letter == separator && depth == 0 && !in_quotes => {
                return (&text[..position], Some(&text[position + 1..]));
            }
            _ => {}
        }
    }
    (text, None)
}

/// What a reference spells out itself: the default in `${env:VAR,default}`, the text in `${oc.decode:text}`.
pub(in super::super) fn default_of(reference: &str) -> Option<&str> {
    let (function, arguments) = split_outside_references(reference, ':');
    let written = match function.trim() {
        "env" | "oc.env" | "oc.select" => split_outside_references(arguments?, ',').1,
        "oc.decode" | "oc.create" => arguments,
        _ => None,
    };
    written.map(unquoted)
}

/// Takes the quotes off a text that stands in quotes.
pub(super) fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let inner = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}
