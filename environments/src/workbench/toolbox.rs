//! The 27 tools: what models are told about them, and which functions they are.

use framework::environment::python::Json;
use framework::environment::{ToolError, Tools};
use serde_json::{Map, Value, json};

use super::call::{Answer, Arguments, Exception, Output, repr};
use super::world::World;
use super::{Workbench, analytics, calendar, customers, directory, email, filter, project};

/// A tool.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    /// What its function is called in Python, which some of its errors name.
    function: &'static str,
    description: &'static str,
    parameters: &'static [Parameter],
    pub(super) run: Run,
}

/// What a tool does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Run {
    /// It only looks.
    Look(fn(&World, &Arguments) -> Result<Answer, Exception>),
    /// It changes something.
    Change(fn(&mut World, &Arguments) -> Result<Answer, Exception>),
}

/// An argument that a tool takes.
#[derive(Clone, Copy, Debug)]
struct Parameter {
    name: &'static str,
    description: &'static str,
    kind: &'static str,
    is_required: bool,
    is_pattern: bool,
}

const fn text(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, description, kind: "string", is_required: false, is_pattern: false }
}

/// Text that has to be there.
const fn wanted(name: &'static str, description: &'static str) -> Parameter {
    Parameter { is_required: true, ..text(name, description) }
}

/// Text that is searched for as a regular expression.
const fn pattern(name: &'static str, description: &'static str) -> Parameter {
    Parameter { is_pattern: true, ..text(name, description) }
}

const fn number(name: &'static str, description: &'static str) -> Parameter {
    Parameter { kind: "integer", ..text(name, description) }
}

const PAGE: Parameter = number("page", "The page of results to show, from 1");
const PAGE_SIZE: Parameter = number("page_size", "How many results a page has; 5 if left out");

const EMAIL_ID: Parameter = wanted("email_id", "The id of the e-mail");
const EVENT_ID: Parameter = wanted("event_id", "The id of the event, 8 digits");
const TASK_ID: Parameter = wanted("task_id", "The id of the task, 8 digits");
const CUSTOMER_ID: Parameter = wanted("customer_id", "The id of the customer, 8 digits");
const SINCE: Parameter = text("time_min", "The first day to count, as YYYY-MM-DD");
const UNTIL: Parameter = text("time_max", "The last day to count, as YYYY-MM-DD");

const EMAIL_FIELD: &str = "The field to tell: 'email_id', 'inbox/outbox', 'sender/recipient', \
    'subject', 'sent_datetime' or 'body'";
const EVENT_FIELD: &str = "The field to tell: 'event_id', 'event_name', 'participant_email', \
    'event_start' or 'duration'";
const EVENT_CHANGE: &str =
    "The field to change: 'event_name', 'participant_email', 'event_start' or 'duration'";
const TASK_FIELD: &str = "The field to tell: 'task_id', 'task_name', 'assigned_to_email', \
    'list_name', 'due_date' or 'board'";
const TASK_CHANGE: &str = "The field to change: 'task_name', 'assigned_to_email', 'list_name', \
    'due_date' or 'board'";
const CUSTOMER_CHANGE: &str = "The field to change: 'customer_name', 'assigned_to_email', \
    'customer_email', 'customer_phone', 'last_contact_date', 'product_interest', 'status', 'notes' \
    or 'follow_up_by'";
const LIST: &str = "The list: 'Backlog', 'In Progress', 'In Review' or 'Completed'";
const BOARD: &str = "The board: 'Back end', 'Front end' or 'Design'";
const STATUS: &str = "The status: 'Qualified', 'Won', 'Lost', 'Lead' or 'Proposal'";
const INTEREST: &str =
    "The interest: 'Software', 'Hardware', 'Services', 'Consulting' or 'Training'";
const PLOTTED: &str = "What to plot: 'total_visits', 'session_duration_seconds', 'user_engaged', \
    'visits_direct', 'visits_referral', 'visits_search_engine' or 'visits_social_media'";

