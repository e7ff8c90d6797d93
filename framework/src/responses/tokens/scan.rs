//! A quick check of long lists of numbers, without making the numbers.
//!
//! It says yes only to what it is sure of; everything else (text, errors, odd white space) is left to
//! the reader that knows all of JSON. Ids are checked 64 bytes at a time (`blocks.rs`). Other numbers
//! are longer and of more parts, and going from one to the next takes fewer steps; but where a number
//! begins is known only when the one before it has been read, and a processor that waits for that idles.
//! So both halves of a list are read by turns.

mod blocks;

use memchr::memchr;
use wide::u8x16;

/// Numbers as long as this are read byte by byte. So many digits fit into an `f32` whatever they are.
const LENGTH_MAX: u32 = 30;

/// How many entries a list of token ids has.
pub(super) fn ids(text: &str) -> Option<usize> {
    blocks::ids(text).or_else(|| entries(text, id))
}

/// How many entries a list of numbers has, none of which is too large for an `f32`.
pub(super) fn numbers(text: &str) -> Option<usize> {
    entries(text, number)
}

/// Goes from entry to entry; `entry` returns where the one that begins at an index ends.
#[inline(always)]
fn entries(text: &str, entry: impl Fn(&[u8], usize) -> Option<usize>) -> Option<usize> {
    let bytes = text.as_bytes();
    if !bytes.starts_with(b"[") || !bytes.ends_with(b"]") {
        return None;
    }
    if bytes == b"[]" {
        return Some(0);
    }
    let is_of_python = memchr(b',', bytes).is_some_and(|comma| bytes.get(comma + 1) == Some(&b' '));
    if is_of_python { separated(b", ", bytes, entry) } else { separated(b",", bytes, entry) }
}

/// The same for a separator, both halves by turns.
#[inline(always)]
fn separated<const N: usize>(
    separator: &[u8; N],
    bytes: &[u8],
    entry: impl Fn(&[u8], usize) -> Option<usize>,
) -> Option<usize> {
    let middle = bytes.len() / 2;
    let comma = memchr(b',', &bytes[middle..]);
    let cut = comma.map_or(bytes.len(), |comma| middle + comma + N);
    let ends = [cut, bytes.len()];
    let (mut at, mut count) = ([1, cut], 0);
    let next = |at: usize| -> Option<usize> {
        let end = entry(bytes, at)?;
        let is_separated = bytes[end..].first_chunk::<N>() == Some(separator);
        let is_last = bytes[end..] == *b"]";
        if is_separated { Some(end + N) } else { is_last.then(|| end + 1) }
    };
    while at[0] < ends[0] && at[1] < ends[1] {
        at = [next(at[0])?, next(at[1])?];
        count += 2;
    }
    for (mut at, end) in at.into_iter().zip(ends) {
        while at < end {
            at = next(at)?;
            count += 1;
        }
    }
    Some(count)
}

/// Where a token id ends.
fn id(bytes: &[u8], at: usize) -> Option<usize> {
    let end = digits(bytes, at);
    let length = end - at;
    let is_small = length <= 9 || (length == 10 && is_u32(&bytes[at..end]));
    (length > 0 && is_small && !has_leading_zero(bytes, at, length)).then_some(end)
}

/// Where a number ends: `-`, digits, a fraction, and an exponent that makes it smaller.
#[inline(always)]
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<32>) else {
        return long_number(bytes, at);
    };
    let (parts, _) = block.as_chunks::<16>();
    // Digits that reach the end of the block end there.
    let others = others(&parts[0]) | others(&parts[1]) << 16 | 1 << 32;
    let run = |from: u32| (others >> from).trailing_zeros();
    let byte = |index: u32| bytes[at + index as usize];
    let start = u32::from(byte(0) == b'-');
    let whole = run(start);
    if whole != 1 && (whole == 0 || byte(start) == b'0') {
        return None;
    }
    let mut end = start + whole;
    if end < LENGTH_MAX && byte(end) == b'.' {
        let fraction = run(end + 1);
        if fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    }
    if end < LENGTH_MAX && byte(end) | 0x20 == b'e' && byte(end + 1) == b'-' {
        let exponent = run(end + 2);
        if exponent == 0 {
            return None;
        }
        end += 2 + exponent;
    }
    if end < LENGTH_MAX { Some(at + end as usize) } else { long_number(bytes, at) }
}

