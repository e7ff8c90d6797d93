//! A quick check of long lists of numbers, without making the numbers.
//!
//! 64 bytes at a time (`blocks.rs`), and where that is not sure, number by number. Both say yes only to what they are sure of; everything else (text, errors, odd white
//! space) is left to the reader that knows all of JSON.

mod blocks;

const ZEROS: u64 = 0x3030_3030_3030_3030;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// How many entries a list of token ids has.
pub(super) fn ids(text: &str) -> Option<usize> {
    if let Some(count) = blocks::ids(text) {
        return Some(count);
    }
    entries(text, |bytes, at| {
        let end = digits(bytes, at);
        let length = end - at;
        let is_small = length <= 9 || (length == 10 && is_u32(&bytes[at..end]));
        (length > 0 && is_small && !has_leading_zero(bytes, at, length)).then_some(end)
    })
}

/// How many entries a list of numbers has, none of which is too large for an `f32`.
pub(super) fn numbers(text: &str) -> Option<usize> {
    if let Some(count) = blocks::numbers(text) {
        return Some(count);
    }
    entries(text, number)
}

/// Goes from entry to entry; `entry` returns where the one that begins at an index ends.
fn entries(text: &str, entry: impl Fn(&[u8], usize) -> Option<usize>) -> Option<usize> {
    let bytes = text.as_bytes();
    let inside = bytes.strip_prefix(b"[")?;
    if inside == b"]" {
        return Some(0);
    }
    let (mut at, mut count) = (1, 0);
    loop {
        at = entry(bytes, at)?;
        count += 1;
        match bytes.get(at)? {
            b',' => at += 1,
            b']' if at + 1 == bytes.len() => return Some(count),
            _ => return None,
        }
        // As Python writes lists.
        if bytes.get(at) == Some(&b' ') {
            at += 1;
        }
    }
}

/// Where a number ends: `-`, digits, a fraction, and an exponent that makes it smaller.
fn number(bytes: &[u8], mut at: usize) -> Option<usize> {
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    let end = digits(bytes, at);
    let length = end - at;
    if length == 0 || length > 30 || has_leading_zero(bytes, at, length) {
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
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        if bytes.get(at + 1) != Some(&b'-') {
            return None;
        }
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

/// Where the digits that begin at an index end.
fn digits(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..at + 8) {
        let chunk = u64::from_le_bytes(chunk.try_into().expect("it is eight bytes"));
        // A digit becomes 0 to 9, all others more: those have their highest bit set when 118 is added
        // or already had it.
        let values = chunk ^ ZEROS;
        let others = (values | (values & !HIGH).wrapping_add(0x7676_7676_7676_7676)) & HIGH;
        if others != 0 {
            return at + (others.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_byte_is_a_digit_or_not() {
        for byte in 0..=255_u8 {
            for place in 0..8 {
                let mut bytes = [b'7'; 12];
                bytes[place] = byte;
                let expected = if byte.is_ascii_digit() { 12 } else { place };
                assert_eq!(digits(&bytes, 0), expected, "{byte} at {place}");
            }
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
        fn what_passes_is_what_a_reader_of_json_takes(text in "\\[[-0-9,.eE+ ]{0,24}\\]") {
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
        }

        #[test]
        fn lists_of_numbers_pass(
            tokens in prop::collection::vec(any::<u32>(), 0..100),
            values in prop::collection::vec(-1e4_f64..0.0, 0..100),
        ) {
            let text = serde_json::to_string(&tokens).unwrap();
            prop_assert_eq!(ids(&text), Some(tokens.len()));
            prop_assert_eq!(entries(&text, number), Some(tokens.len()));
            let text = serde_json::to_string(&values).unwrap();
            prop_assert_eq!(numbers(&text), Some(values.len()));
            prop_assert_eq!(entries(&text, number), Some(values.len()));
        }
    }
}
