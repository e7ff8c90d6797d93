//! Mathematical answers against Math-Verify: `library_judge_math.py` writes pairs of a gold answer and a
//! model's in every kind of answer, with the library's verdicts; here they are compared with ours.
//!
//! Of most pairs it is known by how they were made whether their answers are equal, so that each
//! disagreement comes with a judgement of who is right. On well-formed pairs the verdicts have to agree in
//! 99 of 100 of each kind. A sample with stored verdicts is compared always, Python or not; there a
//! disagreement stands beside its reason, in `differs`.
//!
//! For all kinds, with more than 10,000 pairs, and to see the table and all disagreements:
//! `DIFFERENTIAL_ROWS=12000 cargo test --test behaviour mathematics_agrees -- --nocapture`. That takes the
//! library some ten minutes; without the variable it is asked about a few hundred. Pairs for which it runs
//! out of time are counted apart: they say how fast the machine is.
//!
//! The sample is twenty pairs of each kind, drawn from such a run, without those that it was late for.

use std::collections::BTreeMap;
use std::path::Path;

use rehearsal::environments::math::{self, Answer};
use serde_json::Value;

use super::{Script, values};

/// Pairs that are generated, unless it is said otherwise: the library needs milliseconds for most.
const ROWS: &str = "600";
/// Of a hundred well-formed pairs of a kind, so many verdicts may differ; one always may.
const DIFFERENCES_MAX: f64 = 1.0;
/// Answers that are read as others, with the same verdict, which are printed for each kind.
const SHOWN_MAX: usize = 12;
/// The kind that has no truth.
const MALFORMED: &str = "malformed";

/// How the verdicts of a kind compare.
#[derive(Default)]
struct Tally {
    pairs: usize,
    rewards_differ: usize,
    extractions_differ: usize,
    undecided: usize,
    /// Pairs that the library ran out of time for.
    late: usize,
    /// The pairs whose verdicts differ, and those of the same verdict whose answers were read as others.
    shown: Vec<String>,
    read_else: Vec<String>,
}

impl Tally {
    fn agreement(&self) -> f64 {
        100.0 - 100.0 * self.rewards_differ as f64 / self.pairs as f64
    }
}

fn read(path: &Path) -> Vec<Value> {
    values(&std::fs::read_to_string(path).unwrap())
}

fn text<'a>(pair: &'a Value, key: &str) -> &'a str {
    pair[key].as_str().unwrap()
}

fn verdict(pair: &Value) -> math::Verdict {
    math::verify(text(pair, "gold"), text(pair, "answer"))
}

/// Who is right, by how the pair was made.
fn judgement(pair: &Value, ours: bool, theirs: bool) -> &'static str {
    match pair["equal"].as_bool() {
        _ if ours == theirs => "the verdict is the same, so that either way of reading it serves",
        Some(truth) if truth == ours => "ours is right",
        Some(_) => "the library is right",
        None => "a matter of convention, so the library's word counts",
    }
}

fn printed(answers: &[Answer]) -> Vec<String> {
    answers.iter().map(Answer::to_string).collect()
}

fn compare(tally: &mut Tally, pair: &Value) {
    if pair["late"] == true {
        tally.late += 1;
        return;
    }
    let ours = verdict(pair);
    let theirs = pair["reward"] == 1.0;
    tally.pairs += 1;
    tally.undecided += usize::from(ours.undecided.is_some());
    // After a failure of its own it reports nothing.
    let has_failed = pair["error"].is_string();
    let extracted = ours.extracted_answer();
    let reads_else = !has_failed && extracted.as_deref() != pair["extracted"].as_str();
    tally.extractions_differ += usize::from(reads_else);
    tally.rewards_differ += usize::from(ours.equal != theirs);
    let shown = match (ours.equal == theirs, reads_else) {
        (true, false) => return,
        (true, true) => &mut tally.read_else,
        (false, _) => &mut tally.shown,
    };
    shown.push(format!(
        "{}: gold {:?}, answer {:?}\n    the library: {theirs}, having read {}\n    ours: {}, having read {:?}{}\n    {}",
        text(pair, "kind"),
        text(pair, "gold"),
        text(pair, "answer"),
        pair["predictions"],
        ours.equal,
        printed(&ours.predictions),
        ours.undecided.as_ref().map(|reason| format!(", undecided: {reason}")).unwrap_or_default(),
        judgement(pair, ours.equal, theirs),
    ));
}

fn tallies(pairs: &[Value]) -> BTreeMap<&str, Tally> {
    let mut tallies = BTreeMap::<_, Tally>::new();
    for pair in pairs {
        compare(tallies.entry(text(pair, "kind")).or_default(), pair);
    }
    tallies
}

#[expect(clippy::print_stdout, reason = "the table is what one runs this for")]
fn print(tallies: &BTreeMap<&str, Tally>) {
    for tally in tallies.values() {
        for shown in tally.shown.iter().chain(tally.read_else.iter().take(SHOWN_MAX)) {
            println!("{shown}");
        }
    }
    println!(
        "{:<20} {:>6} {:>10} {:>11} {:>10} {:>5}",
        "kind", "pairs", "verdicts", "extraction", "undecided", "late"
    );
    for (kind, tally) in tallies {
        let extraction = 100.0 - 100.0 * tally.extractions_differ as f64 / tally.pairs as f64;
        let Tally { pairs, undecided, late, .. } = tally;
        let agreement = tally.agreement();
        println!(
            "{kind:<20} {pairs:>6} {agreement:>8.2} % {extraction:>9.2} % {undecided:>10} {late:>5}"
        );
    }
}

fn differs(kind: &str, tally: &Tally) -> bool {
    let most = (tally.pairs as f64 * DIFFERENCES_MAX / 100.0).max(1.0);
    kind != MALFORMED && tally.rewards_differ as f64 > most
}

#[test]
fn mathematics_agrees_with_math_verify() {
    let Some(script) = Script::of("library_judge_math") else { return };
    let folder = tempfile::tempdir().unwrap();
    script.generate_rows(folder.path(), ROWS);
    let pairs = read(&folder.path().join("pairs.jsonl"));
    assert!(pairs.len() >= 400, "only {} pairs were generated", pairs.len());
    let tallies = tallies(&pairs);
    print(&tallies);
    let wrong: Vec<_> = tallies.iter().filter(|(kind, tally)| differs(kind, tally)).collect();
    let wrong: Vec<_> = wrong.iter().map(|(kind, tally)| (kind, &tally.shown)).collect();
    assert!(wrong.is_empty(), "more than {DIFFERENCES_MAX} % of the verdicts differ: {wrong:#?}");
}

#[test]
fn stored_verdicts_of_math_verify_come_out_where_they_should() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/library_judge_math.jsonl");
    let pairs = read(&path);
    assert!(pairs.len() >= 600);
    let mut wrong = Vec::new();
    for pair in &pairs {
        let ours = verdict(pair).equal;
        let theirs = pair["reward"] == 1.0;
        // A reason that no longer holds is as wrong as a disagreement without one.
        if (ours == theirs) == pair["differs"].is_string() {
            wrong.push(format!("{pair}\n  ours: {ours}, {}", judgement(pair, ours, theirs)));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), pairs.len(), wrong.join("\n"));
}
