//! Who breaks × how: outcome, attempts, culprit, reward, what the metrics say and what is in the files.
//!
//! Every cell of the table is an agent, an environment and a model of its own in one runtime and one
//! collection, so each also shows that nobody else's rollouts suffer. What takes a whole thread along,
//! or hits those who watch over rollouts, has tests of its own; `SHOWN` says which.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use rehearsal::prelude::*;

use crate::support::command::Folder;
use crate::support::ledger;
use crate::support::records::{self, ByKey, Line};
use crate::support::scene::{Fault, Mishap, Place, Scene};
use crate::support::scrape::Scrape;
use crate::support::until;

/// Rows of each cell.
const ROWS: u32 = 9;
/// Which of them something befalls.
const UNLUCKY: [u32; 3] = [2, 3, 8];

/// What becomes of the unlucky rollouts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// Scored in this attempt.
    ScoredIn(u32),
    /// Given up in this attempt.
    FailedIn(u32),
}

struct Cell {
    place: Place,
    fault: Fault,
    /// How many visits are spoilt.
    visits: u32,
    end: End,
    /// Whom the failed attempts are blamed on.
    culprit: &'static str,
}

const ALWAYS: u32 = u32::MAX;

const fn cell(place: Place, fault: Fault, visits: u32, end: End, culprit: &'static str) -> Cell {
    Cell { place, fault, visits, end, culprit }
}

#[rustfmt::skip]
const MATRIX: [Cell; 33] = [
    cell(Place::Model,    Fault::Temporary, 1,      End::ScoredIn(2), "model"),
    cell(Place::Model,    Fault::Temporary, ALWAYS, End::FailedIn(3), "model"),
    cell(Place::Model,    Fault::Permanent, 1,      End::FailedIn(1), "model"),
    cell(Place::Model,    Fault::Garbage,   2,      End::ScoredIn(3), "model"),
    cell(Place::Model,    Fault::Panic,     1,      End::ScoredIn(2), "model"),
    cell(Place::Model,    Fault::Panic,     ALWAYS, End::FailedIn(3), "model"),
    cell(Place::Model,    Fault::Hang,      1,      End::ScoredIn(2), "model"),
    cell(Place::Model,    Fault::Slow,      1,      End::ScoredIn(1), "none"),
    // What a tool says is for the model to read, so it is no failure.
    cell(Place::Tool,     Fault::Temporary, 1,      End::ScoredIn(1), "none"),
    cell(Place::Tool,     Fault::Garbage,   1,      End::ScoredIn(1), "none"),
    cell(Place::Tool,     Fault::Panic,     1,      End::ScoredIn(2), "tool"),
    cell(Place::Tool,     Fault::Panic,     ALWAYS, End::FailedIn(3), "tool"),
    cell(Place::Tool,     Fault::Hang,      1,      End::ScoredIn(2), "tool"),
    cell(Place::Tool,     Fault::Slow,      1,      End::ScoredIn(1), "none"),
    cell(Place::Open,     Fault::Temporary, 1,      End::ScoredIn(2), "environment"),
    cell(Place::Open,     Fault::Temporary, ALWAYS, End::FailedIn(3), "environment"),
    cell(Place::Open,     Fault::Permanent, 1,      End::FailedIn(1), "environment"),
    cell(Place::Open,     Fault::Panic,     1,      End::ScoredIn(2), "environment"),
    cell(Place::Open,     Fault::Slow,      1,      End::ScoredIn(1), "none"),
    cell(Place::Verifier, Fault::Temporary, 1,      End::ScoredIn(2), "verifier"),
    cell(Place::Verifier, Fault::Temporary, ALWAYS, End::FailedIn(3), "verifier"),
    cell(Place::Verifier, Fault::Permanent, 1,      End::FailedIn(1), "verifier"),
    cell(Place::Verifier, Fault::Garbage,   1,      End::FailedIn(1), "verifier"),
    cell(Place::Verifier, Fault::Panic,     1,      End::ScoredIn(2), "verifier"),
    cell(Place::Verifier, Fault::Panic,     ALWAYS, End::FailedIn(3), "verifier"),
    cell(Place::Verifier, Fault::Hang,      1,      End::ScoredIn(2), "verifier"),
    cell(Place::Verifier, Fault::Slow,      1,      End::ScoredIn(1), "none"),
    cell(Place::Agent,    Fault::Temporary, 1,      End::ScoredIn(2), "agent"),
    cell(Place::Agent,    Fault::Temporary, ALWAYS, End::FailedIn(3), "agent"),
    cell(Place::Agent,    Fault::Permanent, 1,      End::FailedIn(1), "agent"),
    cell(Place::Agent,    Fault::Panic,     1,      End::ScoredIn(2), "agent"),
    cell(Place::Agent,    Fault::Panic,     ALWAYS, End::FailedIn(3), "agent"),
    cell(Place::Agent,    Fault::Slow,      1,      End::ScoredIn(1), "none"),
];

