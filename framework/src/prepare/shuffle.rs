//! Shuffles rows of any number in constant memory.
//!
//! Each row gets a number by chance from the seed and its place, and rows are sorted by it: scattered into
//! files by its first bits, each of which is then sorted in memory, or scattered again if it is large. So
//! the order depends on the seed and the rows alone, not on memory, threads or machine. Numbers are those
//! of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014), which
//! are distinct for all places.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Files that rows are scattered into at a time.
const BUCKETS: usize = 64;
/// The bits that choose one of them.
const BITS: u32 = BUCKETS.trailing_zeros();
/// A file with more bytes than this is scattered again instead of being sorted in memory.
const BYTES_MAX: u64 = 64 << 20;
/// How much is written to a file at a time.
const BUFFER: usize = 64 << 10;

/// Rows on their way to a new order.
pub(super) struct Shuffle {
    seed: u64,
    place: u64,
    scatter: Scatter,
}

/// Files without names, by the bits of rows' numbers after the first `depth`.
struct Scatter {
    folder: PathBuf,
    depth: u32,
    bytes_max: u64,
    /// Each is there once it has a row.
    buckets: [Option<Bucket>; BUCKETS],
}

struct Bucket {
    file: BufWriter<File>,
    bytes: u64,
}

impl Shuffle {
    /// An order by that seed; rows wait in files in that folder.
    pub(super) fn new(seed: u64, folder: &Path) -> Self {
        Self::within(seed, folder, BYTES_MAX)
    }

    fn within(seed: u64, folder: &Path, bytes_max: u64) -> Self {
        Self { seed, place: 0, scatter: Scatter::new(folder, 0, bytes_max) }
    }

    pub(super) fn add(&mut self, row: &str) -> io::Result<()> {
        let number = split_mix(self.seed, self.place);
        self.place += 1;
        self.scatter.add(number, row.as_bytes())
    }

    /// Passes the rows on in their new order.
    pub(super) fn finish<E: From<io::Error>>(
        self,
        mut pass: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.scatter.finish(&mut pass)
    }
}

/// The number of a place.
fn split_mix(seed: u64, place: u64) -> u64 {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut number = seed.wrapping_add(GOLDEN.wrapping_mul(place.wrapping_add(1)));
    number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

impl Bucket {
    fn new(folder: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(BUFFER, tempfile::tempfile_in(folder)?);
        Ok(Self { file, bytes: 0 })
    }
}

impl Scatter {
    fn new(folder: &Path, depth: u32, bytes_max: u64) -> Self {
        let buckets = std::array::from_fn(|_| None);
        Self { folder: folder.to_owned(), depth, bytes_max, buckets }
    }

    fn add(&mut self, number: u64, row: &[u8]) -> io::Result<()> {
        let index = (number << self.depth) >> (u64::BITS - BITS);
        let place = &mut self.buckets[index as usize];
        let bucket = match place.take() {
            Some(bucket) => bucket,
            None => Bucket::new(&self.folder)?,
        };
        let bucket = place.insert(bucket);
        bucket.bytes += 16 + row.len() as u64;
        bucket.file.write_all(&number.to_le_bytes())?;
        bucket.file.write_all(&(row.len() as u64).to_le_bytes())?;
        bucket.file.write_all(row)
    }

    fn finish<E: From<io::Error>>(
        self,
        pass: &mut dyn FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { folder, depth, bytes_max, buckets } = self;
        let depth = depth + BITS;
        for Bucket { file, bytes } in buckets.into_iter().flatten() {
            let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            // Numbers are distinct, so a row that is alone with its first bits is small enough.
            if bytes > bytes_max && depth < u64::BITS {
                let mut scatter = Self::new(&folder, depth, bytes_max);
                let mut rows = BufReader::with_capacity(BUFFER, file);
                let mut row = Vec::new();
                while let Some(number) = read_row(&mut rows, &mut row)? {
                    scatter.add(number, &row)?;
                }
                drop(rows);
                scatter.finish(pass)?;
            } else {
                pass_sorted(file, bytes, pass)?;
            }
        }
        Ok(())
    }
}

/// Reads a row and its number; `None` at the end.
fn read_row(rows: &mut impl Read, row: &mut Vec<u8>) -> io::Result<Option<u64>> {
    let mut head = [0; 16];
    if rows.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    rows.read_exact(&mut head[1..])?;
    let (number, length) = split_head(head);
    row.clear();
    row.resize(length, 0);
    rows.read_exact(row)?;
    Ok(Some(number))
}

fn split_head(head: [u8; 16]) -> (u64, usize) {
    let both = u128::from_le_bytes(head);
    (both as u64, (both >> 64) as usize)
}

fn pass_sorted<E: From<io::Error>>(
    mut file: File,
    bytes: u64,
    pass: &mut dyn FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let mut text = Vec::with_capacity(bytes as usize);
    file.read_to_end(&mut text)?;
    let (mut places, mut at) = (Vec::new(), 0);
    while let Some(head) = text.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        let (number, length) = split_head(*head);
        places.push((number, at + 16, length));
        at += 16 + length;
    }
    places.sort_unstable();
    for (_, start, length) in places {
        let row = std::str::from_utf8(&text[start..start + length]);
        pass(row.map_err(io::Error::other)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn shuffled(seed: u64, rows: &[String], bytes_max: u64) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let mut shuffle = Shuffle::within(seed, folder.path(), bytes_max);
        rows.iter().for_each(|row| shuffle.add(row).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the files have no names");
        let mut found = Vec::new();
        let finished: io::Result<()> = shuffle.finish(|row| {
            found.push(row.to_owned());
            Ok(())
        });
        finished.unwrap();
        found
    }

    #[test]
    fn an_order_depends_on_the_seed_and_on_no_limit_of_memory() {
        let rows: Vec<_> = (0..500).map(|row| format!("row {row}")).collect();
        let order = shuffled(7, &rows, BYTES_MAX);
        assert_ne!(order, rows);
        assert_ne!(order, shuffled(8, &rows, BYTES_MAX));
        for bytes_max in [4_096, 256, 64] {
            assert_eq!(order, shuffled(7, &rows, bytes_max), "{bytes_max} bytes in memory");
        }
        let all: BTreeSet<_> = rows.iter().collect();
        assert_eq!((order.len(), order.iter().collect::<BTreeSet<_>>()), (rows.len(), all));
    }

    #[test]
    fn an_order_is_the_same_on_every_machine() {
        let rows: Vec<_> = (0..10).map(|row| row.to_string()).collect();
        assert_eq!(split_mix(0, 0), 0xE220_A839_7B1D_CDAF, "the first number of the reference");
        assert_eq!(shuffled(0, &rows, BYTES_MAX).len(), 10);
        assert!(shuffled(0, &[], BYTES_MAX).is_empty());
    }

    #[test]
    fn every_place_is_as_likely_for_every_row() {
        let rows: Vec<_> = (0..4).map(|row| row.to_string()).collect();
        let mut first = [0_u32; 4];
        for seed in 0..400 {
            let order = shuffled(seed, &rows, BYTES_MAX);
            first[order[0].parse::<usize>().unwrap()] += 1;
        }
        assert!(first.iter().all(|times| (60..140).contains(times)), "{first:?}");
    }
}
