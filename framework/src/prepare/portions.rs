//! Work in portions on several threads, with results in order and few portions in memory.

use std::num::NonZeroUsize;
use std::sync::mpsc::sync_channel;

/// Passes portions through `work` on so many threads and hands the results to `consume` in order.
///
/// Portions go around: the n-th to thread n modulo their number, and results are taken in the same turn,
/// so order needs no sorting. Each thread has at most one portion waiting on either side.
///
/// # Errors
/// Ends with the first error of `consume`.
pub(super) fn in_order<T: Send, R: Send, E>(
    threads: NonZeroUsize,
    mut produce: impl FnMut() -> Option<T> + Send,
    work: impl Fn(T) -> R + Sync,
    mut consume: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    std::thread::scope(|scope| {
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for _ in 0..threads.get() {
            let (input, portions) = sync_channel::<T>(1);
            let (done, output) = sync_channel::<R>(1);
            let work = &work;
            scope.spawn(move || {
                for portion in portions {
                    if done.send(work(portion)).is_err() {
                        return;
                    }
                }
            });
            inputs.push(input);
            outputs.push(output);
        }
        scope.spawn(move || {
            for input in inputs.iter().cycle() {
                let Some(portion) = produce() else { return };
                if input.send(portion).is_err() {
                    return;
                }
            }
        });
        for output in outputs.iter().cycle() {
            let Ok(done) = output.recv() else { break };
            consume(done)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_from_any_number_of_threads() {
        for threads in [1, 2, 3, 8] {
            for count in [0_u32, 1, 7, 100] {
                let mut portions = 0..count;
                let mut found = Vec::new();
                let done: Result<(), ()> = in_order(
                    NonZeroUsize::new(threads).unwrap(),
                    || portions.next(),
                    |portion| portion * 2,
                    |result| {
                        found.push(result);
                        Ok(())
                    },
                );
                done.unwrap();
                assert_eq!(found, (0..count).map(|n| n * 2).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn an_error_ends_everything() {
        let mut portions = 0_u64..;
        let mut consumed = 0;
        let ended = in_order(
            NonZeroUsize::new(2).unwrap(),
            || portions.next(),
            |portion| portion,
            |_| {
                consumed += 1;
                if consumed == 5 { Err("enough") } else { Ok(()) }
            },
        );
        assert_eq!((ended, consumed), (Err("enough"), 5));
    }
}