/// The same, byte by byte.
#[cold]
fn long_number(bytes: &[u8], mut at: usize) -> Option<usize> {
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    let end = digits(bytes, at);
    let length = end - at;
    if length == 0 || length > LENGTH_MAX as usize || has_leading_zero(bytes, at, length) {
        return None;
    }
    at = end;
    if bytes.get(at) == Some(&b'.') {
        let end = digits(bytes, at + 1);
        if end == at + 1 {
            return None;
        }
        at = end;
    }
    if matches!(bytes.get(at..at + 2), Some(b"e-" | b"E-")) {
        let end = digits(bytes, at + 2);
        if end == at + 2 {
            return None;
        }
        at = end;
    }
    Some(at)
}

/// JSON has no numbers such as `007`.
fn has_leading_zero(bytes: &[u8], at: usize, length: usize) -> bool {
    length > 1 && bytes[at] == b'0'
}

fn is_u32(digits: &[u8]) -> bool {
    digits <= b"4294967295".as_slice()
}

/// Which bytes are no digits.
#[inline(always)]
fn others(bytes: &[u8; 16]) -> u64 {
    let values = u8x16::new(*bytes) - u8x16::splat(b'0');
    u64::from(!values.min(u8x16::splat(9)).simd_eq(values).to_bitmask() & 0xffff)
}

/// Where the digits that begin at an index end.
fn digits(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_byte_is_a_digit_or_not() {
        for byte in 0..=255_u8 {
            for place in 0..16 {
                let mut bytes = [b'7'; 16];
                bytes[place] = byte;
                let expected = if byte.is_ascii_digit() { 0 } else { 1 << place };
                assert_eq!(others(&bytes), expected, "{byte} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_number_is_the_same_in_one_look_and_byte_by_byte(
            text in "-?[0-9]{0,33}[.,]?[0-9]{0,33}[eE,.]?-?[0-9]{0,4}[],e.]?",
        ) {
            let padded = format!("{text}]{}", "7".repeat(32));
            prop_assert_eq!(number(padded.as_bytes(), 0), long_number(padded.as_bytes(), 0));
        }
    }

    /// Whether a reader of JSON finds as many entries as the scan did.
    fn agree(text: &str) -> Result<(), TestCaseError> {
        if let Some(count) = ids(text) {
            let read: Vec<u32> = serde_json::from_str(text).unwrap();
            prop_assert_eq!(read.len(), count);
        }
        if let Some(count) = numbers(text) {
            let read: Vec<f32> = serde_json::from_str(text).unwrap();
            prop_assert_eq!(read.len(), count);
            prop_assert!(read.iter().all(|value| value.is_finite()));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn what_passes_is_what_a_reader_of_json_takes(text in "\\[[-0-9,.eE+ ]{0,24}\\]?") {
            agree(&text)?;
        }

        #[test]
        fn a_long_list_with_a_mistake_in_it_passes_for_no_list(
            numbers in prop::collection::vec(
                prop_oneof!["-?(0|[1-9][0-9]{0,6})(\\.[0-9]{1,18})?(e-[0-9]{2})?", "[1-9][0-9]{0,40}"],
                1..40,
            ),
            at in any::<prop::sample::Index>(),
            mistake in "[-0-9,.eE+ x]",
        ) {
            let text = format!("[{}]", numbers.join(","));
            agree(&text)?;
            let at = 1 + at.index(text.len() - 1);
            let mut replaced = text.clone();
            replaced.replace_range(at..(at + 1).min(text.len()), &mistake);
            agree(&replaced)?;
            let mut inserted = text;
            inserted.insert_str(at, &mistake);
            agree(&inserted)?;
            inserted.truncate(at + 1);
            agree(&inserted)?;
        }

        #[test]
        fn lists_of_numbers_pass(
            tokens in prop::collection::vec(any::<u32>(), 0..100),
            values in prop::collection::vec(-1e4_f64..0.0, 0..100),
        ) {
            let text = serde_json::to_string(&tokens).unwrap();
            prop_assert_eq!(ids(&text), Some(tokens.len()));
            prop_assert_eq!(entries(&text, id), Some(tokens.len()));
            let text = serde_json::to_string(&values).unwrap();
            prop_assert_eq!(numbers(&text), Some(values.len()));
            let text = text.replace(',', ", ");
            prop_assert_eq!(numbers(&text), Some(values.len()));
        }
    }
}
