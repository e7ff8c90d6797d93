//! Mean, spread and median of numbers, and how sure a mean is.

use serde::Serialize;

/// Running mean and squared deviations (Welford, "Note on a Method for Calculating Corrected Sums of
/// Squares and Products", 1962).
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Of all these numbers.
    pub fn of(values: &[f64]) -> Self {
        Self::over(values.iter().copied())
    }

    /// Of all numbers that come.
    pub fn over(values: impl IntoIterator<Item = f64>) -> Self {
        let mut moments = Self::default();
        for value in values {
            moments.add(value);
        }
        moments
    }

    /// Adds a number.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        let deviation = value - self.mean;
        self.mean += deviation / self.count as f64;
        self.squares += deviation * (value - self.mean);
    }

    /// How many numbers.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean; `None` of nothing.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// The sample standard deviation (n − 1); `None` of fewer than two numbers.
    pub fn deviation(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / (self.count - 1) as f64).sqrt())
    }

    /// The standard error of the mean; `None` of fewer than two numbers.
    pub fn error(&self) -> Option<f64> {
        self.deviation().map(|deviation| deviation / (self.count as f64).sqrt())
    }

    /// The mean with its 95 % confidence interval, by the normal approximation; `None` of fewer than
    /// two numbers.
    pub fn interval(&self) -> Option<Interval> {
        let (mean, margin) = (self.mean()?, Z_95 * self.error()?);
        Some(Interval { low: mean - margin, high: mean + margin })
    }
}

/// How many standard errors a 95 % confidence interval reaches to either side.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// A 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The middle of sorted numbers: of an even count, the mean of the two in the middle.
pub(super) fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length.is_multiple_of(2) => Some(sorted[middle - 1].midpoint(sorted[middle])),
        _ => Some(sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_numbers_have_no_spread() {
        assert_eq!(Moments::of(&[]).mean(), None);
        assert_eq!(Moments::of(&[2.0]).mean(), Some(2.0));
        assert_eq!(Moments::of(&[2.0]).deviation(), None);
        assert_eq!(Moments::of(&[2.0]).interval(), None);
    }

    #[test]
    fn an_interval_reaches_two_standard_errors_to_either_side() {
        let moments = Moments::of(&[0.0, 1.0, 1.0, 0.0]);
        let interval = moments.interval().unwrap();
        let margin = 1.96 * (1.0_f64 / 3.0).sqrt() / 2.0;
        assert!((interval.low - (0.5 - margin)).abs() < 1e-4);
        assert!((interval.high - (0.5 + margin)).abs() < 1e-4);
    }

    #[test]
    fn a_median_is_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), Some(3.0));
    }

    proptest! {
        #[test]
        fn running_moments_are_those_of_the_definition(
            values in prop::collection::vec(-1e6_f64..1e6, 2..50),
        ) {
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            let moments = Moments::of(&values);
            prop_assert!((moments.mean().unwrap() - mean).abs() < 1e-6);
            let deviation = (squares / (count - 1.0)).sqrt();
            prop_assert!((moments.deviation().unwrap() - deviation).abs() < 1e-6 * (1.0 + deviation));
        }
    }
}
