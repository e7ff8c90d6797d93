//! What tasks are made of: one thing to do, how to find out what it takes, and how to do it.

use serde_json::Value;

/// A tool call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) tool: &'static str,
    pub(crate) arguments: Value,
}

pub(crate) fn call(tool: &'static str, arguments: Value) -> Call {
    Call { tool, arguments }
}

/// A part of the office.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    Email,
    Calendar,
    Analytics,
    Project,
    Customers,
}

impl Domain {
    pub(crate) const ALL: [Self; 5] =
        [Self::Email, Self::Calendar, Self::Analytics, Self::Project, Self::Customers];

    /// The category of its tasks.
    pub(crate) fn category(self) -> &'static str {
        match self {
            Self::Email => "workbench_email",
            Self::Calendar => "workbench_calendar",
            Self::Analytics => "workbench_analytics",
            Self::Project => "workbench_project_management",
            Self::Customers => "workbench_customer_relationship_manager",
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug)]
pub(crate) struct Clause {
    /// An imperative, without capital and period.
    pub(crate) text: String,
    /// What to look up before.
    pub(crate) lookups: Vec<Call>,
    /// What to do then.
    pub(crate) actions: Vec<Call>,
}

impl Clause {
    pub(crate) fn new(text: String, lookups: Vec<Call>, actions: Vec<Call>) -> Self {
        Self { text, lookups, actions }
    }

    /// What is to be done if a condition holds, and else; the condition is known.
    pub(crate) fn choice(condition: Condition, then: Self, otherwise: Self) -> Self {
        let text = format!("if {}, {}; otherwise {}", condition.text, then.text, otherwise.text);
        let chosen = if condition.holds { then } else { otherwise };
        let lookups = condition.lookups.into_iter().chain(chosen.lookups).collect();
        Self { text, lookups, actions: chosen.actions }
    }
}

/// Something that may be the case.
pub(crate) struct Condition {
    pub(crate) text: String,
    pub(crate) lookups: Vec<Call>,
    pub(crate) holds: bool,
}