/// All tools, in the order in which models read of them.
static TOOLS: [Entry; 27] = [
    Entry {
        name: "company_directory_find_email_address",
        function: "CompanyDirectoryTool.find_email_address",
        description: "Finds the e-mail addresses of colleagues by a part of their name.",
        parameters: &[pattern("name", "A name, or a part of one")],
        run: Run::Look(directory::find_email_address),
    },
    Entry {
        name: "email_get_email_information_by_id",
        function: "EmailTool.get_email_information_by_id",
        description: "Tells one field of an e-mail.",
        parameters: &[EMAIL_ID, wanted("field", EMAIL_FIELD)],
        run: Run::Look(email::get_email_information_by_id),
    },
    Entry {
        name: "email_search_emails",
        function: "EmailTool.search_emails",
        description: "Finds e-mails in whose subject, body or correspondent all words of a query occur, \
            the newest first.",
        parameters: &[
            text("query", "The words to look for"),
            text("date_min", "The first day on which it may have been sent, as YYYY-MM-DD"),
            text("date_max", "The last day on which it may have been sent, as YYYY-MM-DD"),
            PAGE,
            PAGE_SIZE,
        ],
        run: Run::Look(email::search_emails),
    },
    Entry {
        name: "email_send_email",
        function: "EmailTool.send_email",
        description: "Sends an e-mail.",
        parameters: &[
            wanted("recipient", "The address to send it to"),
            wanted("subject", "Its subject"),
            wanted("body", "Its text"),
        ],
        run: Run::Change(email::send_email),
    },
    Entry {
        name: "email_delete_email",
        function: "EmailTool.delete_email",
        description: "Deletes an e-mail.",
        parameters: &[EMAIL_ID],
        run: Run::Change(email::delete_email),
    },
    Entry {
        name: "email_forward_email",
        function: "EmailTool.forward_email",
        description: "Forwards an e-mail.",
        parameters: &[EMAIL_ID, wanted("recipient", "The address to forward it to")],
        run: Run::Change(email::forward_email),
    },
    Entry {
        name: "email_reply_email",
        function: "EmailTool.reply_email",
        description: "Replies to an e-mail.",
        parameters: &[EMAIL_ID, wanted("body", "The text of the reply")],
        run: Run::Change(email::reply_email),
    },
    Entry {
        name: "calendar_get_event_information_by_id",
        function: "CalendarTool.get_event_information_by_id",
        description: "Tells one field of an event.",
        parameters: &[EVENT_ID, wanted("field", EVENT_FIELD)],
        run: Run::Look(calendar::get_event_information_by_id),
    },
    Entry {
        name: "calendar_search_events",
        function: "CalendarTool.search_events",
        description: "Finds events by name or participant, the latest first.",
        parameters: &[
            pattern("query", "A part of the event's name or of the participant's address"),
            text("time_min", "The earliest start, as YYYY-MM-DD HH:MM:SS"),
            text("time_max", "The latest start, as YYYY-MM-DD HH:MM:SS"),
            PAGE,
            PAGE_SIZE,
        ],
        run: Run::Look(calendar::search_events),
    },
    Entry {
        name: "calendar_create_event",
        function: "CalendarTool.create_event",
        description: "Creates an event, and tells its id.",
        parameters: &[
            wanted("event_name", "The name of the event"),
            wanted("participant_email", "The address of the participant"),
            wanted("event_start", "When it starts, as YYYY-MM-DD HH:MM:SS"),
            wanted("duration", "How many minutes it takes"),
        ],
        run: Run::Change(calendar::create_event),
    },
    Entry {
        name: "calendar_delete_event",
        function: "CalendarTool.delete_event",
        description: "Deletes an event.",
        parameters: &[EVENT_ID],
        run: Run::Change(calendar::delete_event),
    },
    Entry {
        name: "calendar_update_event",
        function: "CalendarTool.update_event",
        description: "Changes one field of an event.",
        parameters: &[
            EVENT_ID,
            wanted("field", EVENT_CHANGE),
            wanted("new_value", "The new value of the field"),
        ],
        run: Run::Change(calendar::update_event),
    },
    Entry {
        name: "analytics_get_visitor_information_by_id",
        function: "AnalyticsTool.get_visitor_information_by_id",
        description: "Tells all visits of a visitor to the web site.",
        parameters: &[wanted("visitor_id", "The id of the visitor, 4 digits")],
        run: Run::Look(analytics::get_visitor_information_by_id),
    },
    Entry {
        name: "analytics_create_plot",
        function: "AnalyticsTool.create_plot",
        description: "Plots the visits of some days, and tells the plot's file.",
        parameters: &[
            wanted("time_min", "The first day to plot, as YYYY-MM-DD"),
            wanted("time_max", "The last day to plot, as YYYY-MM-DD"),
            wanted("value_to_plot", PLOTTED),
            wanted("plot_type", "How to plot it: 'bar', 'line', 'scatter' or 'histogram'"),
        ],
        run: Run::Change(analytics::create_plot),
    },
    Entry {
        name: "analytics_total_visits_count",
        function: "AnalyticsTool.total_visits_count",
        description: "Counts the visits of each day.",
        parameters: &[SINCE, UNTIL],
        run: Run::Look(analytics::total_visits_count),
    },
    Entry {
        name: "analytics_engaged_users_count",
        function: "AnalyticsTool.engaged_users_count",
        description: "Counts the engaged visitors of each day.",
        parameters: &[SINCE, UNTIL],
        run: Run::Look(analytics::engaged_users_count),
    },
    Entry {
        name: "analytics_traffic_source_count",
        function: "AnalyticsTool.traffic_source_count",
        description: "Counts the visits of each day that came from one source.",
        parameters: &[
            SINCE,
            UNTIL,
            text(
                "traffic_source",
                "The source: 'direct', 'referral', 'search engine' or 'social media'",
            ),
        ],
        run: Run::Look(analytics::traffic_source_count),
    },
    Entry {
        name: "analytics_get_average_session_duration",
        function: "AnalyticsTool.get_average_session_duration",
        description: "Tells how many seconds the visits of each day took on average.",
        parameters: &[SINCE, UNTIL],
        run: Run::Change(analytics::get_average_session_duration),
    },
    Entry {
        name: "project_management_get_task_information_by_id",
        function: "ProjectManagementTool.get_task_information_by_id",
        description: "Tells one field of a task.",
        parameters: &[TASK_ID, wanted("field", TASK_FIELD)],
        run: Run::Look(project::get_task_information_by_id),
    },
    Entry {
        name: "project_management_search_tasks",
        function: "ProjectManagementTool.search_tasks",
        description: "Finds tasks by any of their fields.",
        parameters: &[
            pattern("task_name", "A part of the task's name"),
            text("assigned_to_email", "The address of the person that it is assigned to"),
            pattern("list_name", "The list that it is in"),
            pattern("due_date", "The day on which it is due, as YYYY-MM-DD"),
            pattern("board", "The board that it is on"),
        ],
        run: Run::Look(project::search_tasks),
    },
    Entry {
        name: "project_management_create_task",
        function: "ProjectManagementTool.create_task",
        description: "Creates a task, and tells its id.",
        parameters: &[
            wanted("task_name", "The name of the task"),
            wanted("assigned_to_email", "The address of the person that it is assigned to"),
            wanted("list_name", LIST),
            wanted("due_date", "The day on which it is due, as YYYY-MM-DD"),
            wanted("board", BOARD),
        ],
        run: Run::Change(project::create_task),
    },
    Entry {
        name: "project_management_delete_task",
        function: "ProjectManagementTool.delete_task",
        description: "Deletes a task.",
        parameters: &[TASK_ID],
        run: Run::Change(project::delete_task),
    },
    Entry {
        name: "project_management_update_task",
        function: "ProjectManagementTool.update_task",
        description: "Changes one field of a task.",
        parameters: &[
            TASK_ID,
            wanted("field", TASK_CHANGE),
            wanted("new_value", "The new value of the field"),
        ],
        run: Run::Change(project::update_task),
    },
    Entry {
        name: "customer_relationship_manager_search_customers",
        function: "CustomerRelationshipManagerTool.search_customers",
        description: "Finds customers by any of some fields.",
        parameters: &[
            pattern("customer_name", "A part of the customer's name"),
            pattern("customer_email", "A part of the customer's address"),
            pattern("product_interest", "What the customer is interested in"),
            pattern("status", "The status of the customer"),
            pattern("assigned_to_email", "The address of the person who looks after the customer"),
            text("last_contact_date_min", "The earliest last contact, as YYYY-MM-DD"),
            text("last_contact_date_max", "The latest last contact, as YYYY-MM-DD"),
            text("follow_up_by_min", "The earliest day of the follow-up, as YYYY-MM-DD"),
            text("follow_up_by_max", "The latest day of the follow-up, as YYYY-MM-DD"),
            PAGE,
            PAGE_SIZE,
        ],
        run: Run::Look(customers::search_customers),
    },
    Entry {
        name: "customer_relationship_manager_update_customer",
        function: "CustomerRelationshipManagerTool.update_customer",
        description: "Changes one field of a customer.",
        parameters: &[
            CUSTOMER_ID,
            wanted("field", CUSTOMER_CHANGE),
            wanted("new_value", "The new value of the field"),
        ],
        run: Run::Change(customers::update_customer),
    },
    Entry {
        name: "customer_relationship_manager_add_customer",
        function: "CustomerRelationshipManagerTool.add_customer",
        description: "Adds a customer, and tells the id.",
        parameters: &[
            wanted("customer_name", "The name of the customer"),
            wanted("assigned_to_email", "The address of the person who looks after the customer"),
            wanted("status", STATUS),
            text("customer_email", "The address of the customer"),
            text("customer_phone", "The telephone number of the customer"),
            text("last_contact_date", "The day of the last contact, as YYYY-MM-DD"),
            text("product_interest", INTEREST),
            text("notes", "Notes about the customer"),
            text("follow_up_by", "The day by which to follow up, as YYYY-MM-DD"),
        ],
        run: Run::Change(customers::add_customer),
    },
    Entry {
        name: "customer_relationship_manager_delete_customer",
        function: "CustomerRelationshipManagerTool.delete_customer",
        description: "Deletes a customer.",
        parameters: &[CUSTOMER_ID],
        run: Run::Change(customers::delete_customer),
    },
];

