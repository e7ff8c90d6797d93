//! The log-probabilities of a long answer as vLLM writes them: an object of some ninety bytes for every
//! token, most of which says nothing. Read by what they always look like; whatever looks otherwise is
//! left to the reader that knows all of JSON.
//!
//! Every byte between the list's brackets is accounted for: names and punctuation are compared, `bytes`
//! is checked to be a list of numbers, ids and values are copied into lists, which are checked as lists
//! from anywhere are. Where an entry begins is known only when the one before has been read, so both
//! halves are read by turns, which keeps the processor busy.

use framework::responses::{LogProbs, TokenIds};
use memchr::memmem;
use wide::u8x16;

/// How the list begins.
const BEGIN: &str = r#""logprobs":{"content":[{"token":"token_id:"#;
/// Where its entries begin in that.
const ENTRIES: usize = r#""logprobs":{"content":["#.len();
/// Where the value begins in that.
const VALUE: usize = r#""logprobs":"#.len();
/// The digits of the largest id.
const ID_DIGITS_MAX: usize = 10;
/// Between two entries; what comes after the comma begins the second one.
const BETWEEN: &str = r#"},{"token":"token_id:"#;
/// What stands in the value's place.
const MARK: &str = r#"{"<log-probabilities>":0}"#;

/// What was found in a completion's text.
#[derive(Debug)]
pub(super) struct Taken {
    /// The text without it.
    pub(super) rest: String,
    pub(super) ids: TokenIds,
    pub(super) log_probs: LogProbs,
}

