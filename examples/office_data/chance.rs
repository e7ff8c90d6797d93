//! Chance that can be repeated: the numbers are those of SplitMix64 (Steele, Lea and Flood, 2014) on every
//! machine and in every release.

/// A source of numbers.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, not including, a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a bound fits in 64 bits");
        usize::try_from(self.next() % bound).expect("it is below the bound")
    }

    /// A number from 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }

    pub(crate) fn index(&mut self, weights: &[usize]) -> usize {
        let mut left = self.below(weights.iter().sum());
        let is_hit = |weight: &usize| match left.checked_sub(*weight) {
            Some(less) => {
                left = less;
                false
            }
            None => true,
        };
        weights.iter().position(is_hit).expect("the weights sum up to more than what is left")
    }

    /// A whole number of an exponential distribution.
    pub(crate) fn exponential(&mut self, mean: f64) -> usize {
        (-mean * (1.0 - self.share()).ln()) as usize
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }

    /// Some different items, in their order.
    pub(crate) fn sample(&mut self, from: usize, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..from).collect();
        self.shuffle(&mut all);
        all.truncate(count);
        all.sort_unstable();
        all
    }
}
