//! The check of ids in blocks of 64 bytes, each a few words of 64 bits: which of its bytes are digits,
//! which are commas, and so on. What may follow what is then a matter of shifting and masking (the way
//! of simdjson; Langdale and Lemire, 2019).

use memchr::memchr_iter;
use wide::u8x16;

/// The most digits that an id may have here: they fit into 32 bits whatever they are.
const DIGITS_MAX: u32 = 9;

/// How many entries a list of token ids has.
pub(super) fn ids(text: &str) -> Option<usize> {
    let inside = text.as_bytes().strip_prefix(b"[")?.strip_suffix(b"]")?;
    if !inside.last()?.is_ascii_digit() {
        return None;
    }
    let (blocks, rest) = inside.as_chunks::<64>();
    // The last block is filled up with what may stand there: `,1,1,1`.
    let mut last = [b','; 64];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()..].iter_mut().skip(1).step_by(2).for_each(|byte| *byte = b'1');
    let mut before = Before::default();
    for block in blocks.iter().chain([&last]) {
        if before.wrong(&Block::new(block)) != 0 {
            return None;
        }
    }
    Some(memchr_iter(b',', inside).count() + 1)
}

/// What a block has to know of the one before.
struct Before {
    /// Digits at its end.
    digits: u32,
    /// Its last byte is a comma, or a zero that begins an id: 1 or 0.
    comma: u64,
    zero: u64,
}

impl Default for Before {
    fn default() -> Self {
        // A list begins as if after a comma.
        Self { digits: 0, comma: 1, zero: 0 }
    }
}

impl Before {
    /// The bytes of the next block that may not be where they are, or more than that many digits in a
    /// row.
    #[inline(always)]
    fn wrong(&mut self, block: &Block) -> u64 {
        let (digits, commas) = (block.digits(), block.is(b','));
        let after_comma = commas << 1 | self.comma;
        let zeros = block.is(b'0') & after_comma;
        let wrong = !(digits | commas) | commas & after_comma | (zeros << 1 | self.zero) & digits;
        let spans = self.digits + digits.trailing_ones();
        *self = Self { digits: digits.leading_ones(), comma: commas >> 63, zero: zeros >> 63 };
        // Bits that begin a run of two, four, eight, … digits, then of one more than the limit.
        let (mut runs, mut length) = (digits, 1);
        while length * 2 <= DIGITS_MAX + 1 {
            runs &= runs >> length;
            length *= 2;
        }
        wrong | runs & runs >> (DIGITS_MAX + 1 - length) | u64::from(spans > DIGITS_MAX)
    }
}

/// 64 bytes.
struct Block([u8x16; 4]);

impl Block {
    #[inline(always)]
    fn new(bytes: &[u8; 64]) -> Self {
        let (parts, _) = bytes.as_chunks::<16>();
        Self([0, 1, 2, 3].map(|part| u8x16::new(parts[part])))
    }

    /// Where a byte stands.
    #[inline(always)]
    fn is(&self, byte: u8) -> u64 {
        self.word(|bytes| bytes.simd_eq(u8x16::splat(byte)))
    }

    /// Where digits stand.
    #[inline(always)]
    fn digits(&self) -> u64 {
        self.word(|bytes| {
            let values = bytes - u8x16::splat(b'0');
            values.min(u8x16::splat(9)).simd_eq(values)
        })
    }

    #[inline(always)]
    fn word(&self, compare: impl Fn(u8x16) -> u8x16) -> u64 {
        let parts = self.0.map(|bytes| u64::from(compare(bytes).to_bitmask()));
        parts[0] | parts[1] << 16 | parts[2] << 32 | parts[3] << 48
    }
}
