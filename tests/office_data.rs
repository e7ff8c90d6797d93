//! The office that ships with `workbench`: what its generator makes, and no less than was promised.

#[path = "../examples/office_data/analytics.rs"]
mod analytics;
#[path = "../examples/office_data/calendar.rs"]
mod calendar;
#[path = "../examples/office_data/chance.rs"]
mod chance;
#[path = "../examples/office_data/check.rs"]
mod check;
#[path = "../examples/office_data/clause.rs"]
mod clause;
#[path = "../examples/office_data/customers.rs"]
mod customers;
#[path = "../examples/office_data/mail.rs"]
mod mail;
#[path = "../examples/office_data/office.rs"]
mod office;
#[path = "../examples/office_data/project.rs"]
mod project;
#[path = "../examples/office_data/tasks.rs"]
mod tasks;
#[path = "../examples/office_data/words.rs"]
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

fn shipped(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments/data/workbench");
    std::fs::read_to_string(folder.join(file)).unwrap()
}

#[test]
fn the_office_that_ships_is_what_its_generator_makes_of_its_seed() {
    let (files, _) = tasks::made(office::SEED);
    let others: BTreeMap<_, _> = tasks::made(office::SEED + 2).0.into_iter().collect();
    for (file, text) in files {
        assert!(text == shipped(file), "`{file}` differs; run `cargo run --example office_data`");
        assert_eq!(text == others[file], file == "email_addresses.csv", "{file}");
    }
}

#[tokio::test]
async fn every_task_of_another_office_is_solved_by_what_it_was_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let (files, tasks) = tasks::made(7);
    for (file, text) in files {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    check::solve_all(folder.path(), &tasks).await.unwrap();
}

#[test]
fn its_tasks_are_of_all_domains_and_of_one_step_and_of_several() {
    let mut categories = BTreeMap::<String, [usize; 2]>::new();
    for line in shipped("example.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let calls = row["ground_truth"].as_array().unwrap();
        let counts = categories.entry(row["category"].as_str().unwrap().to_owned()).or_default();
        counts[usize::from(calls.len() > 1)] += 1;
    }
    let total: usize = categories.values().flatten().sum();
    assert!(total >= 200, "{total} tasks");
    assert_eq!(categories.len(), clause::Domain::ALL.len() + 1, "{categories:?}");
    for domain in clause::Domain::ALL {
        let [single, several] = categories[domain.category()];
        assert!(single > 0 && several > 0, "{categories:?}");
    }
}

#[test]
fn its_tables_are_as_large_as_those_of_nemo_gym() {
    for (file, rows) in [
        ("emails.csv", 501),
        ("calendar_events.csv", 301),
        ("analytics_data.csv", 1001),
        ("project_tasks.csv", 301),
        ("customer_relationship_manager_data.csv", 201),
        ("email_addresses.csv", 20),
    ] {
        assert_eq!(shipped(file).lines().count(), rows, "{file}");
    }
}
