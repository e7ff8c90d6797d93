//! Customer relations: who is interested in what, and who looks after them.

use framework::environment::python::Json;

use super::call::{Answer, Arguments, Exception, is_one_of, lower_cell, lowered, type_name};
use super::page::{Page, Titles};
use super::project::matching;
use super::table::{Cell, Columns, Record, Row};
use super::world::{World, comparable};

/// The columns of the table.
pub(super) const COLUMNS: Columns = &[
    "customer_id",
    "assigned_to_email",
    "customer_name",
    "customer_email",
    "customer_phone",
    "last_contact_date",
    "product_interest",
    "status",
    "follow_up_by",
    "notes",
];
/// Where they stand.
pub(super) const ID: usize = 0;

const TITLES: Titles = Titles { rows: "customers", total: "total_customers" };
const NOT_FOUND: &str = "Customer not found.";

/// The filters that are patterns, in the order in which they are applied.
const PATTERNS: [&str; 5] =
    ["customer_name", "customer_email", "product_interest", "status", "assigned_to_email"];
/// The filters that are bounds, the columns that they bound, and how.
const BOUNDS: [(&str, &str, &str); 4] = [
    ("last_contact_date_min", "last_contact_date", ">="),
    ("last_contact_date_max", "last_contact_date", "<="),
    ("follow_up_by_min", "follow_up_by", ">="),
    ("follow_up_by_max", "follow_up_by", "<="),
];

fn column(name: &str) -> usize {
    COLUMNS.iter().position(|column| *column == name).expect("the column is one of the table's")
}

/// Finds customers.
pub(super) fn search_customers(world: &World, call: &Arguments) -> Result<Answer, Exception> {
    let bounds = BOUNDS.iter().map(|(name, ..)| name);
    if PATTERNS.iter().chain(bounds).all(|name| call.truthy(name).is_none()) {
        let text = "No search parameters provided. Please provide at least one parameter.";
        return Ok(text.into());
    }
    let mut found: Vec<&Row> = world.customers.rows().map(|entry| entry.row).collect();
    for name in PATTERNS {
        if let Some(pattern) = call.truthy(name) {
            found = matching(found, column(name), pattern)?;
        }
    }
    for (name, bounded, operator) in BOUNDS {
        if let Some(bound) = call.truthy(name) {
            found = within(found, column(bounded), operator, bound)?;
        }
    }
    if found.is_empty() {
        return Ok("No customers found.".into());
    }
    let record = |index: usize| Record { columns: COLUMNS, row: found[index].clone() };
    Page::of(TITLES, found.len(), call, record).map(Answer::Page)
}

/// The rows whose text in a column is within a bound, as text. A cell without value is not.
fn within<'a>(
    rows: Vec<&'a Row>,
    column: usize,
    operator: &str,
    bound: &Json,
) -> Result<Vec<&'a Row>, Exception> {
    comparable(bound, rows.len())?;
    let unordered = |a: &str, b: &str| {
        let what = "not supported between instances of";
        Exception(format!("'{operator}' {what} '{a}' and '{b}'"))
    };
    let mut found = Vec::new();
    for row in rows {
        let is_within = match (&row[column], bound) {
            (Cell::Missing, _) => false,
            (Cell::Text(text), Json::String(bound)) => match operator {
                ">=" => **text >= **bound,
                _ => **text <= **bound,
            },
            (Cell::Text(_), bound) => return Err(unordered("str", type_name(bound))),
            (Cell::Value(value), bound) => {
                return Err(unordered(type_name(value), type_name(bound)));
            }
        };
        if is_within {
            found.push(row);
        }
    }
    Ok(found)
}

/// Changes one field of a customer.
pub(super) fn update_customer(world: &mut World, call: &Arguments) -> Result<Answer, Exception> {
    const STATUSES: [&str; 5] = ["Qualified", "Won", "Lost", "Lead", "Proposal"];
    const INTERESTS: [&str; 5] = ["Software", "Hardware", "Services", "Consulting", "Training"];
    let given = ["customer_id", "field", "new_value"].map(|name| call.truthy(name));
    let [Some(id), Some(field), Some(value)] = given else {
        return Ok("Customer ID, field, or new value not provided.".into());
    };
    let column = COLUMNS.iter().position(|column| is_one_of(field, &[column]));
    let value = match column.map(|column| COLUMNS[column]) {
        Some("status") if !is_one_of(value, &STATUSES) => {
            let choice = STATUSES.join("', '");
            return Ok(format!("Status not valid. Please choose from: '{choice}'").into());
        }
        Some("product_interest") if !is_one_of(value, &INTERESTS) => {
            let choice = INTERESTS.join("', '");
            return Ok(format!("Product interest not valid. Please choose from: '{choice}'").into());
        }
        Some("customer_email" | "assigned_to_email") => &lowered(value)?,
        _ => value,
    };
    let slots = world.customers.find(ID, id)?;
    if slots.is_empty() {
        return Ok(NOT_FOUND.into());
    }
    let Some(column) = column else {
        let text = "Field not valid. Please choose from: 'customer_name', 'assigned_to_email', \
            'customer_email', 'customer_phone', 'last_contact_date', 'product_interest', 'status', \
            'notes', 'follow_up_by'";
        return Ok(text.into());
    };
    world.customers.assign(&slots, column, value)?;
    Ok("Customer updated successfully.".into())
}

/// Adds a customer.
pub(super) fn add_customer(world: &mut World, call: &Arguments) -> Result<Answer, Exception> {
    let required = ["customer_name", "assigned_to_email", "status"];
    if required.iter().any(|name| call.truthy(name).is_none()) {
        let text = "Please provide all required fields: customer_name, assigned_to_email, status.";
        return Ok(text.into());
    }
    let assignee = lower_cell(call.get("assigned_to_email"))?;
    let email = match call.truthy("customer_email") {
        Some(email) => lower_cell(email)?,
        None => call.get("customer_email").into(),
    };
    let id = format!("{:08}", world.customers.next_id(ID)?);
    let cell = |column: &&str| match *column {
        "customer_id" => Cell::text(&id),
        "assigned_to_email" => assignee.clone(),
        "customer_email" => email.clone(),
        // Left out, they are empty; null, they are null.
        "notes" => call.given("notes").map_or_else(|| Cell::text(""), Cell::from),
        name => call.get(name).into(),
    };
    world.customers.push(COLUMNS.iter().map(cell).collect::<Row>());
    Ok(id.into())
}

/// Deletes a customer.
pub(super) fn delete_customer(world: &mut World, call: &Arguments) -> Result<Answer, Exception> {
    let Some(id) = call.truthy("customer_id") else {
        return Ok("Customer ID not provided.".into());
    };
    let slots = world.customers.find(ID, id)?;
    if slots.is_empty() {
        return Ok(NOT_FOUND.into());
    }
    world.customers.remove(&slots);
    Ok("Customer deleted successfully.".into())
}
