//! The order in which pandas leaves rows that are sorted by a column, newest first.
//!
//! Its default sort is not stable: where values are equal, the order is whatever numpy's quicksort makes
//! of it. Mails that one session sends are all sent at the same moment, and the model reads them in that
//! order, so it is made the same way here.

use std::cmp::Ordering;

/// Ranges up to this length are sorted by insertion.
const SMALL: usize = 16;

/// Sorts as `sort_values(ascending=False)` does.
pub(super) fn sort_descending<T: Copy>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    items.reverse();
    let is_falling = |pair: &[T]| compare(&pair[0], &pair[1]) == Ordering::Greater;
    if items.windows(2).all(is_falling) {
        return;
    }
    // It sorts the reversed column in ascending order, and reverses the result.
    quicksort(items, &|a, b| compare(a, b) == Ordering::Less, 2 * usize::BITS);
    items.reverse();
}

/// numpy's introsort for objects (`npy_aquicksort` in `npysort/quicksort.cpp`): median of three, the
/// middle as pivot, insertion for what is short. Where it would give up on quicksort, which takes more
/// rows than an office has, the order of equal ones is that in which they stand.
fn quicksort<T: Copy>(items: &mut [T], less: &impl Fn(&T, &T) -> bool, depth: u32) {
    if items.len() <= SMALL {
        return insertion_sort(items, less);
    }
    let Some(depth) = depth.checked_sub(1) else {
        return items.sort_by(|a, b| match (less(a, b), less(b, a)) {
            (true, _) => Ordering::Less,
            (_, true) => Ordering::Greater,
            _ => Ordering::Equal,
        });
    };
    let (last, middle) = (items.len() - 1, (items.len() - 1) / 2);
    for (low, high) in [(0, middle), (middle, last), (0, middle)] {
        if less(&items[high], &items[low]) {
            items.swap(low, high);
        }
    }
    let pivot = items[middle];
    let (mut left, mut right) = (0, last - 1);
    items.swap(middle, right);
    loop {
        left += 1;
        while less(&items[left], &pivot) {
            left += 1;
        }
        right -= 1;
        while less(&pivot, &items[right]) {
            right -= 1;
        }
        if left >= right {
            break;
        }
        items.swap(left, right);
    }
    items.swap(left, last - 1);
    let (below, above) = items.split_at_mut(left);
    quicksort(below, less, depth);
    quicksort(&mut above[1..], less, depth);
}

fn insertion_sort<T: Copy>(items: &mut [T], less: &impl Fn(&T, &T) -> bool) {
    for index in 1..items.len() {
        let item = items[index];
        let mut at = index;
        while at > 0 && less(&item, &items[at - 1]) {
            items[at] = items[at - 1];
            at -= 1;
        }
        items[at] = item;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trials;

    #[test]
    fn equal_rows_stand_where_pandas_leaves_them() {
        const SCRIPT: &str = r#"
import json, sys
import pandas
for values in json.load(sys.stdin):
    frame = pandas.DataFrame({"value": values, "row": range(len(values))})
    print(json.dumps(frame.sort_values("value", ascending=False)["row"].tolist()))
"#;
        let mut state = 1_u64;
        let mut below = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % bound
        };
        let mut columns: Vec<Vec<String>> = Vec::new();
        for length in [0, 1, 2, 15, 16, 17, 18, 40, 100, 505] {
            for kinds in [1, 3, 20, 1000] {
                columns.push((0..length).map(|_| format!("{:04}", below(kinds))).collect());
            }
            let sorted = (0..length).map(|index: u32| format!("{:04}", index.min(length * 9 / 10)));
            columns.push(sorted.collect());
        }
        let input = serde_json::to_string(&columns).unwrap();
        let Some(output) = trials::python(SCRIPT, &input) else { return };
        for (column, expected) in columns.iter().zip(output.lines()) {
            let mut rows: Vec<usize> = (0..column.len()).collect();
            sort_descending(&mut rows, |a, b| column[*a].cmp(&column[*b]));
            let expected: Vec<usize> = serde_json::from_str(expected).unwrap();
            assert_eq!(rows, expected, "{column:?}");
        }
    }

    #[test]
    fn few_equal_rows_keep_their_order_and_the_newest_come_first() {
        let mut rows = [1, 2, 3, 30, 31, 32];
        sort_descending(&mut rows, |a, b| (a / 10).cmp(&(b / 10)));
        assert_eq!(rows, [30, 31, 32, 1, 2, 3]);
    }
}
