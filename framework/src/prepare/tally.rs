//! Counts of values, exact and in constant memory, from which every metric of a dataset is made.
//!
//! A number counts by its bits, a text by a hash of 128 bits. When there are too many different ones, those
//! in memory go to the disk, sorted, and all are merged when somebody asks; so the median and the number
//! of different texts are exact, not estimates.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

/// Different values in memory, over all fields.
const VALUES_MAX: usize = 1 << 20;
/// Fields that are counted.
const FIELDS_MAX: usize = 1024;
/// Bytes of a value and its count on the disk.
const ENTRY: usize = 24;
/// Entries that are read from a run at a time.
const READ_AT_ONCE: usize = 512;

/// How often each value of a field occurred.
#[derive(Debug, Default)]
pub(super) struct Portion {
    pub(super) fields: IndexMap<Box<str>, FieldPortion>,
    /// Rows of the dataset.
    pub(super) rows: u64,
}

/// The same for one field.
#[derive(Debug, Default)]
pub(super) struct FieldPortion {
    numbers: HashMap<u64, u64>,
    texts: HashMap<u128, u64>,
}

/// What has been counted so far.
pub(super) struct Tally {
    folder: PathBuf,
    values_max: usize,
    pub(super) rows: u64,
    fields: IndexMap<Box<str>, Field>,
    /// Fields beyond [`FIELDS_MAX`] were left out.
    pub(super) is_partial: bool,
}

/// The counts of one field.
#[derive(Default)]
pub(super) struct Field {
    pub(super) numbers: Counts,
    pub(super) texts: Counts,
}

impl FieldPortion {
    pub(super) fn number(&mut self, number: f64) {
        // -0 and 0 are one number.
        *self.numbers.entry(sortable(number + 0.0)).or_default() += 1;
    }

    pub(super) fn text(&mut self, text: &str) {
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, text).hash(&mut hasher);
            u128::from(hasher.finish())
        };
        *self.texts.entry(half(0) << 64 | half(1)).or_default() += 1;
    }
}

/// Bits that sort as their numbers do.
fn sortable(number: f64) -> u64 {
    let bits = number.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The number of such bits.
pub(super) fn number(key: u128) -> f64 {
    let key = key as u64;
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

impl Tally {
    /// Nothing yet; what does not fit into memory goes to files in that folder.
    pub(super) fn new(folder: &Path) -> Self {
        let folder = folder.to_owned();
        let fields = IndexMap::new();
        Self { folder, values_max: VALUES_MAX, rows: 0, fields, is_partial: false }
    }

    /// Adds a portion, so many times.
    pub(super) fn add(&mut self, portion: &Portion, times: u64) -> io::Result<()> {
        self.rows += portion.rows * times;
        for (name, counted) in &portion.fields {
            if !self.fields.contains_key(name) {
                if self.fields.len() == FIELDS_MAX {
                    self.is_partial = true;
                    continue;
                }
                self.fields.insert(name.clone(), Field::default());
            }
            let field = self.fields.get_mut(name).expect("inserted above");
            let numbers = counted.numbers.iter();
            numbers.for_each(|(key, count)| field.numbers.add(u128::from(*key), count * times));
            counted.texts.iter().for_each(|(key, count)| field.texts.add(*key, count * times));
        }
        self.make_room()
    }

    /// The fields in the order of their first appearance.
    pub(super) fn fields(&mut self) -> impl Iterator<Item = (&str, &mut Field)> {
        self.fields.iter_mut().map(|(name, field)| (&**name, field))
    }

    /// Sends the counts of the fields with the most values to the disk, until half the room is free.
    fn make_room(&mut self) -> io::Result<()> {
        let all = |field: &Field| field.numbers.in_memory() + field.texts.in_memory();
        let mut used: usize = self.fields.values().map(all).sum();
        if used <= self.values_max {
            return Ok(());
        }
        let counts =
            self.fields.values_mut().flat_map(|field| [&mut field.numbers, &mut field.texts]);
        let mut counts: Vec<_> = counts.collect();
        counts.sort_by_key(|counts| Reverse(counts.in_memory()));
        for counts in counts {
            if used <= self.values_max / 2 {
                return Ok(());
            }
            used -= counts.in_memory();
            counts.spill(&self.folder)?;
        }
        Ok(())
    }
}

/// How often each key occurred.
#[derive(Default)]
pub(super) struct Counts {
    /// All occurrences.
    pub(super) total: u64,
    keys: BTreeMap<u128, u64>,
    runs: Vec<Run>,
    file: Option<File>,
}

/// A stretch of the file with sorted entries, of which `start` is the next to be read.
#[derive(Clone, Copy)]
struct Run {
    start: u64,
    end: u64,
}

impl Counts {
    fn add(&mut self, key: u128, count: u64) {
        self.total += count;
        *self.keys.entry(key).or_default() += count;
    }

    fn in_memory(&self) -> usize {
        self.keys.len()
    }

    fn spill(&mut self, folder: &Path) -> io::Result<()> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(folder)?,
        };
        let file = self.file.insert(file);
        let start = file.seek(SeekFrom::End(0))?;
        let mut entries = Vec::with_capacity(self.keys.len() * ENTRY);
        for (key, count) in std::mem::take(&mut self.keys) {
            entries.extend(key.to_le_bytes());
            entries.extend(count.to_le_bytes());
        }
        file.write_all(&entries)?;
        self.runs.push(Run { start, end: start + entries.len() as u64 });
        Ok(())
    }

    /// Passes every key and how often it occurred, in ascending order.
    pub(super) fn each(&self, mut pass: impl FnMut(u128, u64)) -> io::Result<()> {
        let Some(file) = &self.file else {
            self.keys.iter().for_each(|(key, count)| pass(*key, *count));
            return Ok(());
        };
        let mut runs: Vec<Entries> = self.runs.iter().map(|run| Entries::of(*run)).collect();
        let mut memory = self.keys.iter().map(|(key, count)| (*key, *count));
        let mut next = |from: usize| match runs.get_mut(from) {
            Some(run) => run.next(file),
            None => Ok(memory.next()),
        };
        let mut heads = BinaryHeap::new();
        for from in 0..=self.runs.len() {
            heads.extend(next(from)?.map(|(key, count)| Reverse((key, from, count))));
        }
        let mut current: Option<(u128, u64)> = None;
        while let Some(Reverse((key, from, count))) = heads.pop() {
            heads.extend(next(from)?.map(|(key, count)| Reverse((key, from, count))));
            match &mut current {
                Some((same, sum)) if *same == key => *sum += count,
                _ => {
                    if let Some((key, count)) = current.replace((key, count)) {
                        pass(key, count);
                    }
                }
            }
        }
        if let Some((key, count)) = current {
            pass(key, count);
        }
        Ok(())
    }

    /// How many different keys there are.
    pub(super) fn different(&self) -> io::Result<u64> {
        let mut different = 0;
        self.each(|_, _| different += 1)?;
        Ok(different)
    }
}

