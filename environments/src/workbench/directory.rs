//! The company directory: the addresses of the staff.

use framework::environment::python::Json;

use super::call::{Answer, Arguments, Exception, lower};
use super::filter::Filter;
use super::world::World;

/// Finds addresses by a part of a name.
pub(super) fn find_email_address(world: &World, call: &Arguments) -> Result<Answer, Exception> {
    let name = call.given("name");
    if name.is_none_or(|name| matches!(name, Json::String(text) if text.is_empty())) {
        return Ok("Name not provided.".into());
    }
    let name = lower(call.get("name"))?;
    let filter = Filter::of_text(&name)?;
    let mut found = Vec::new();
    for address in &world.office.directory {
        if filter.finds(address)? == Some(true) {
            found.push(address.clone());
        }
    }
    Ok(Answer::Texts(found))
}
