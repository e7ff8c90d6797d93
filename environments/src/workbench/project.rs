//! The project board: tasks in lists.

use std::sync::LazyLock;

use framework::environment::python::Json;
use framework::environment::python::pattern::{Flags, Pattern};

use super::call::{Answer, Arguments, Exception, is_one_of, lower, lowered, type_name};
use super::filter::Filter;
use super::table::{Cell, Columns, Record, Row};
use super::world::World;

/// The columns of the table.
pub(super) const COLUMNS: Columns =
    &["task_id", "task_name", "assigned_to_email", "list_name", "due_date", "board"];
/// Where they stand.
pub(super) const ID: usize = 0;
const ASSIGNEE: usize = 2;

const LISTS: [&str; 4] = ["Backlog", "In Progress", "In Review", "Completed"];
const BOARDS: [&str; 3] = ["Back end", "Front end", "Design"];
const NOT_FOUND: &str = "Task not found.";
const NO_ID: &str = "Task ID not provided.";
const BAD_ASSIGNEE: &str = "Assignee email not valid. Please choose from the list of team members.";
const BAD_LIST: &str =
    "List not valid. Please choose from: 'Backlog', 'In Progress', 'In Review', 'Completed'.";
const BAD_BOARD: &str = "Board not valid. Please choose from: 'Back end', 'Front end', 'Design'.";

/// Tells one field of a task.
pub(super) fn get_task_information_by_id(
    world: &World,
    call: &Arguments,
) -> Result<Answer, Exception> {
    let Some(id) = call.truthy("task_id") else { return Ok(NO_ID.into()) };
    let Some(field) = call.truthy("field") else { return Ok("Field not provided.".into()) };
    let Some(row) = world.tasks.first(ID, id)? else { return Ok(NOT_FOUND.into()) };
    if matches!(field, Json::Array(_) | Json::Object(_)) {
        return Err(Exception(format!("unhashable type: '{}'", type_name(field))));
    }
    let Some(column) = column(field) else { return Ok("Field not found.".into()) };
    Ok(Answer::Field(COLUMNS[column].into(), row[column].clone()))
}

fn column(field: &Json) -> Option<usize> {
    COLUMNS.iter().position(|column| is_one_of(field, &[column]))
}

/// Finds tasks by any of their fields.
pub(super) fn search_tasks(world: &World, call: &Arguments) -> Result<Answer, Exception> {
    if COLUMNS[1..].iter().all(|column| call.truthy(column).is_none()) {
        return Ok("No search parameters provided.".into());
    }
    let assignee = call.truthy(COLUMNS[ASSIGNEE]);
    if let Some(assignee) = assignee
        && !is_address(assignee)?
    {
        return Ok("Invalid email format for assigned_to_email.".into());
    }
    let mut found: Vec<&Row> = world.tasks.rows().map(|entry| entry.row).collect();
    for (column, name) in COLUMNS.iter().enumerate().skip(1) {
        let Some(value) = call.truthy(name) else { continue };
        if column == ASSIGNEE {
            let assignee = lower(value)?;
            let is_assignee = |text: &str| text.to_lowercase() == assignee;
            found.retain(|row| row[column].as_text().is_some_and(is_assignee));
        } else {
            found = matching(found, column, value)?;
        }
    }
    let record = |row: &Row| Record { columns: COLUMNS, row: row.clone() };
    Ok(Answer::Records(found.into_iter().map(record).collect()))
}

/// The rows in which a pattern is found in a column. All of them must have text there.
pub(super) fn matching<'a>(
    rows: Vec<&'a Row>,
    column: usize,
    pattern: &Json,
) -> Result<Vec<&'a Row>, Exception> {
    let filter = Filter::new(pattern)?;
    let (mut found, mut has_missing) = (Vec::new(), false);
    for row in rows {
        match filter.finds(&row[column])? {
            Some(true) => found.push(row),
            Some(false) => {}
            None => has_missing = true,
        }
    }
    if has_missing {
        let text = "Cannot mask with non-boolean array containing NA / NaN values";
        return Err(Exception::new(text));
    }
    Ok(found)
}

/// Whether text looks like an address.
fn is_address(value: &Json) -> Result<bool, Exception> {
    static ADDRESS: LazyLock<Pattern> = LazyLock::new(|| {
        let address = r"^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}$";
        Pattern::compile(address, Flags::default()).expect("the pattern is well-formed")
    });
    let Json::String(text) = value else {
        let name = type_name(value);
        return Err(Exception(format!("expected string or bytes-like object, got '{name}'")));
    };
    ADDRESS.is_match(text).map_err(Exception::new)
}

/// Whether a task is assigned to somebody.
fn has_task(world: &World, assignee: &str) -> bool {
    world.tasks.rows().any(|entry| entry.row[ASSIGNEE].as_text() == Some(assignee))
}

/// Creates a task.
pub(super) fn create_task(world: &mut World, call: &Arguments) -> Result<Answer, Exception> {
    let given: Vec<_> = COLUMNS[1..].iter().filter_map(|name| call.truthy(name)).collect();
    let [name, assignee, list, due_date, board] = given[..] else {
        return Ok("Missing task details.".into());
    };
    let assignee = lower(assignee)?;
    if !has_task(world, &assignee) {
        return Ok(BAD_ASSIGNEE.into());
    }
    if !is_one_of(list, &LISTS) {
        return Ok(BAD_LIST.into());
    }
    if !is_one_of(board, &BOARDS) {
        return Ok(BAD_BOARD.into());
    }
    let id = format!("{:08}", world.tasks.next_id(ID)?);
    let (id_cell, assignee) = (Cell::text(&id), Cell::text(&assignee));
    let cells = [id_cell, name.into(), assignee, list.into(), due_date.into(), board.into()];
    world.tasks.push(Row::from(cells));
    Ok(id.into())
}

/// Deletes a task.
pub(super) fn delete_task(world: &mut World, call: &Arguments) -> Result<Answer, Exception> {
    let Some(id) = call.truthy("task_id") else { return Ok(NO_ID.into()) };
    let slots = world.tasks.find(ID, id)?;
    if slots.is_empty() {
        return Ok(NOT_FOUND.into());
    }
    world.tasks.remove(&slots);
    Ok("Task deleted successfully.".into())
}

/// Changes one field of a task.
pub(super) fn update_task(world: &mut World, call: &Arguments) -> Result<Answer, Exception> {
    let given = ["task_id", "field", "new_value"].map(|name| call.truthy(name));
    let [Some(id), Some(field), Some(value)] = given else {
        return Ok("Task ID, field, or new value not provided.".into());
    };
    let column = column(field);
    let value = match column.map(|column| COLUMNS[column]) {
        Some("board") if !is_one_of(value, &BOARDS) => return Ok(BAD_BOARD.into()),
        Some("list_name") if !is_one_of(value, &LISTS) => return Ok(BAD_LIST.into()),
        Some("assigned_to_email") => {
            let assignee = lower(value)?;
            if !has_task(world, &assignee) {
                return Ok(BAD_ASSIGNEE.into());
            }
            &lowered(value)?
        }
        _ => value,
    };
    let slots = world.tasks.find(ID, id)?;
    if slots.is_empty() {
        return Ok(NOT_FOUND.into());
    }
    let Some(column) = column else { return Ok("Field not valid.".into()) };
    world.tasks.assign(&slots, column, value)?;
    Ok("Task updated successfully.".into())
}
