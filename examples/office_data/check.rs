//! Solves the tasks in the office that was made.

use std::error::Error;
use std::path::Path;

use rehearsal::environments::workbench::Workbench;
use rehearsal::framework::environment::{Reward, Trial};
use serde_json::{Value, json};

use super::clause::{Call, Clause};
use super::tasks::Task;

/// Arguments that name something which has to be looked up.
const LOOKED_UP: [&str; 6] =
    ["email_id", "event_id", "task_id", "customer_id", "recipient", "participant_email"];

/// Solves all tasks. Fails at the first that cannot be solved, or needs no solution.
pub(crate) async fn solve_all(folder: &Path, tasks: &[Task]) -> Result<(), Box<dyn Error>> {
    let settings = json!({ "data_dir": folder }).to_string();
    let first = tasks.first().ok_or("there are no tasks")?;
    // While one session is open, the tables are read once.
    let _open = Trial::<Workbench>::open(&settings, &first.row()).await?;
    for task in tasks {
        let row = task.row();
        let idle = Trial::<Workbench>::open(&settings, &row).await?;
        if idle.verify().await?.reward == Reward::ONE {
            return Err(format!("doing nothing solves {row}").into());
        }
        let mut trial = Trial::<Workbench>::open(&settings, &row).await?;
        for clause in task.clauses() {
            solve(&mut trial, clause).await.map_err(|error| format!("{error} in {row}"))?;
        }
        if trial.verify().await?.reward != Reward::ONE {
            return Err(format!("its own solution does not solve {row}").into());
        }
    }
    Ok(())
}

async fn solve(trial: &mut Trial<Workbench>, clause: &Clause) -> Result<(), String> {
    let mut known = String::new();
    for Call { tool, arguments } in &clause.lookups {
        known += &trial.call(tool, &arguments.to_string()).await;
    }
    for Call { tool, arguments } in &clause.actions {
        let unknown = LOOKED_UP.iter().find(|name| {
            let value = arguments.get(**name).and_then(Value::as_str);
            value.is_some_and(|value| !known.contains(&format!("\"{value}\"")))
        });
        if let Some(name) = unknown {
            return Err(format!("`{name}` of {tool} is not among what was looked up"));
        }
        let answer = trial.call(tool, &arguments.to_string()).await;
        let is_done =
            ["successfully", "plots/", "{\"output\":\"0"].iter().any(|text| answer.contains(text));
        if !is_done {
            return Err(format!("{tool} answers {answer}"));
        }
    }
    Ok(())
}
