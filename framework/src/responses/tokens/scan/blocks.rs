//! The check in blocks of 64 bytes, each a few words of 64 bits: which of its bytes are digits, which
//! are commas, and so on. What may follow what is then a matter of shifting and masking, and whether a
//! number has a second point one of addition, whose carry runs through the digits (the way of simdjson;
//! Langdale and Lemire, 2019).

use wide::u8x16;

/// The most digits that an id may have here: they fit into 32 bits whatever they are.
const ID_DIGITS_MAX: u32 = 9;
/// The most digits in a row that a number may have here: it fits into an `f32` whatever they are.
const DIGITS_MAX: u32 = 30;

/// How many entries a list of token ids has.
pub(super) fn ids(text: &str) -> Option<usize> {
    let mut state = State::default();
    check(text, |block, valid| {
        let words = Words { digits: block.digits(), commas: block.is(b','), ..Words::default() };
        let zeros = block.is(b'0');
        state.follows(&words, zeros, valid) && state.has_short_runs(words.digits, ID_DIGITS_MAX)
    })
}

/// How many entries a list of numbers has.
pub(super) fn numbers(text: &str) -> Option<usize> {
    let mut state = State::default();
    check(text, |block, valid| {
        let words = Words {
            digits: block.digits(),
            commas: block.is(b','),
            points: block.is(b'.'),
            minuses: block.is(b'-'),
            exponents: block.is(b'e'),
        };
        let zeros = block.is(b'0');
        state.follows(&words, zeros, valid)
            && state.has_one_point_and_exponent(&words, valid)
            && state.has_short_runs(words.digits, DIGITS_MAX)
    })
}

/// Goes over the inside of a list block by block and counts its commas.
#[inline]
fn check(text: &str, mut fits: impl FnMut(&Block, u64) -> bool) -> Option<usize> {
    let inside = text.as_bytes().strip_prefix(b"[")?.strip_suffix(b"]")?;
    if !inside.last()?.is_ascii_digit() {
        return None;
    }
    let (mut count, mut padded) = (1, [b','; 64]);
    for chunk in inside.chunks(64) {
        let (bytes, valid) = match chunk.try_into() {
            Ok(bytes) => (bytes, u64::MAX),
            Err(_) => {
                padded[..chunk.len()].copy_from_slice(chunk);
                (&padded, (1 << chunk.len()) - 1)
            }
        };
        let block = Block::new(bytes);
        count += (block.is(b',') & valid).count_ones();
        if !fits(&block, valid) {
            return None;
        }
    }
    usize::try_from(count).ok()
}

/// 64 bytes.
struct Block([u8x16; 4]);

impl Block {
    fn new(bytes: &[u8; 64]) -> Self {
        let (parts, _) = bytes.as_chunks::<16>();
        Self([0, 1, 2, 3].map(|part| u8x16::new(parts[part])))
    }

    /// Where a byte stands.
    fn is(&self, byte: u8) -> u64 {
        self.word(|bytes| bytes.simd_eq(u8x16::splat(byte)))
    }

    /// Where digits stand.
    fn digits(&self) -> u64 {
        self.word(|bytes| {
            let values = bytes - u8x16::splat(b'0');
            values.min(u8x16::splat(9)).simd_eq(values)
        })
    }

    fn word(&self, compare: impl Fn(u8x16) -> u8x16) -> u64 {
        let parts = self.0.map(|bytes| u64::from(compare(bytes).to_bitmask()));
        parts[0] | parts[1] << 16 | parts[2] << 32 | parts[3] << 48
    }
}

/// What stands where in a block.
#[derive(Clone, Copy, Default)]
struct Words {
    digits: u64,
    commas: u64,
    points: u64,
    minuses: u64,
    exponents: u64,
}

/// What a block has to know of the one before.
struct State {
    last: Words,
    /// Its last byte is a zero that begins a number.
    last_zero: u64,
    /// It ends amid the digits of a fraction, or of an exponent.
    in_fraction: bool,
    in_exponent: bool,
    /// The minuses of exponents.
    last_exponent_minus: u64,
    /// What comes after a point, or after the minus of an exponent, in the block at hand.
    after_points: u64,
    after_exponent_minuses: u64,
}

impl Default for State {
    fn default() -> Self {
        // A list begins as if after a comma.
        let last = Words { commas: 1 << 63, ..Words::default() };
        Self {
            last,
            last_zero: 0,
            in_fraction: false,
            in_exponent: false,
            last_exponent_minus: 0,
            after_points: 0,
            after_exponent_minuses: 0,
        }
    }
}

/// A word of what stood one byte before.
fn after(word: u64, last: u64) -> u64 {
    word << 1 | last >> 63
}

impl State {
    /// Whether every byte may stand after the one before it. Remembers all but the digits.
    fn follows(&mut self, words: &Words, zeros: u64, valid: u64) -> bool {
        let Words { digits, commas, points, minuses, exponents } = *words;
        let last = self.last;
        let after_digit = after(digits, last.digits);
        let after_comma = after(commas, last.commas);
        let after_minus = after(minuses, last.minuses);
        let after_exponent = after(exponents, last.exponents);
        let exponent_minuses = minuses & after_exponent;
        self.after_points = after(points, last.points);
        self.after_exponent_minuses = after(exponent_minuses, self.last_exponent_minus);
        let begins = digits
            & (after_comma
                | after(minuses & !exponent_minuses, last.minuses & !self.last_exponent_minus));
        let leading_zeros = begins & zeros;
        let wrong = !(digits | commas | points | minuses | exponents)
            | (commas | points | exponents) & !after_digit
            | minuses & !(after_comma | after_exponent)
            | after_exponent & !minuses
            | (after_minus | self.after_points) & !digits
            | after_comma & !(digits | minuses)
            | after(leading_zeros, self.last_zero) & digits;
        self.last = Words { digits: last.digits, ..*words };
        self.last_zero = leading_zeros;
        self.last_exponent_minus = exponent_minuses;
        wrong & valid == 0
    }

    /// Whether no number has a second point or exponent. To be asked after `follows`.
    fn has_one_point_and_exponent(&mut self, words: &Words, valid: u64) -> bool {
        let Words { digits, commas, points, .. } = *words;
        let run = |starts: u64, goes_on: bool| {
            let (sum, first) = digits.overflowing_add(starts & digits);
            let (sum, second) = sum.overflowing_add(u64::from(goes_on));
            (sum & !digits, first || second)
        };
        let (ends, goes_on) = run(self.after_points, self.in_fraction);
        let (exponent_ends, exponent_goes_on) = run(self.after_exponent_minuses, self.in_exponent);
        self.in_fraction = goes_on;
        self.in_exponent = exponent_goes_on;
        (ends & points | exponent_ends & !commas) & valid == 0
    }

    /// Whether no run of digits is longer than so many. Remembers the digits.
    fn has_short_runs(&mut self, digits: u64, max: u32) -> bool {
        let spans = self.last.digits.leading_ones() + digits.trailing_ones();
        self.last.digits = digits;
        // Bits that begin a run of two, four, eight, … digits, then of one more than the limit.
        let (mut runs, mut length) = (digits, 1);
        while length * 2 <= max + 1 {
            runs &= runs >> length;
            length *= 2;
        }
        runs &= runs >> (max + 1 - length);
        spans <= max && runs == 0
    }
}
