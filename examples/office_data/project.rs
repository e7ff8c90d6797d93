//! Things to do on the project board.

use serde_json::json;

use super::chance::Chance;
use super::clause::{Call, Clause, call};
use super::office::{Day, Office, Task, address, first_name};
use super::words;

fn find_person(person: usize) -> Call {
    call("company_directory_find_email_address", json!({ "name": first_name(person) }))
}

fn update(task: &Task, field: &str, value: &str) -> Call {
    let arguments = json!({ "task_id": task.id, "field": field, "new_value": value });
    call("project_management_update_task", arguments)
}

/// A task that its name and its assignee tell from all others.
fn unique<'a>(office: &'a Office, chance: &mut Chance) -> &'a Task {
    loop {
        let task = &office.tasks[chance.below(office.tasks.len())];
        let is_alike = |other: &&Task| other.name == task.name && other.assignee == task.assignee;
        if office.tasks.iter().filter(is_alike).count() == 1 {
            return task;
        }
    }
}

fn look_up(task: &Task) -> Vec<Call> {
    let arguments = json!({ "task_name": task.name, "assigned_to_email": address(task.assignee) });
    vec![find_person(task.assignee), call("project_management_search_tasks", arguments)]
}

/// Something to do.
pub(crate) fn clause(office: &Office, chance: &mut Chance) -> Clause {
    match chance.below(6) {
        0 => create(chance),
        1 => delete(office, chance),
        2 => postpone(office, chance),
        3 => reassign(office, chance),
        _ => move_all(office, chance),
    }
}

fn create(chance: &mut Chance) -> Clause {
    let board = chance.below(words::BOARDS.len());
    let (actions, objects) = words::WORK[board];
    let name = format!("{} {}", chance.pick(&actions), chance.pick(&objects));
    let (person, list) = (board * 5 + chance.below(5), chance.pick(&words::LISTS[..2]));
    let due = Day(Day::TODAY.0 + 1 + chance.below(20));
    let text = format!(
        "create a task '{name}' for {} in the {list} list of the {} board, due on {}",
        first_name(person),
        words::BOARDS[board],
        due.name()
    );
    let arguments = json!({
        "task_name": name,
        "assigned_to_email": address(person),
        "list_name": list,
        "due_date": due.iso(),
        "board": words::BOARDS[board],
    });
    let action = call("project_management_create_task", arguments);
    Clause::new(text, vec![find_person(person)], vec![action])
}

fn delete(office: &Office, chance: &mut Chance) -> Clause {
    let task = unique(office, chance);
    let text = format!("delete {}'s task '{}'", first_name(task.assignee), task.name);
    let action = call("project_management_delete_task", json!({ "task_id": task.id }));
    Clause::new(text, look_up(task), vec![action])
}

fn postpone(office: &Office, chance: &mut Chance) -> Clause {
    let task = unique(office, chance);
    let due = Day(task.due.0 + 2 + chance.below(9));
    let (name, who, due_name) = (&task.name, first_name(task.assignee), due.name());
    let text = match chance.below(2) {
        0 => format!("give {who} until {due_name} for the task '{name}'"),
        _ => format!("set the due date of {who}'s task '{name}' to {due_name}"),
    };
    Clause::new(text, look_up(task), vec![update(task, "due_date", &due.iso())])
}

/// Somebody else of the same board.
fn teammate(person: usize, chance: &mut Chance) -> usize {
    person / 5 * 5 + (person % 5 + 1 + chance.below(4)) % 5
}

fn reassign(office: &Office, chance: &mut Chance) -> Clause {
    let task = unique(office, chance);
    let person = teammate(task.assignee, chance);
    let (from, to) = (first_name(task.assignee), first_name(person));
    let text = format!("hand {from}'s task '{}' over to {to}", task.name);
    let mut lookups = look_up(task);
    lookups.push(find_person(person));
    let action = update(task, "assigned_to_email", &address(person));
    Clause::new(text, lookups, vec![action])
}

fn move_all(office: &Office, chance: &mut Chance) -> Clause {
    loop {
        let person = chance.below(15);
        let from = chance.below(words::LISTS.len() - 1);
        let (list, next) = (words::LISTS[from], words::LISTS[from + 1]);
        let is_overdue = from == 0;
        let is_meant = |task: &&Task| {
            let is_due = !is_overdue || task.due <= Day::TODAY;
            task.assignee == person && task.list == list && is_due
        };
        let found: Vec<_> = office.tasks.iter().filter(is_meant).collect();
        if !(1..=4).contains(&found.len()) {
            continue;
        }
        let name = first_name(person);
        let text = match is_overdue {
            true => format!("move all of {name}'s tasks in {list} that are due by today to {next}"),
            false => format!("move all of {name}'s tasks that are {list} to {next}"),
        };
        let arguments = json!({ "assigned_to_email": address(person), "list_name": list });
        let lookup = call("project_management_search_tasks", arguments);
        let actions = found.iter().map(|task| update(task, "list_name", next)).collect();
        return Clause::new(text, vec![find_person(person), lookup], actions);
    }
}
