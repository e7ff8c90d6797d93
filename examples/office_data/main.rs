//! Makes the office of the `workbench` environment: its tables, tasks, and what solves them.
//!
//! Run: cargo run --example office_data -- [FOLDER] [SEED]
//!
//! Without a folder it writes to `out/office`; with `environments/data/workbench` it renews what ships.
//! The same seed always makes the same files. Every task is then solved in the office that was made: what
//! solves it must earn 1 and find what it changes, and doing nothing must earn less.

#![expect(clippy::print_stdout, reason = "it says what it has made")]

mod analytics;
mod calendar;
mod chance;
mod check;
mod clause;
mod customers;
mod mail;
mod office;
mod project;
mod tasks;
mod words;

use std::error::Error;
use std::fs;
use std::path::Path;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "out/office".to_owned());
    let seed = arguments.next().map_or(Ok(office::SEED), |seed| seed.parse())?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    let (files, tasks) = tasks::made(seed);
    for (file, text) in files {
        fs::write(folder.join(file), text)?;
    }
    check::solve_all(folder, &tasks).await?;
    println!("{} tasks in {}, all of them solved", tasks.len(), folder.display());
    Ok(())
}