/// The entries of a run, some in memory.
struct Entries {
    run: Run,
    buffer: Vec<u8>,
    at: usize,
}

impl Entries {
    fn of(run: Run) -> Self {
        Self { run, buffer: Vec::new(), at: 0 }
    }

    fn next(&mut self, mut file: &File) -> io::Result<Option<(u128, u64)>> {
        if self.at == self.buffer.len() {
            let left = (self.run.end - self.run.start) as usize;
            self.buffer.resize(left.min(READ_AT_ONCE * ENTRY), 0);
            file.seek(SeekFrom::Start(self.run.start))?;
            file.read_exact(&mut self.buffer)?;
            self.run.start += self.buffer.len() as u64;
            self.at = 0;
        }
        let Some(entry) = self.buffer[self.at..].first_chunk::<ENTRY>() else { return Ok(None) };
        self.at += ENTRY;
        let (key, count) = entry.split_at(16);
        let key = u128::from_le_bytes(key.try_into().expect("it has 16 bytes"));
        Ok(Some((key, u64::from_le_bytes(count.try_into().expect("it has 8 bytes")))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bits_sort_as_numbers_do() {
        let numbers = [f64::MIN, -2.5, -1.0, -f64::MIN_POSITIVE, 0.0, 1e-300, 1.0, 2.0, f64::MAX];
        let keys: Vec<_> = numbers.iter().map(|number| sortable(*number)).collect();
        assert!(keys.is_sorted());
        let back: Vec<_> = keys.iter().map(|key| number(u128::from(*key))).collect();
        assert_eq!(back, numbers);
    }

    proptest! {
        #[test]
        fn counts_are_exact_however_little_fits_into_memory(
            portions in prop::collection::vec(prop::collection::vec(-20_i32..20, 0..30), 1..12),
            values_max in 1_usize..50,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut tally = Tally { values_max, ..Tally::new(folder.path()) };
            let mut expected: BTreeMap<i32, u64> = BTreeMap::new();
            for values in &portions {
                let mut portion = Portion::default();
                let field = portion.fields.entry("x".into()).or_default();
                for value in values {
                    field.number(f64::from(*value) / 4.0);
                    field.text(&value.to_string());
                    *expected.entry(*value).or_default() += 3;
                }
                tally.add(&portion, 3).unwrap();
            }
            let mut found = BTreeMap::new();
            for (_, field) in tally.fields() {
                let total: u64 = expected.values().sum();
                prop_assert_eq!((field.numbers.total, field.texts.total), (total, total));
                field.numbers.each(|key, count| {
                    assert!(found.insert((number(key) * 4.0) as i32, count).is_none());
                }).unwrap();
                prop_assert_eq!(field.texts.different().unwrap(), expected.len() as u64);
            }
            prop_assert_eq!(found, expected);
        }
    }
}
