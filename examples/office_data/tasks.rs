//! Tasks, put together from clauses: of one domain, of two, of three.

use serde_json::json;

use super::chance::Chance;
use super::clause::{Call, Clause, Domain};
use super::office::{Office, capitalised};
use super::{analytics, calendar, customers, mail, project};

/// Tasks of each domain alone, of each pair of domains, and of each triple.
const COUNTS: [usize; 3] = [24, 8, 3];

/// A task.
pub(crate) struct Task {
    id: usize,
    category: &'static str,
    clauses: Vec<Clause>,
}

/// The files of an office, and its tasks, which are in two of them.
pub(crate) fn made(seed: u64) -> (Vec<(&'static str, String)>, Vec<Task>) {
    let office = Office::new(&mut Chance::new(seed));
    let tasks = all(&office, &mut Chance::new(seed + 1));
    let lines = |line: fn(&Task) -> String| tasks.iter().map(line).collect();
    let mut files = Vec::from(office.files());
    files.push(("example.jsonl", lines(Task::row)));
    files.push(("gold.jsonl", lines(Task::gold)));
    (files, tasks)
}

/// All tasks.
fn all(office: &Office, chance: &mut Chance) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    for domains in combinations() {
        let (mut made, wanted) = (0, COUNTS[domains.len() - 1]);
        while made < wanted {
            let task = task(tasks.len(), office, &domains, chance);
            if tasks.iter().all(|other| other.prompt() != task.prompt()) {
                tasks.push(task);
                made += 1;
            }
        }
    }
    tasks
}

/// One, two or three domains, in all ways.
fn combinations() -> Vec<Vec<Domain>> {
    let subsets = 1..1_usize << Domain::ALL.len();
    let domains = |subset: usize| {
        let is_in = |index: &usize| subset >> index & 1 == 1;
        (0..Domain::ALL.len()).filter(is_in).map(|index| Domain::ALL[index]).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = subsets.map(domains).filter(|domains| domains.len() <= 3).collect();
    all.sort_by_key(Vec::len);
    all
}

fn clause(domain: Domain, office: &Office, chance: &mut Chance) -> Clause {
    match domain {
        Domain::Email => mail::clause(office, chance),
        Domain::Calendar => calendar::clause(office, chance),
        Domain::Analytics => analytics::clause(office, chance),
        Domain::Project => project::clause(office, chance),
        Domain::Customers => customers::clause(office, chance),
    }
}

fn task(id: usize, office: &Office, domains: &[Domain], chance: &mut Chance) -> Task {
    let category = match domains {
        [domain] => domain.category(),
        _ => "workbench_multi_domain",
    };
    let is_conditional =
        domains.len() > 1 && domains.contains(&Domain::Analytics) && chance.below(2) == 0;
    let clauses = match is_conditional {
        false => domains.iter().map(|domain| clause(*domain, office, chance)).collect(),
        true => vec![conditional(office, domains, chance)],
    };
    Task { id, category, clauses }
}

/// What the visits decide between: two things of other domains, or one of them and a plot.
fn conditional(office: &Office, domains: &[Domain], chance: &mut Chance) -> Clause {
    let others: Vec<_> = domains.iter().filter(|domain| **domain != Domain::Analytics).collect();
    let condition = analytics::any_condition(office, chance);
    let then = clause(*others[0], office, chance);
    let otherwise = match others.get(1) {
        Some(domain) => clause(**domain, office, chance),
        None => analytics::one(chance),
    };
    Clause::choice(condition, then, otherwise)
}

impl Task {
    fn prompt(&self) -> String {
        let texts: Vec<_> = self.clauses.iter().map(|clause| &*clause.text).collect();
        match texts[..] {
            [one] => capitalised(one) + ".",
            [first, second] => format!("{}. Then {second}.", capitalised(first)),
            _ => {
                let (last, rest) = texts.split_last().expect("a task has a clause");
                let rest: Vec<_> = rest.iter().map(|text| capitalised(text)).collect();
                format!("{}. Finally, {last}.", rest.join(". "))
            }
        }
    }

    fn actions(&self) -> impl Iterator<Item = &Call> {
        self.clauses.iter().flat_map(|clause| &clause.actions)
    }

    /// The task as a line of the dataset.
    pub(crate) fn row(&self) -> String {
        let system = "It is Thursday, 2023-11-30, and the time is 23:59:00; count days and weeks from \
            there. Meetings begin at 9:00 at the earliest and are over by 18:00.";
        let input = json!([
            { "role": "system", "content": system },
            { "role": "user", "content": self.prompt() },
        ]);
        let truth =
            |call: &Call| json!({ "name": call.tool, "arguments": call.arguments.to_string() });
        let row = json!({
            "id": self.id,
            "responses_create_params": { "input": input, "parallel_tool_calls": false },
            "ground_truth": self.actions().map(truth).collect::<Vec<_>>(),
            "category": self.category,
            "environment_name": "workbench",
        });
        format!("{row}\n")
    }

    /// The calls that solve it, lookups before actions, clause by clause.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.clauses.iter().flat_map(|clause| clause.lookups.iter().chain(&clause.actions))
    }

    /// Its clauses.
    pub(crate) fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// What solves it, as a line of gold answers.
    pub(crate) fn gold(&self) -> String {
        let call = |(index, call): (usize, &Call)| {
            let number = index + 1;
            json!([{
                "type": "function_call",
                "id": format!("fc_{number}"),
                "call_id": format!("call_{number}"),
                "name": call.tool,
                "arguments": call.arguments.to_string(),
                "status": "completed",
            }])
        };
        let mut turns: Vec<_> = self.calls().enumerate().map(call).collect();
        turns.push(json!([{
            "type": "message",
            "id": format!("msg_{}", turns.len() + 1),
            "role": "assistant",
            "status": "completed",
            "content": [{ "type": "output_text", "text": "All done.", "annotations": [] }],
        }]));
        format!("{}\n", json!({ "turns": turns }))
    }
}