/// The tool of a name.
pub(super) fn find(name: &str) -> Option<&'static Entry> {
    TOOLS.iter().find(|tool| tool.name == name)
}

impl Entry {
    /// Whether Python would call the function at all. Arguments may be left out, all of them.
    pub(super) fn check(&self, arguments: &Arguments) -> Result<(), Exception> {
        let is_known = |name: &str| self.parameters.iter().any(|known| known.name == name);
        let Some(unknown) = arguments.names().find(|name| !is_known(name)) else { return Ok(()) };
        let function = self.function;
        Err(Exception(match unknown {
            "self" => format!("{function}() got multiple values for argument 'self'"),
            _ => format!("{function}() got an unexpected keyword argument '{unknown}'"),
        }))
    }

    /// Whether a call searches for what may take long.
    fn is_costly(&self, arguments: &Arguments) -> bool {
        self.parameters.iter().filter(|parameter| parameter.is_pattern).any(|parameter| {
            matches!(arguments.get(parameter.name), Json::String(text) if !filter::is_plain(text))
        })
    }

    /// What models are told about the arguments.
    fn schema(&self) -> Value {
        let property = |parameter: &Parameter| {
            let Parameter { name, description, kind, .. } = *parameter;
            (name.to_owned(), json!({ "type": kind, "description": description }))
        };
        let required = self.parameters.iter().filter(|parameter| parameter.is_required);
        let required: Vec<_> = required.map(|parameter| parameter.name).collect();
        let properties: Map<_, _> = self.parameters.iter().map(property).collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    fn error(&self, exception: &Exception) -> ToolError {
        error(self.name, &exception.0)
    }
}

/// What the model reads if a call raises an exception.
fn error(name: &str, message: &str) -> ToolError {
    let output = format!("Error executing tool '{name}': {message}");
    ToolError::text(json!({ "output": output }).to_string())
}

/// What the model reads that calls a tool which does not exist.
fn unknown(name: &str) -> ToolError {
    match name.contains('/') {
        true => ToolError::detail("Not Found"),
        false => error(name, &repr(&Json::String(name.into()))),
    }
}

/// Gives an environment all tools.
pub(super) fn fill(tools: &mut Tools<Workbench>) {
    for entry in &TOOLS {
        let tool = match entry.run {
            Run::Look(run) => tools.add_shared(
                entry.name,
                async move |environment: &Workbench, world: &World, arguments: Arguments| {
                    look(entry, run, environment, world, arguments).await
                },
            ),
            Run::Change(run) => tools.add(
                entry.name,
                async move |_: &Workbench, world: &mut World, arguments: Arguments| {
                    let arguments = arguments.without_nulls();
                    let answer = entry.check(&arguments).and_then(|()| run(world, &arguments));
                    let answer = answer.map_err(|exception| entry.error(&exception))?;
                    Ok(Output { output: answer })
                },
            ),
        };
        tool.described(entry.description).offered(entry.schema()).lenient();
    }
    tools.on_unknown(unknown);
}

async fn look(
    entry: &'static Entry,
    run: fn(&World, &Arguments) -> Result<Answer, Exception>,
    environment: &Workbench,
    world: &World,
    arguments: Arguments,
) -> Result<Output, ToolError> {
    let arguments = arguments.without_nulls();
    entry.check(&arguments).map_err(|exception| entry.error(&exception))?;
    let answer = if entry.is_costly(&arguments) {
        let world = world.clone();
        environment.cpu.run(move || run(&world, &arguments)).await
    } else {
        run(world, &arguments)
    };
    answer.map(|output| Output { output }).map_err(|exception| entry.error(&exception))
}
