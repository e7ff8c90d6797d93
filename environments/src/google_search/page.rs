//! The text of a page: decompressed, decoded, and what there is to read in it.
//!
//! A page is hostile until it is text. It is decompressed up to a limit (a bomb ends there), decoded
//! whatever its charset claims, and measured before it is read (`page/shape.rs`), because readers of
//! HTML recurse over it and take time that grows faster than its size. All of this keeps a processor
//! busy, so it runs on the pool for that.

mod readable;
mod shape;

use std::io::Read as _;

use chardetng::EncodingDetector;
use encoding_rs::{Encoding, UTF_8};
use flate2::read::MultiGzDecoder;
use framework::environment::python::text::is_space;

pub(crate) use readable::read_html;

/// Pages shorter than this have nothing to read.
const LENGTH_MIN: usize = 10;
/// So far into a page its charset is declared, and its kind seen.
const HEAD: usize = 2048;
/// Texts of more words than this are cut.
const WORDS_MAX: usize = 10_000;
/// What is kept of a text that is cut, in characters, at its beginning and at its end.
const KEPT: usize = 5_000;

/// What a server says that a page is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// HTML or XML, in the charset that it names.
    Html(Option<String>),
    /// Text as it is.
    Text(Option<String>),
    /// It does not say, or nothing sensible.
    Unknown,
}

impl Media {
    /// Reads a `Content-Type`; `None` if it is something to hear or to see.
    pub(crate) fn of(header: Option<&str>) -> Option<Self> {
        let mut parts = header.unwrap_or_default().split(';');
        let kind = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let charset = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let is_charset = name.trim().eq_ignore_ascii_case("charset");
            is_charset.then(|| value.trim().trim_matches(['"', '\'']).to_owned())
        });
        match kind.split_once('/') {
            None => Some(Self::Unknown),
            Some(("text", "html" | "xml")) => Some(Self::Html(charset)),
            Some(("application", kind)) if kind == "xml" || kind.ends_with("+xml") => {
                Some(Self::Html(charset))
            }
            Some(("text", _)) => Some(Self::Text(charset)),
            Some((
                "application" | "audio" | "chemical" | "font" | "image" | "message" | "model"
                | "multipart" | "video",
                _,
            )) => None,
            Some(_) => Some(Self::Unknown),
        }
    }

    fn charset(&self) -> Option<&str> {
        match self {
            Self::Html(charset) | Self::Text(charset) => charset.as_deref(),
            Self::Unknown => None,
        }
    }
}

/// How a page is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
}

impl Coding {
    /// Reads a `Content-Encoding`; `None` if it is one that was not asked for.
    pub(crate) fn of(header: Option<&str>) -> Option<Self> {
        match header.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            _ => None,
        }
    }
}

/// A page as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawPage {
    pub(crate) body: Vec<u8>,
    pub(crate) media: Media,
    pub(crate) coding: Coding,
    /// More than this is not decompressed.
    pub(crate) length_max: usize,
}

/// Why a page has no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoText {
    /// It is no page: too short or too long, or not text at all.
    #[error("it is no page")]
    NoPage,
    /// It would take too long to read.
    #[error("the page is too large or too deeply nested to be read")]
    TooComplex,
    /// There is nothing to read in it.
    #[error("there is nothing to read")]
    Empty,
}

impl RawPage {
    /// What there is to read, cut to what a model is shown.
    pub(crate) fn text(self) -> Result<String, NoText> {
        let media = self.media.clone();
        let bytes = self.decompressed()?;
        if bytes.len() < LENGTH_MIN {
            return Err(NoText::NoPage);
        }
        let text = decode(&bytes, media.charset());
        let (head, _) = split(&text, HEAD);
        if head.contains('\0') {
            return Err(NoText::NoPage);
        }
        let text = match media {
            Media::Html(_) => read_html(&text)?.text,
            Media::Text(_) if !looks_like_html(head) => text,
            Media::Unknown if !head.contains('<') => text,
            Media::Text(_) | Media::Unknown => read_html(&text)?.text,
        };
        if text.trim_matches(is_space).is_empty() {
            return Err(NoText::Empty);
        }
        Ok(cut(text))
    }

    fn decompressed(self) -> Result<Vec<u8>, NoText> {
        if self.coding == Coding::Identity {
            return Ok(self.body);
        }
        let mut plain = Vec::new();
        let limit = self.length_max as u64 + 1;
        let read = MultiGzDecoder::new(self.body.as_slice()).take(limit).read_to_end(&mut plain);
        match read {
            Ok(length) if length <= self.length_max => Ok(plain),
            Ok(_) | Err(_) => Err(NoText::NoPage),
        }
    }
}

/// A text's first so many bytes, or a few less where a character would be cut, and the rest.
fn split(text: &str, bytes: usize) -> (&str, &str) {
    let at = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.split_at(at.unwrap_or_default())
}

/// Whether text says at its very beginning that it is HTML.
fn looks_like_html(head: &str) -> bool {
    let head = head.trim_start().to_ascii_lowercase();
    ["<!doctype html", "<html"].iter().any(|start| head.starts_with(start))
}

/// Decodes bytes. What is UTF-8 is taken for that, whatever it claims to be; all else is what it
/// claims, or what it looks like.
pub(crate) fn decode(bytes: &[u8], declared: Option<&str>) -> String {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding.decode(bytes).0.into_owned();
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let label = declared.map(str::as_bytes).or_else(|| declared_within(bytes));
    let encoding = label.and_then(Encoding::for_label).filter(|encoding| *encoding != UTF_8);
    let encoding = encoding.unwrap_or_else(|| {
        let mut detector = EncodingDetector::new();
        detector.feed(bytes, true);
        detector.guess(None, true)
    });
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}

/// The charset that a page declares in its head, in a `meta` element or in an XML declaration.
fn declared_within(bytes: &[u8]) -> Option<&[u8]> {
    let head = &bytes[..bytes.len().min(HEAD)];
    let find = |name: &[u8]| {
        let at = head.windows(name.len()).position(|window| window.eq_ignore_ascii_case(name))?;
        let value = &head[at + name.len()..];
        let value = value.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
        let value = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
        let is_of_label = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_:.".contains(byte);
        let length = value.iter().take_while(|byte| is_of_label(byte)).count();
        (length > 0).then(|| &value[..length])
    };
    find(b"charset").or_else(|| find(b"encoding"))
}

/// Cuts a text of too many words to its beginning and its end, by characters, as NeMo Gym does.
pub(crate) fn cut(text: String) -> String {
    let words = text.split(is_space).filter(|word| !word.is_empty()).count();
    if words <= WORDS_MAX {
        return text;
    }
    let (Some((start, _)), Some((end, _))) =
        (text.char_indices().nth(KEPT), text.char_indices().nth_back(KEPT - 1))
    else {
        return text;
    };
    format!("{}...{}", &text[..start], &text[end..])
}

#[cfg(test)]
mod tests;
