//! The metrics of a dataset as JSON, by the names and with the rounding of NeMo Gym.
//!
//! # Differs from NeMo Gym
//!
//! | There | Here |
//! |---|---|
//! | the median is an estimate (a t-digest), or absent in later versions | it is exact |
//! | a key with numbers and texts ends the program | it has the metrics of both |
//! | of a key that several datasets of a type have, the last dataset counts | all count |

use std::io;

use serde_json::{Map, Value};

use super::observation::{TEMPERATURE, TOOLS, TURNS, WORDS};
use super::tally::{Counts, Field, Tally, number};

/// The names under which NeMo Gym writes what every dataset has, in its order.
const NAMED: [(&str, &str); 4] = [
    (TOOLS, "Number of tools"),
    (WORDS, "Json-dumped number of words (proxy for token count)"),
    (TURNS, "Number of turns"),
    (TEMPERATURE, "Temperature"),
];
pub(super) const EXAMPLES: &str = "Number of examples";
pub(super) const MEDIAN: &str = "Median";

/// The metrics of all that has been counted.
pub(super) fn metrics(tally: &mut Tally) -> io::Result<Map<String, Value>> {
    let mut metrics = Map::new();
    metrics.insert(EXAMPLES.to_owned(), tally.rows.into());
    for (_, name) in NAMED {
        metrics.insert(name.to_owned(), numeric(&Counts::default())?.into());
    }
    for (name, field) in tally.fields() {
        let Field { numbers, texts } = &*field;
        let named = NAMED.iter().find(|(known, _)| *known == name);
        let mut values = Map::new();
        if numbers.total > 0 {
            values = numeric(numbers)?;
        }
        if texts.total > 0 {
            values.insert("unique_count".to_owned(), texts.different()?.into());
            values.insert("total_count".to_owned(), texts.total.into());
        }
        metrics.insert(named.map_or(name, |(_, shown)| *shown).to_owned(), values.into());
    }
    Ok(metrics)
}

/// Count, mean and spread of numbers; zeros of none.
fn numeric(counts: &Counts) -> io::Result<Map<String, Value>> {
    let total = counts.total;
    // The median of an even count is the mean of the two in the middle, whose ranks count from 1.
    let ranks = [total.div_ceil(2), total / 2 + 1];
    let mut middle = [0.0; 2];
    let (mut seen, mut mean, mut squares, mut least, mut most) = (0_u64, 0.0, 0.0, None, 0.0);
    counts.each(|key, count| {
        let value = number(key);
        least.get_or_insert(value);
        most = value;
        for (rank, middle) in ranks.iter().zip(&mut middle) {
            if (seen + 1..=seen + count).contains(rank) {
                *middle = value;
            }
        }
        seen += count;
        // Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products", 1962,
        // for values that occur several times.
        let deviation = value - mean;
        mean += deviation * count as f64 / seen as f64;
        squares += deviation * (value - mean) * count as f64;
    })?;
    let deviation = if total > 1 { (squares / (total - 1) as f64).sqrt() } else { 0.0 };
    let mut metrics = Map::new();
    metrics.insert("Total # non-null values".to_owned(), total.into());
    for (name, value) in [
        ("Average", mean),
        ("Min", least.unwrap_or(0.0)),
        ("Max", most),
        (MEDIAN, middle[0] / 2.0 + middle[1] / 2.0),
        ("Standard deviation", deviation),
    ] {
        metrics.insert(name.to_owned(), rounded(value).into());
    }
    Ok(metrics)
}

/// Two decimals, or three of what is below 1; halves to the even digit.
fn rounded(value: f64) -> f64 {
    let text = if value.abs() >= 1.0 { format!("{value:.2}") } else { format!("{value:.3}") };
    text.parse().expect("it was a number")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::tally::Portion;
    use super::*;

    fn of(values: &[f64]) -> Value {
        let folder = tempfile::tempdir().unwrap();
        let mut tally = Tally::new(folder.path());
        let mut portion = Portion::default();
        let field = portion.fields.entry("x".into()).or_default();
        values.iter().for_each(|value| field.number(*value));
        tally.add(&portion, 1).unwrap();
        metrics(&mut tally).unwrap()["x"].clone()
    }

    #[test]
    fn numbers_have_mean_spread_and_an_exact_median() {
        let expected = json!({ "Total # non-null values": 5, "Average": 2.0, "Min": 0.0, "Max": 4.0,
            "Median": 2.0, "Standard deviation": 1.58 });
        assert_eq!(of(&[0.0, 1.0, 2.0, 3.0, 4.0]), expected);
        let one = of(&[-7.0]);
        assert_eq!((&one["Median"], &one["Standard deviation"]), (&json!(-7.0), &json!(0.0)));
        assert_eq!(of(&[1.0, 2.0, 10.0, 4.0])["Median"], 3.0);
    }

    #[test]
    fn nothing_is_zeros_and_a_key_of_both_kinds_has_both() {
        let folder = tempfile::tempdir().unwrap();
        let mut tally = Tally::new(folder.path());
        let mut portion = Portion { rows: 2, ..Portion::default() };
        let field = portion.fields.entry("id".into()).or_default();
        field.number(3.0);
        field.text("three");
        tally.add(&portion, 2).unwrap();
        let metrics = metrics(&mut tally).unwrap();
        let zeros = json!({ "Total # non-null values": 0, "Average": 0.0, "Min": 0.0, "Max": 0.0,
            "Median": 0.0, "Standard deviation": 0.0 });
        assert_eq!(
            (&metrics["Number of examples"], &metrics["Number of turns"]),
            (&json!(4), &zeros)
        );
        let id = &metrics["id"];
        assert_eq!(
            (&id["Average"], &id["unique_count"], &id["total_count"]),
            (&json!(3.0), &json!(1), &json!(2))
        );
    }

    #[test]
    fn numbers_are_rounded_as_python_rounds_them() {
        for (value, expected) in [
            (1.005, 1.0),
            (2.675, 2.67),
            (0.0005, 0.001),
            (0.0625, 0.062),
            (0.1875, 0.188),
            (-1.125, -1.12),
            (559.0, 559.0),
        ] {
            assert_eq!(rounded(value), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn the_median_is_that_of_the_sorted_numbers(values in prop::collection::vec(-50_i32..50, 1..40)) {
            let mut sorted: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
            let found = of(&sorted);
            sorted.sort_by(f64::total_cmp);
            let half = sorted.len() / 2;
            let median = if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 };
            prop_assert_eq!(found["Median"].as_f64().unwrap(), rounded(median));
            let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
            prop_assert!((found["Average"].as_f64().unwrap() - mean).abs() <= 0.005 + 1e-9);
        }
    }
}