/// Takes the log-probabilities out of a completion's text. It remains to be seen whether they are those
/// of the choice that counts.
pub(super) fn take(text: &str) -> Option<Taken> {
    let start = memmem::find(text.as_bytes(), BEGIN.as_bytes())?;
    // Inside a text the quotes would be escaped.
    if text[..start].ends_with('\\') {
        return None;
    }
    let [mut first, mut second] = halves(text, start + ENTRIES);
    let cut = first.end;
    while first.is_open() && second.is_open() {
        first.entry()?;
        second.entry()?;
    }
    while first.is_open() {
        first.entry()?;
    }
    while second.is_open() {
        second.entry()?;
    }
    if first.at != cut {
        return None;
    }
    let bytes = text.as_bytes();
    let end = skip(bytes, second.at, b"]")?;
    // `refusal` is the other list that OpenAI has there.
    let refusal = skip(bytes, end, br#","refusal":null"#);
    let refusal = refusal.or_else(|| skip(bytes, end, br#","refusal":[]"#));
    let end = skip(bytes, refusal.unwrap_or(end), b"}")?;
    let (before, after) = (&text[..start + VALUE], &text[end..]);
    if [before, after].iter().any(|part| memmem::find(part.as_bytes(), MARK.as_bytes()).is_some()) {
        return None;
    }
    let ids = TokenIds::parse(&list(first.ids, &second.ids)?).ok()?;
    let log_probs = LogProbs::parse(&list(first.values, &second.values)?).ok()?;
    let rest = [before, MARK, after].concat();
    Some(Taken { rest, ids, log_probs })
}

/// Whether a value is what stands for log-probabilities that were taken out.
pub(super) fn is_mark(value: &str) -> bool {
    value == MARK
}

/// The list of two halves of its inside, each entry of which ends in a comma.
fn list(mut first: Vec<u8>, second: &[u8]) -> Option<String> {
    first.extend_from_slice(second);
    *first.last_mut()? = b']';
    String::from_utf8(first).ok()
}

/// The two halves of a list whose entries begin at an index. Of a short one the first is empty.
fn halves(text: &str, start: usize) -> [Lane<'_>; 2] {
    let middle = start + (text.len() - start) / 2;
    let between = memmem::find(&text.as_bytes()[middle..], BETWEEN.as_bytes());
    let cut = between.map_or(start, |between| middle + between + "},".len());
    // The first gets both halves at last.
    let length = text.len() - start;
    let mut first = Lane::new(text, [start, cut], length);
    first.ids.push(b'[');
    first.values.push(b'[');
    [first, Lane::new(text, [cut, text.len()], length / 2)]
}

/// A part of the list that is being read.
struct Lane<'a> {
    text: &'a str,
    at: usize,
    /// Where it ends at last; it ends before that where no comma comes.
    end: usize,
    /// What was read, with a comma after each.
    ids: Vec<u8>,
    values: Vec<u8>,
}

impl<'a> Lane<'a> {
    /// A part from one index to another, and how much text it will have been read from.
    fn new(text: &'a str, [at, end]: [usize; 2], length: usize) -> Self {
        // Of an entry the id is a tenth at most, and the value rarely more than a fourth.
        let ids = Vec::with_capacity(length / 10);
        let values = Vec::with_capacity(length / 4);
        Self { text, at, end, ids, values }
    }

    fn is_open(&self) -> bool {
        self.at < self.end
    }

    /// Reads an entry, and the comma after it, if there is one.
    #[inline(always)]
    fn entry(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        let id = skip(bytes, self.at, br#"{"token":"token_id:"#)?;
        let id_block = block(bytes, id)?;
        let id_length = (digits(id_block) + 1).trailing_zeros() as usize;
        let value = skip(bytes, id + id_length, br#"","logprob":"#)?;
        let (low, high) = (block(bytes, value)?, block(bytes, value + 16)?);
        let commas = places(low, b',') | places(high, b',') << 16 | 1 << 31;
        let length = commas.trailing_zeros() as usize;
        // Nothing would leave no trace in a list of one, and white space would be carried along.
        let is_id = (1..=ID_DIGITS_MAX).contains(&id_length);
        if !is_id || length == 0 || bytes[value] <= b' ' || bytes[value + length - 1] <= b' ' {
            return None;
        }
        let at = said(bytes, skip(bytes, value + length, br#","bytes":"#)?)?;
        self.at = skip(bytes, at, br#","top_logprobs":[]}"#)?;
        let ids = self.ids.len();
        self.ids.extend_from_slice(id_block);
        self.ids[ids + id_length] = b',';
        self.ids.truncate(ids + id_length + 1);
        // The comma is there already.
        let values = self.values.len();
        self.values.extend_from_slice(block::<32>(bytes, value)?);
        self.values.truncate(values + length + 1);
        match bytes.get(self.at) {
            Some(b',') => self.at += 1,
            Some(_) | None => self.end = self.at,
        }
        Some(())
    }
}

/// The bytes from an index on.
#[inline(always)]
fn block<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

/// Where what has to come next ends.
#[inline(always)]
fn skip<const N: usize>(bytes: &[u8], at: usize, expected: &[u8; N]) -> Option<usize> {
    (bytes.get(at..)?.first_chunk() == Some(expected)).then_some(at + N)
}

/// Where a list of whole numbers that are not negative ends, or null.
#[inline(always)]
fn said(bytes: &[u8], at: usize) -> Option<usize> {
    let Some(inside) = skip(bytes, at, b"[") else { return skip(bytes, at, b"null") };
    let block = block(bytes, inside)?;
    let (numbers, commas) = (digits(block), places(block, b','));
    // Where what is in it ends.
    let end = ((numbers | commas) + 1).trailing_zeros() as usize;
    if end == 0 || end == 16 {
        return skip(bytes, inside, b"]").or_else(|| long_list(bytes, inside));
    }
    let begins = commas << 1 | 1;
    let leading_zeros = places(block, b'0') & begins & numbers >> 1;
    let wrong = (commas & begins | leading_zeros | commas & 1 << (end - 1)) << (32 - end);
    if wrong == 0 { skip(bytes, inside + end, b"]") } else { None }
}

/// The same for lists of any length; the index is that of their first number.
#[cold]
fn long_list(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let rest = bytes.get(at..)?;
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 || (length > 1 && rest[0] == b'0') {
            return None;
        }
        at += length + 1;
        match rest.get(length)? {
            b',' => {}
            b']' => return Some(at),
            _ => return None,
        }
    }
}

/// Where a byte stands in a block.
#[inline(always)]
fn places(block: &[u8; 16], byte: u8) -> u32 {
    u8x16::new(*block).simd_eq(u8x16::splat(byte)).to_bitmask()
}

/// Where digits stand.
#[inline(always)]
fn digits(block: &[u8; 16]) -> u32 {
    let values = u8x16::new(*block) - u8x16::splat(b'0');
    values.min(u8x16::splat(9)).simd_eq(values).to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"choices":[{"logprobs":{"content":[{"token":"token_id:5","logprob":-0.5,"bytes":[104,105],"top_logprobs":[]},{"token":"token_id:7","logprob":-1e-05,"bytes":null,"top_logprobs":[]}]},"x":1}]}"#;

    #[test]
    fn what_vllm_writes_is_taken_out() {
        let taken = take(WHOLE).unwrap();
        assert_eq!(taken.rest, format!(r#"{{"choices":[{{"logprobs":{MARK},"x":1}}]}}"#));
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
        // Neither half may end before the other begins.
        let entry = r#"{"token":"token_id:5","logprob":-0.5,"bytes":[],"top_logprobs":[]}"#;
        let [many, gap] =
            [[entry; 8].join(","), [[entry; 4].join(","), [entry; 9].join(",")].join(" ")];
        let sixteen = "token_id:1234567890123456";
        for (from, to) in [("token_id:5", "token_id:"), ("token_id:5", sixteen), ("-0.5", "")] {
            let nothing = entry.replacen(from, to, 1);
            assert!(take(&format!(r#"{{"logprobs":{{"content":[{nothing}]}}}}"#)).is_none());
        }
        let list = |entries: &str| take(&format!(r#"{{"logprobs":{{"content":[{entries}]}}}}"#));
        assert!(list(&many).is_some());
        assert!(list(&gap).is_none());
        for end in 0..WHOLE.len() - 10 {
            assert!(take(&WHOLE[..end]).is_none(), "{end}");
        }
    }
}