/// Where a cell of {model, tool, session, verifier, recorder, supervisor} × {error, panic, hang,
/// garbage, slow, gone} is shown.
#[derive(Clone, Copy)]
enum Shown {
    /// In [`MATRIX`].
    InTable(Place, Fault),
    /// By this test.
    By(fn()),
    /// It cannot happen, for this reason.
    Impossible(&'static str),
}

const WHO: [&str; 6] = ["model", "tool", "session", "verifier", "recorder", "supervisor"];

#[rustfmt::skip]
const SHOWN: [[Shown; 6]; 6] = {
    use super::{actors::*, recorder::*, supervisors::*};
    use Fault::{Garbage, Hang, Panic, Slow, Temporary};
    use Shown::{By, Impossible, InTable};
    let gone = By(a_shard_whose_thread_ends_is_replaced_and_its_rollouts_are_made_again);
    let [model, tool, verifier] = [Place::Model, Place::Tool, Place::Verifier];
    // error, panic, hang, garbage, slow, gone
    [
        [InTable(model, Temporary), InTable(model, Panic), InTable(model, Hang),
         InTable(model, Garbage), InTable(model, Slow), gone],
        [InTable(tool, Temporary), InTable(tool, Panic), InTable(tool, Hang),
         InTable(tool, Garbage), InTable(tool, Slow), gone],
        [InTable(Place::Open, Temporary), InTable(Place::Open, Panic),
         By(rollouts_that_hang_outside_of_models_and_tools_end_with_their_own_deadline),
         Impossible("what opens a session returns its typed state, which nobody has to read"),
         InTable(Place::Open, Slow), gone],
        [InTable(verifier, Temporary), InTable(verifier, Panic), InTable(verifier, Hang),
         InTable(verifier, Garbage), InTable(verifier, Slow), gone],
        [By(a_failing_write_ends_the_collection_and_what_was_written_is_resumed),
         By(a_recorder_that_crashes_a_few_times_is_opened_again_and_nothing_is_recorded_twice),
         By(a_recorder_that_hangs_ends_the_collection_after_its_timeout),
         By(a_recorder_that_cannot_open_sync_or_be_read_ends_the_collection_with_its_reason),
         By(a_recorder_that_blocks_holds_up_the_dataset_but_not_what_is_in_flight),
         By(a_recorder_whose_thread_ends_is_opened_again_on_another)],
        [By(a_component_that_cannot_be_rebuilt_is_tried_again_until_it_can),
         By(a_component_that_panics_while_it_is_rebuilt_is_tried_again_until_it_does_not),
         By(a_component_that_hangs_while_it_is_rebuilt_is_built_on_another_thread),
         By(a_service_that_makes_no_sense_is_refused_and_harms_nobody),
         By(rollouts_wait_for_a_component_that_is_slow_to_be_rebuilt),
         By(supervisors_that_are_killed_are_restarted_with_all_that_is_below_them)],
    ]
};

#[test]
fn every_cell_is_in_the_table_or_has_a_test_of_its_own() {
    for (who, cells) in WHO.iter().zip(SHOWN) {
        for cell in cells {
            match cell {
                Shown::InTable(place, fault) => {
                    let is_there = |it: &Cell| it.place == place && it.fault == fault;
                    assert!(MATRIX.iter().any(is_there), "{who}: {fault:?} is not in the table");
                }
                // That the test exists is known to the compiler.
                Shown::By(_test) => {}
                Shown::Impossible(reason) => println!("{who}: {reason}"),
            }
        }
    }
}

impl Cell {
    fn name(&self, index: usize) -> String {
        let Self { place, fault, .. } = self;
        format!("matrix_{place:?}_{fault:?}_{index}").to_lowercase()
    }

