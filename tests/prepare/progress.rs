//! What preparing says of itself while it is under way.

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use rehearsal::framework::prepare::{Prepare, PrepareError, PreparePhase, PrepareProgress};
use rehearsal::prelude::*;

use super::{folder, lines, names, task};
use crate::support::command::Folder;

/// Prepares in a new order until `watch` has had enough; returns what it was told.
fn watched(
    folder: &Folder,
    mut watch: impl FnMut(PrepareProgress) -> ControlFlow<()>,
) -> (Vec<PrepareProgress>, Result<(), PrepareError>) {
    let loader = Loader::new().working_directory(folder.path("")).file("config.yaml");
    let config = loader.load().unwrap();
    let mut told = Vec::new();
    let prepare = Prepare {
        shuffle: Some(1),
        repeats: NonZeroU32::new(2).unwrap(),
        ..Prepare::new(folder.path("out"))
    };
    let ended = prepare.run(&config, &rehearsal::kinds(), |progress| {
        told.push(progress);
        watch(progress)
    });
    (told, ended.map(|_| ()))
}

#[test]
fn each_phase_is_told_of_with_how_far_it_has_come() {
    let folder = folder();
    folder.write("data/first.jsonl", &lines((0..1000).map(task)));
    let (told, ended) = watched(&folder, |_| ControlFlow::Continue(()));
    ended.unwrap();
    let phases: Vec<PreparePhase> = told.iter().map(|it| it.phase).collect();
    let shuffling = |rows, rows_total| PreparePhase::Shuffling { rows, rows_total };
    let mut distinct = phases;
    distinct.dedup();
    let (reading, measuring) = (PreparePhase::Reading, PreparePhase::Measuring);
    // Two datasets to learn from, of 4000 and 4 rows; then one to check with.
    let of_training = [reading, measuring, reading, measuring];
    let written = [0, 1024, 2048, 3072, 4004].map(|rows| shuffling(rows, 4004));
    let of_checking = [measuring, reading, measuring, shuffling(0, 4), shuffling(4, 4), measuring];
    assert_eq!(distinct, [&of_training[..], &written, &of_checking].concat());
    let last = told.last().unwrap();
    assert_eq!((last.bytes, last.lines), (last.bytes_total, 1004));
}

#[test]
fn it_can_be_ended_in_every_phase_and_leaves_nothing_behind() {
    let folder = folder();
    let total = watched(&folder, |_| ControlFlow::Continue(())).0.len();
    std::fs::remove_dir_all(folder.path("out")).unwrap();
    for heard in 1..=total {
        let mut left = heard;
        let (_, ended) = watched(&folder, |_| {
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(ended, Err(PrepareError::Cancelled)), "{heard}: {ended:?}");
        assert_eq!(names(&folder, "out"), [""; 0], "{heard}");
    }
}
