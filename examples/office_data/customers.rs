//! Things to do with customers.

use serde_json::json;

use super::chance::Chance;
use super::clause::{Call, Clause, call};
use super::office::{Customer, Day, Office, address, first_name};
use super::words;

fn find_person(person: usize) -> Call {
    call("company_directory_find_email_address", json!({ "name": first_name(person) }))
}

fn update(customer: &Customer, field: &str, value: &str) -> Call {
    let arguments = json!({ "customer_id": customer.id, "field": field, "new_value": value });
    call("customer_relationship_manager_update_customer", arguments)
}

fn look_up(customer: &Customer) -> Vec<Call> {
    let arguments = json!({ "customer_name": customer.name });
    vec![call("customer_relationship_manager_search_customers", arguments)]
}

fn any<'a>(office: &'a Office, chance: &mut Chance) -> &'a Customer {
    &office.customers[chance.below(office.customers.len())]
}

/// Something to do.
pub(crate) fn clause(office: &Office, chance: &mut Chance) -> Clause {
    match chance.below(6) {
        0 => add(office, chance),
        1 => delete(office, chance),
        2 => change(office, chance),
        3 => follow_up(office, chance),
        4 => give_up(office, chance),
        _ => reassign(office, chance),
    }
}

fn add(office: &Office, chance: &mut Chance) -> Clause {
    let name = loop {
        let (first, last) =
            (chance.pick(&words::CUSTOMER_FIRST), chance.pick(&words::CUSTOMER_LAST));
        let name = format!("{first} {last}");
        if office.customers.iter().all(|customer| customer.name != name) {
            break name;
        }
    };
    let (person, interest) = (15 + chance.below(5), chance.pick(&words::INTERESTS));
    let text = format!(
        "add {name} to the customers as a new lead that is interested in {interest}, assigned to {}",
        first_name(person)
    );
    let arguments = json!({
        "customer_name": name,
        "assigned_to_email": address(person),
        "status": "Lead",
        "product_interest": interest,
    });
    let action = call("customer_relationship_manager_add_customer", arguments);
    Clause::new(text, vec![find_person(person)], vec![action])
}

fn delete(office: &Office, chance: &mut Chance) -> Clause {
    let customer = any(office, chance);
    let text = format!("delete {} from the customers", customer.name);
    let arguments = json!({ "customer_id": customer.id });
    let action = call("customer_relationship_manager_delete_customer", arguments);
    Clause::new(text, look_up(customer), vec![action])
}

fn change(office: &Office, chance: &mut Chance) -> Clause {
    let customer = any(office, chance);
    let status = loop {
        let status = chance.pick(&words::STATUSES);
        if status != customer.status {
            break status;
        }
    };
    let text = format!("set the status of the customer {} to {status}", customer.name);
    Clause::new(text, look_up(customer), vec![update(customer, "status", status)])
}

fn follow_up(office: &Office, chance: &mut Chance) -> Clause {
    let customer = any(office, chance);
    let day = Day(Day::TODAY.0 + 1 + chance.below(28));
    let text = format!(
        "note that we follow up with the customer {} by {} (end of day, 23:59:00)",
        customer.name,
        day.name()
    );
    let action = update(customer, "follow_up_by", &format!("{} 23:59:00", day.iso()));
    Clause::new(text, look_up(customer), vec![action])
}

/// Gives up on customers with an old proposal.
fn give_up(office: &Office, chance: &mut Chance) -> Clause {
    loop {
        let weeks = 3 + chance.below(5);
        let since = Day(Day::TODAY.0 - 7 * weeks);
        let interest = chance.pick(&words::INTERESTS);
        let is_meant = |customer: &&Customer| {
            let is_open = customer.status == "Proposal" && customer.interest == interest;
            is_open && customer.last_contact < since
        };
        let found: Vec<_> = office.customers.iter().filter(is_meant).collect();
        if !(1..=4).contains(&found.len()) {
            continue;
        }
        let text = format!(
            "mark all customers as lost that have a proposal for {interest} and were last contacted \
             before {}",
            since.name()
        );
        let arguments = json!({
            "product_interest": interest,
            "status": "Proposal",
            "last_contact_date_max": since.iso(),
            "page_size": 50,
        });
        let lookup = call("customer_relationship_manager_search_customers", arguments);
        let actions = found.iter().map(|customer| update(customer, "status", "Lost")).collect();
        return Clause::new(text, vec![lookup], actions);
    }
}

fn reassign(office: &Office, chance: &mut Chance) -> Clause {
    loop {
        let from = 15 + chance.below(5);
        let to = 15 + (from - 15 + 1 + chance.below(4)) % 5;
        let (status, interest) = (chance.pick(&words::STATUSES), chance.pick(&words::INTERESTS));
        let is_meant = |customer: &&Customer| {
            let is_such = customer.status == status && customer.interest == interest;
            is_such && customer.assignee == from
        };
        let found: Vec<_> = office.customers.iter().filter(is_meant).collect();
        if !(1..=4).contains(&found.len()) {
            continue;
        }
        let text = format!(
            "reassign all of {}'s customers with the status {status} that are interested in {interest} to {}",
            first_name(from),
            first_name(to)
        );
        let arguments = json!({
            "product_interest": interest,
            "status": status,
            "assigned_to_email": address(from),
            "page_size": 50,
        });
        let search = call("customer_relationship_manager_search_customers", arguments);
        let lookups = vec![find_person(from), find_person(to), search];
        let action = |customer: &&Customer| update(customer, "assigned_to_email", &address(to));
        return Clause::new(text, lookups, found.iter().map(action).collect());
    }
}