    fn mishap(&self) -> Mishap {
        let rows = BTreeSet::from(UNLUCKY);
        Mishap { place: self.place, fault: self.fault, rows, visits: self.visits }
    }

    /// Asserts that the rollouts of this cell ended as they should.
    fn assert_ends(&self, name: &str, output: &ByKey, failures: &ByKey) {
        for row in 1..=ROWS {
            let key = format!("{name}/tasks/{row}#0");
            let end = if UNLUCKY.contains(&row) { self.end } else { End::ScoredIn(1) };
            match end {
                End::ScoredIn(attempt) => {
                    let line = of(output, &key);
                    assert_eq!(line.reward, Some(ledger::reward(row)), "{key}");
                    assert_eq!(line.rehearsal.attempt, attempt, "{key}");
                    assert_eq!(line.rehearsal.outcome, "scored", "{key}");
                    assert!(!failures.contains_key(&key), "{key} is scored and failed");
                }
                End::FailedIn(attempt) => {
                    let line = of(failures, &key);
                    assert_eq!((line.reward, line.rehearsal.attempt), (None, attempt), "{key}");
                    let failure = line.rehearsal.failure.as_ref().unwrap();
                    assert_eq!(failure.culprit, self.culprit, "{key}: {}", failure.error);
                    assert!(!output.contains_key(&key), "{key} is failed and scored");
                }
            }
        }
    }

    /// Failed attempts of this cell.
    fn failed_attempts(&self) -> u32 {
        let each = match self.end {
            End::ScoredIn(attempt) => attempt - 1,
            End::FailedIn(attempt) => attempt,
        };
        each * UNLUCKY.len() as u32
    }

    /// Far above what anything takes that does not hang.
    fn timeout(&self) -> &'static str {
        if self.fault == Fault::Hang { "2s" } else { "10m" }
    }

    fn is_slow(&self) -> bool {
        self.fault == Fault::Slow
    }
}

fn of<'a>(lines: &'a ByKey, key: &str) -> &'a Line {
    lines.get(key).unwrap_or_else(|| panic!("`{key}` is not where it should be"))
}

/// All cells in one configuration.
fn config(names: &[String], tasks: &std::path::Path) -> String {
    let (mut models, mut environments, mut agents) = (String::new(), String::new(), String::new());
    let datasets = format!("[{{ name: tasks, type: example, path: '{}' }}]", tasks.display());
    for (name, cell) in names.iter().zip(&MATRIX) {
        let own = format!("settings: {{ scene: {name} }}");
        let timeout = cell.timeout();
        let _ = writeln!(models, "  {name}: {{ kind: clerk, timeout: {timeout}, {own} }}");
        let limits = format!("tool_timeout: {timeout}, verify_timeout: {timeout}");
        let _ = writeln!(environments, "  {name}: {{ kind: ledger, {limits}, {own} }}");
        let wiring = format!("model: {name}, environment: {name}, datasets: {datasets}");
        let _ = writeln!(agents, "  {name}: {{ kind: bookkeeper, {wiring}, {own} }}");
    }
    format!(
        "models:\n{models}environments:\n{environments}agents:\n{agents}\
         collect: {{ output: unused, agents: [{}], max_in_flight: 4096 }}\n\
         runtime: {{ shards: 2 }}\ntelemetry: {{ prometheus: '127.0.0.1:0' }}\n",
        names.join(", ")
    )
}

