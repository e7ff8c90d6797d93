//! The state after some calls: what the reward compares.

use std::sync::Arc;

use super::call::Arguments;
use super::toolbox::{self, Run};
use super::world::{Office, World};

/// A call that may change a world.
#[derive(Clone, Debug)]
pub(super) struct Call {
    tool: &'static toolbox::Entry,
    arguments: Arguments,
}

impl Call {
    /// Reads a call. `None` if it can change nothing: because it only looks, because there is no such
    /// tool, or because its arguments are not such as it takes.
    pub(super) fn read(name: &str, arguments: &str) -> Option<Self> {
        let tool = toolbox::find(name).filter(|tool| matches!(tool.run, Run::Change(_)))?;
        let arguments = Arguments::parse(arguments)?;
        tool.check(&arguments).ok()?;
        Some(Self { tool, arguments })
    }

    /// Reads a reference call, `None` if it changes nothing.
    ///
    /// # Errors
    /// Fails if it cannot be made.
    pub(super) fn reference(name: &str, arguments: &str) -> Result<Option<Self>, String> {
        let tool = toolbox::find(name).ok_or_else(|| format!("there is no tool `{name}`"))?;
        let parsed = Arguments::parse(arguments);
        let parsed = parsed.ok_or_else(|| format!("`arguments` of `{name}` is no JSON object"))?;
        tool.check(&parsed).map_err(|exception| exception.0)?;
        Ok(Self::read(name, arguments))
    }
}

/// The world after some calls. A call that fails changes nothing, and the next one is made.
pub(super) fn world_after<'a>(
    office: &Arc<Office>,
    calls: impl IntoIterator<Item = &'a Call>,
) -> World {
    let mut world = World::new(office);
    for call in calls {
        if let Run::Change(run) = call.tool.run {
            // What it answers, nobody reads.
            let _ = run(&mut world, &call.arguments);
        }
    }
    world
}