#[tokio::test]
async fn whoever_breaks_however_every_rollout_ends_as_the_table_says() {
    let folder = Folder::new();
    folder.write("tasks.jsonl", &ledger::dataset(ROWS));
    let names: Vec<_> = MATRIX.iter().enumerate().map(|(i, cell)| cell.name(i)).collect();
    let scenes: Vec<_> = names
        .iter()
        .zip(&MATRIX)
        .map(|(name, cell)| Scene::set(name, vec![cell.mishap()]))
        .collect();
    let yaml = config(&names, &folder.path("tasks.jsonl"));
    let config = Loader::new().text("matrix", &yaml).load().unwrap();
    let runtime = Runtime::start(config, &ledger::kinds()).await.unwrap();
    let output = folder.path("out.jsonl");
    let recorder = Arc::new(JsonlRecorder::new(&output, Existing::Refuse).unwrap());
    let progress = Arc::new(Progress::default());
    let collecting = runtime.collect(runtime.collection().unwrap(), recorder, progress.clone());
    let slow = MATRIX.iter().filter(|cell| cell.is_slow()).count() * UNLUCKY.len();
    let everybody_else = (MATRIX.len() * ROWS as usize - slow) as u64;
    let releasing = async {
        until("all but the slow have ended", || progress.snapshot().ended() == everybody_else)
            .await;
        scenes.iter().for_each(|scene| scene.release());
    };
    let (summary, ()) = tokio::join!(collecting, releasing);

    let (output, failures) =
        (records::read(&output), records::read(&folder.path("out_failures.jsonl")));
    let scrape = Scrape::of(runtime.metrics_address().unwrap());
    for (name, cell) in names.iter().zip(&MATRIX) {
        cell.assert_ends(name, &output, &failures);
        assert_counted(&scrape, name, cell);
    }
    let summary = summary.unwrap();
    assert_eq!(summary.scored, output.len() as u64);
    assert_eq!(summary.failures(), failures.len() as u64);
    assert_eq!(output.len() + failures.len(), MATRIX.len() * ROWS as usize);
    assert_attempts_are_counted(&scrape);
    runtime.stop().await;
}

fn assert_counted(scrape: &Scrape, name: &str, cell: &Cell) {
    let agent = format!("agent=\"{name}\"");
    let rollouts = |outcome: &str| {
        let outcome = format!("outcome=\"{outcome}\"");
        scrape.sum("rehearsal_rollouts_total", &[&agent, &outcome])
    };
    let failed = match cell.end {
        End::ScoredIn(_) => 0.0,
        End::FailedIn(_) => UNLUCKY.len() as f64,
    };
    assert_eq!(rollouts("failed"), failed, "{name}");
    assert_eq!(rollouts("scored"), f64::from(ROWS) - failed, "{name}");
    let environment = format!("environment=\"{name}\"");
    assert_eq!(scrape.sum("rehearsal_sessions_open", &[&environment]), 0.0, "{name}");
    let panics = match cell.fault {
        Fault::Panic => f64::from(cell.failed_attempts()),
        _ => 0.0,
    };
    let panicked = |name: &str, labels: &[&str]| scrape.sum(name, labels);
    let path = |section: &str| format!("actor=\"{section}/{name}/");
    let counted = match cell.place {
        Place::Model => panicked("rehearsal_task_panics_total", &[&path("models")]),
        Place::Agent => panicked("rehearsal_task_panics_total", &[&path("agents")]),
        Place::Open => panicked("rehearsal_task_panics_total", &[&path("environments")]),
        Place::Build => unreachable!("there is no such cell"),
        // These cost the session, which is an actor of its own.
        Place::Tool | Place::Verifier => {
            panicked("rehearsal_actor_exits_total", &[&path("environments"), "reason=\"panic\""])
        }
    };
    assert_eq!(counted, panics, "{name}");
    if cell.place == Place::Tool && cell.fault == Fault::Panic {
        let calls = &[environment.as_str(), "tool=\"book\"", "status=\"crashed\""];
        assert_eq!(scrape.sum("rehearsal_tool_calls_total", calls), panics, "{name}");
    }
}

/// Other tests of this process count attempts too, so there may be more.
fn assert_attempts_are_counted(scrape: &Scrape) {
    for culprit in ["model", "tool", "environment", "verifier", "agent"] {
        let cells = MATRIX.iter().filter(|cell| cell.culprit == culprit);
        let expected: u32 = cells.map(Cell::failed_attempts).sum();
        let label = format!("culprit=\"{culprit}\"");
        let counted = scrape.sum("rehearsal_rollout_attempts_total", &[&label]);
        assert!(counted >= f64::from(expected), "{culprit}: {counted} of {expected}");
    }
}
