//! The office through its tools: a few rows of its own, so that every answer can be read here.

use std::fmt::Write as _;

use framework::environment::{Reward, Trial};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Workbench;
use crate::trials;

/// The files of a small office.
const FILES: [(&str, &str); 6] = [
    (
        "emails.csv",
        "email_id,inbox/outbox,sender/recipient,subject,sent_datetime,body
00000002,inbox,ann.lee@acme.example,Budget,2023-10-01 09:00:00,\"Hi,\\n\\nsee the BUDGET\"
00000000,inbox,bob.ray@acme.example,Trip to Rome,2023-11-15 12:00:00,When?
00000001,inbox,ann.lee@acme.example,Budget again,2023-11-30 10:00:00,
",
    ),
    (
        "calendar_events.csv",
        "event_id,event_name,participant_email,event_start,duration
00000001,Sync,ann.lee@acme.example,2023-11-29 09:00:00,30
00000000,Review,bob.ray@acme.example,2023-12-01 10:30:00,60
00000002,Team sync,bob.ray@acme.example,2023-12-04 15:00:00,120
",
    ),
    (
        "analytics_data.csv",
        "date_of_visit,visitor_id,page_views,session_duration_seconds,traffic_source,user_engaged
2023-11-02,0007,3,4,direct,True
2023-11-01,0007,1,10,referral,False
2023-11-02,0042,2,5,direct,False
2023-11-03,0043,2,0,search engine,False
",
    ),
    (
        "project_tasks.csv",
        "task_id,task_name,assigned_to_email,list_name,due_date,board
00000001,Fix login,ann.lee@acme.example,Backlog,2023-11-30,Back end
00000000,Draw logo,bob.ray@acme.example,In Review,2023-12-05,Design
",
    ),
    (
        "customer_relationship_manager_data.csv",
        "customer_id,assigned_to_email,customer_name,customer_email,customer_phone,last_contact_date,product_interest,status,follow_up_by,notes
00000001,ann.lee@acme.example,Ada Øst,ada@ost,,2023-11-30 23:59:00,Software,Lead,2023-12-20 23:59:00,2023-11-01: Called. 
00000000,bob.ray@acme.example,Bo Li,bo.li@li,555-1,2023-10-09 23:59:00,Hardware,Won,2023-12-01 23:59:00,
",
    ),
    ("email_addresses.csv", "ann.lee@acme.example\nbob.ray@acme.example\n"),
];

/// A small office, and a row that expects some calls.
struct Office {
    folder: TempDir,
}

impl Office {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in FILES {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        Self { folder }
    }

    fn settings(&self) -> String {
        json!({ "data_dir": self.folder.path() }).to_string()
    }

    async fn open(&self, truth: &[(&str, &str)]) -> Trial<Workbench> {
        Trial::open(&self.settings(), &row(truth)).await.unwrap()
    }

    /// What the model reads after each of some calls, without its envelope.
    async fn answers(&self, calls: &[(&str, &str)]) -> Vec<Value> {
        let mut trial = self.open(&[]).await;
        let mut answers = Vec::new();
        for (tool, arguments) in calls {
            let answer: Value = serde_json::from_str(&trial.call(tool, arguments).await).unwrap();
            answers.push(answer["output"].clone());
        }
        answers
    }

    async fn answer(&self, tool: &str, arguments: &str) -> Value {
        self.answers(&[(tool, arguments)]).await.remove(0)
    }

    async fn reward(&self, made: &[(&str, &str)], truth: &[(&str, &str)]) -> Reward {
        let mut trial = self.open(truth).await;
        for (tool, arguments) in made {
            trial.call(tool, arguments).await;
        }
        trial.verify().await.unwrap().reward
    }
}

fn row(truth: &[(&str, &str)]) -> String {
    let call = |(name, arguments): &(&str, &str)| json!({ "name": name, "arguments": arguments });
    json!({
        "responses_create_params": { "input": "?" },
        "id": 0,
        "ground_truth": truth.iter().map(call).collect::<Vec<_>>(),
        "category": "workbench_email",
        "environment_name": "workbench",
    })
    .to_string()
}

const SEND: &str = "email_send_email";
const HELLO: &str = r#"{"recipient":"Cy@Mail.Example","subject":"Hi","body":"Hello"}"#;

/// A tool, its arguments, and what it answers.
type Case = (&'static str, &'static str, &'static str);

const REFUSALS: [Case; 49] = [
    ("company_directory_find_email_address", "{}", "Name not provided."),
    (
        "company_directory_find_email_address",
        r#"{"name":5}"#,
        "Error executing tool 'company_directory_find_email_address': 'int' object has no attribute 'lower'",
    ),
    ("email_get_email_information_by_id", r#"{"field":"body"}"#, "Email ID not provided."),
    ("email_get_email_information_by_id", r#"{"email_id":"00000001"}"#, "Field not provided."),
    ("email_get_email_information_by_id", r#"{"email_id":"1","field":"x"}"#, "Email not found."),
    (
        "email_get_email_information_by_id",
        r#"{"email_id":"00000001","field":"x"}"#,
        "Field 'x' not found. Available fields: email_id, inbox/outbox, sender/recipient, subject, sent_datetime, body",
    ),
    ("email_search_emails", r#"{"query":"nothing at all"}"#, "No emails found."),
    (
        "email_search_emails",
        r#"{"query":5}"#,
        "Error searching emails: 'int' object has no attribute 'lower'",
    ),
    (
        "email_search_emails",
        r#"{"page_size":0}"#,
        "Error searching emails: integer division or modulo by zero",
    ),
    (
        "email_search_emails",
        r#"{"date_min":"garbage"}"#,
        "Error searching emails: Unknown datetime string format, unable to parse: garbage",
    ),
    (
        "email_search_emails",
        r#"{"date_max":"2023-99-99"}"#,
        "Error searching emails: month must be in 1..12: 2023-99-99",
    ),
    (
        "email_send_email",
        r#"{"recipient":"a@b.c","subject":"Hi","body":""}"#,
        "Recipient, subject, or body not provided.",
    ),
    (
        "email_send_email",
        r#"{"recipient":"a@b","subject":"Hi","body":"x"}"#,
        "Invalid recipient email address.",
    ),
    ("email_delete_email", "{}", "Email ID not provided."),
    ("email_delete_email", r#"{"email_id":"9"}"#, "Email not found."),
    ("email_forward_email", r#"{"email_id":"00000001"}"#, "Email ID or recipient not provided."),
    (
        "email_forward_email",
        r#"{"email_id":"9","recipient":"ab"}"#,
        "Invalid recipient email address.",
    ),
    ("email_forward_email", r#"{"email_id":"9","recipient":"a@b.c"}"#, "Email not found."),
    ("email_reply_email", r#"{"email_id":"00000001"}"#, "Email ID or body not provided."),
    ("email_reply_email", r#"{"email_id":"9","body":"x"}"#, "Email not found."),
    (
        "calendar_get_event_information_by_id",
        r#"{"event_id":"1","field":"x"}"#,
        "Invalid event ID format. Expected 8-digit ID.",
    ),
    (
        "calendar_get_event_information_by_id",
        r#"{"event_id":"00000009","field":"x"}"#,
        "Invalid field. Available fields are: event_id, event_name, participant_email, event_start, duration",
    ),
    (
        "calendar_get_event_information_by_id",
        r#"{"event_id":"٠٠٠٠٠٠٠٩","field":"duration"}"#,
        "Event not found.",
    ),
    (
        "calendar_search_events",
        r#"{"time_min":"tomorrow"}"#,
        "Invalid time_min format. Expected YYYY-MM-DD HH:MM:SS.",
    ),
    (
        "calendar_search_events",
        r#"{"query":"("}"#,
        "Error executing tool 'calendar_search_events': missing ), unterminated subpattern at position 0",
    ),
    (
        "calendar_search_events",
        r#"{"time_min":"2023-12-01T00:00:00Z"}"#,
        "Error executing tool 'calendar_search_events': Cannot compare tz-naive and tz-aware timestamps",
    ),
    ("calendar_create_event", "{}", "Event name not provided."),
    (
        "calendar_create_event",
        r#"{"event_name":"x","participant_email":"a","event_start":"foo","duration":"0"}"#,
        "Invalid event_start format. Expected YYYY-MM-DD HH:MM:SS.",
    ),
    (
        "calendar_create_event",
        r#"{"event_name":"x","participant_email":"a","event_start":"2023-12-01","duration":"-5"}"#,
        "Duration must be a positive number of minutes.",
    ),
    (
        "calendar_create_event",
        r#"{"event_name":"x","participant_email":"a","event_start":"2023-12-01","duration":"1.5"}"#,
        "Invalid duration format. Expected a number of minutes.",
    ),
    (
        "calendar_create_event",
        r#"{"event_name":"x","participant_email":"a","event_start":"2023-12-01","duration":[3]}"#,
        "Error executing tool 'calendar_create_event': int() argument must be a string, a bytes-like object or a real number, not 'list'",
    ),
    (
        "calendar_update_event",
        r#"{"event_id":"00000001","field":"event_id","new_value":"x"}"#,
        "Invalid field. Available fields are: event_name, participant_email, event_start, duration",
    ),
    ("calendar_delete_event", r#"{"event_id":"00000007"}"#, "Event not found."),
    ("analytics_get_visitor_information_by_id", r#"{"visitor_id":"7"}"#, "Visitor not found."),
    ("analytics_create_plot", r#"{"time_min":"x"}"#, "End date not provided."),
    (
        "analytics_create_plot",
        r#"{"time_min":"x","time_max":"y"}"#,
        "Value to plot must be one of 'total_visits', 'session_duration_seconds', 'user_engaged', 'visits_direct', 'visits_referral', 'visits_search_engine', 'visits_social_media'",
    ),
    (
        "analytics_total_visits_count",
        r#"{"time_min":20231101}"#,
        "Error executing tool 'analytics_total_visits_count': '>=' not supported between instances of 'str' and 'int'",
    ),
    ("project_management_search_tasks", "{}", "No search parameters provided."),
    (
        "project_management_search_tasks",
        r#"{"assigned_to_email":"ann"}"#,
        "Invalid email format for assigned_to_email.",
    ),
    ("project_management_create_task", r#"{"task_name":"x"}"#, "Missing task details."),
    (
        "project_management_create_task",
        r#"{"task_name":"x","assigned_to_email":"cy@acme.example","list_name":"Backlog","due_date":"soon","board":"Design"}"#,
        "Assignee email not valid. Please choose from the list of team members.",
    ),
    (
        "project_management_create_task",
        r#"{"task_name":"x","assigned_to_email":"Ann.Lee@acme.example","list_name":"backlog","due_date":"soon","board":"Design"}"#,
        "List not valid. Please choose from: 'Backlog', 'In Progress', 'In Review', 'Completed'.",
    ),
    (
        "project_management_update_task",
        r#"{"task_id":"9","field":"board","new_value":"design"}"#,
        "Board not valid. Please choose from: 'Back end', 'Front end', 'Design'.",
    ),
    (
        "project_management_update_task",
        r#"{"task_id":"00000001","field":"colour","new_value":"red"}"#,
        "Field not valid.",
    ),
    (
        "customer_relationship_manager_search_customers",
        r#"{"page":2}"#,
        "No search parameters provided. Please provide at least one parameter.",
    ),
    (
        "customer_relationship_manager_search_customers",
        r#"{"last_contact_date_min":"2023-11-30","last_contact_date_max":"2023-11-30"}"#,
        "No customers found.",
    ),
    (
        "customer_relationship_manager_update_customer",
        r#"{"customer_id":"9","field":"status","new_value":"lead"}"#,
        "Status not valid. Please choose from: 'Qualified', 'Won', 'Lost', 'Lead', 'Proposal'",
    ),
    (
        "customer_relationship_manager_add_customer",
        r#"{"customer_name":"x","status":"Lead"}"#,
        "Please provide all required fields: customer_name, assigned_to_email, status.",
    ),
    ("nope", "{}", "Error executing tool 'nope': 'nope'"),
];

#[tokio::test]
async fn what_a_tool_refuses_it_refuses_in_the_words_of_the_original() {
    let office = Office::new();
    for (tool, arguments, expected) in REFUSALS {
        assert_eq!(office.answer(tool, arguments).await, expected, "{tool} {arguments}");
    }
}

#[tokio::test]
async fn answers_have_the_texts_that_models_of_the_original_read() {
    let office = Office::new();
    let mut trial = office.open(&[]).await;
    for (tool, arguments, expected) in [
        (
            "company_directory_find_email_address",
            r#"{"name":"LEE|ray"}"#,
            r#"{"output":["ann.lee@acme.example","bob.ray@acme.example"]}"#,
        ),
        ("company_directory_find_email_address", r#"{"name":"zoe"}"#, r#"{"output":[]}"#),
        (
            "email_get_email_information_by_id",
            r#"{"email_id":"00000001","field":"body"}"#,
            r#"{"output":{"body":null}}"#,
        ),
        (
            "email_search_emails",
            r#"{"query":"budget ann","page_size":1,"date_min":null}"#,
            r#"{"output":{"emails":[{"email_id":"00000001","inbox/outbox":"inbox","sender/recipient":"ann.lee@acme.example","subject":"Budget again","sent_datetime":"2023-11-30 10:00:00","body":null}],"pagination":{"total_emails":2,"page":1,"page_size":1,"total_pages":2}}}"#,
        ),
        (
            "calendar_search_events",
            r#"{"query":"sync","time_min":"12/01/2023"}"#,
            r#"{"output":{"events":[{"event_id":"00000002","event_name":"Team sync","participant_email":"bob.ray@acme.example","event_start":"2023-12-04 15:00:00","duration":"120"}],"pagination":{"total_events":1,"page":1,"page_size":5,"total_pages":1}}}"#,
        ),
        (
            "analytics_total_visits_count",
            "{}",
            r#"{"output":{"2023-11-01":1,"2023-11-02":2,"2023-11-03":1}}"#,
        ),
        (
            "analytics_engaged_users_count",
            r#"{"time_min":"2023-11-02"}"#,
            r#"{"output":{"2023-11-02":1,"2023-11-03":0}}"#,
        ),
        (
            "analytics_traffic_source_count",
            r#"{"traffic_source":"direct","time_max":"2023-11-02"}"#,
            r#"{"output":{"2023-11-01":0,"2023-11-02":2}}"#,
        ),
        ("analytics_total_visits_count", r#"{"time_min":"2024"}"#, r#"{"output":{}}"#),
        (
            "analytics_get_average_session_duration",
            r#"{"time_min":"2023-11-02"}"#,
            r#"{"output":{"2023-11-02":4.5,"2023-11-03":0.0}}"#,
        ),
        (
            "analytics_create_plot",
            r#"{"time_min":"a","time_max":7,"value_to_plot":"user_engaged","plot_type":"bar"}"#,
            r#"{"output":"plots/a_7_user_engaged_bar.png"}"#,
        ),
        (
            "project_management_search_tasks",
            r#"{"board":"END$","assigned_to_email":"ANN.LEE@acme.example"}"#,
            r#"{"output":[{"task_id":"00000001","task_name":"Fix login","assigned_to_email":"ann.lee@acme.example","list_name":"Backlog","due_date":"2023-11-30","board":"Back end"}]}"#,
        ),
        (
            "customer_relationship_manager_search_customers",
            r#"{"customer_name":"ø"}"#,
            r#"{"output":{"customers":[{"customer_id":"00000001","assigned_to_email":"ann.lee@acme.example","customer_name":"Ada Øst","customer_email":"ada@ost","customer_phone":null,"last_contact_date":"2023-11-30 23:59:00","product_interest":"Software","status":"Lead","follow_up_by":"2023-12-20 23:59:00","notes":"2023-11-01: Called. "}],"pagination":{"total_customers":1,"page":1,"page_size":5,"total_pages":1}}}"#,
        ),
        (
            "email_send_email",
            r#"{"recipient":"a@b.c","to":"x"}"#,
            r#"{"output":"Error executing tool 'email_send_email': EmailTool.send_email() got an unexpected keyword argument 'to'"}"#,
        ),
        ("a/b", "{}", r#"{"detail":"Not Found"}"#),
        (
            "email_delete_email",
            "[1]",
            r#"{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":[1]}]}"#,
        ),
        (
            "email_delete_email",
            "id=1",
            r#"{"error": "Invalid tool call arguments: JSONDecodeError('Expecting value: line 1 column 1 (char 0)')"}"#,
        ),
    ] {
        assert_eq!(trial.call(tool, arguments).await, expected, "{tool} {arguments}");
    }
}

#[tokio::test]
async fn sending_numbers_mails_by_their_largest_id_as_text() {
    let office = Office::new();
    let get = "email_get_email_information_by_id";
    let answers = office
        .answers(&[
            (SEND, HELLO),
            (get, r#"{"email_id":"3","field":"sender/recipient"}"#),
            ("email_reply_email", r#"{"email_id":"3","body":"Again"}"#),
            (get, r#"{"email_id":"4","field":"subject"}"#),
            ("email_forward_email", r#"{"email_id":"00000000","recipient":"x@y.z"}"#),
            (get, r#"{"email_id":"5","field":"body"}"#),
            (get, r#"{"email_id":"5","field":"sent_datetime"}"#),
        ])
        .await;
    let expected = [
        json!("Email sent successfully."),
        json!({ "sender/recipient": "cy@mail.example" }),
        json!("Email replied successfully."),
        json!({ "subject": "RE: Hi" }),
        json!("Email forwarded successfully."),
        json!({ "body": "When?" }),
        json!({ "sent_datetime": "2023-11-30 23:59:00" }),
    ];
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn an_average_without_bounds_turns_durations_into_numbers() {
    let office = Office::new();
    let (average, visitor) =
        ("analytics_get_average_session_duration", "analytics_get_visitor_information_by_id");
    let answers = office
        .answers(&[
            (average, r#"{"time_max":"2023-11-02"}"#),
            (visitor, r#"{"visitor_id":"0042"}"#),
            (average, "{}"),
            (visitor, r#"{"visitor_id":"0042"}"#),
        ])
        .await;
    assert_eq!(answers[1][0]["session_duration_seconds"], "5");
    assert_eq!(answers[1][0]["user_engaged"], false);
    assert_eq!(answers[3][0]["session_duration_seconds"], 5.0);
}

#[tokio::test]
async fn an_id_that_is_no_number_is_in_the_way_of_the_next() {
    let office = Office::new();
    let task = r#"{"task_name":"x","assigned_to_email":"ann.lee@acme.example","list_name":"Backlog","due_date":"soon","board":"Design"}"#;
    let answers = office
        .answers(&[
            ("project_management_create_task", task),
            (
                "project_management_update_task",
                r#"{"task_id":"00000001","field":"task_id","new_value":"it's"}"#,
            ),
            ("project_management_create_task", task),
        ])
        .await;
    assert_eq!(answers[0], "00000002");
    assert_eq!(
        answers[2],
        "Error executing tool 'project_management_create_task': invalid literal for int() with base 10: \"it's\""
    );
}

#[tokio::test]
async fn a_customer_without_an_interest_is_in_the_way_of_searches_for_one() {
    let office = Office::new();
    let search = "customer_relationship_manager_search_customers";
    let answers = office
        .answers(&[
            (
                "customer_relationship_manager_add_customer",
                r#"{"customer_name":"Cy","assigned_to_email":"ANN@x","status":"new"}"#,
            ),
            (search, r#"{"product_interest":"software"}"#),
            (search, r#"{"customer_name":"ada","product_interest":"software"}"#),
        ])
        .await;
    assert_eq!(answers[0], "00000002");
    let expected = "Cannot mask with non-boolean array containing NA / NaN values";
    assert_eq!(answers[1], format!("Error executing tool '{search}': {expected}"));
    assert_eq!(answers[2]["pagination"]["total_customers"], 1);
}

/// What was made, what was wanted, and whether it comes to the same.
type Comparison =
    (&'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)], bool);

const DELETE_MAIL: (&str, &str) = ("email_delete_email", r#"{"email_id":"00000000"}"#);
const DELETE_OTHER: (&str, &str) = ("email_delete_email", r#"{"email_id":"00000002"}"#);
const SEND_HELLO: (&str, &str) = (SEND, HELLO);
const SEND_OTHER: (&str, &str) = (SEND, r#"{"recipient":"a@b.c","subject":"Other","body":"x"}"#);
const CREATE: &str = "calendar_create_event";
const EVENT: (&str, &str) = (
    CREATE,
    r#"{"event_name":"New","participant_email":"A@b.c","event_start":"2023-12-01 10:00:00","duration":"30"}"#,
);
const DELETE_EVENT: (&str, &str) = ("calendar_delete_event", r#"{"event_id":"00000001"}"#);
const DELETE_LAST_EVENT: (&str, &str) = ("calendar_delete_event", r#"{"event_id":"00000002"}"#);
const DELETE_NEW_EVENT: (&str, &str) = ("calendar_delete_event", r#"{"event_id":"00000003"}"#);
const ADD: &str = "customer_relationship_manager_add_customer";
const CUSTOMER: (&str, &str) =
    (ADD, r#"{"customer_name":"Cy","assigned_to_email":"a@b.c","status":"Lead"}"#);
const DELETE_CUSTOMER: (&str, &str) =
    ("customer_relationship_manager_delete_customer", r#"{"customer_id":"00000001"}"#);

const COMPARISONS: [Comparison; 27] = [
    (&[], &[], true),
    (&[("email_search_emails", "{}")], &[], true),
    (&[DELETE_MAIL, DELETE_OTHER], &[DELETE_OTHER, DELETE_MAIL], true),
    (&[DELETE_MAIL, DELETE_MAIL], &[DELETE_MAIL], true),
    (&[DELETE_MAIL, SEND_HELLO], &[SEND_HELLO, DELETE_MAIL], false),
    (&[DELETE_CUSTOMER, CUSTOMER], &[CUSTOMER, DELETE_CUSTOMER], false),
    (&[EVENT, DELETE_EVENT], &[DELETE_EVENT, EVENT], true),
    (&[DELETE_LAST_EVENT, EVENT], &[EVENT, DELETE_LAST_EVENT], false),
    (&[SEND_HELLO, SEND_OTHER], &[SEND_OTHER, SEND_HELLO], false),
    (&[EVENT, DELETE_NEW_EVENT], &[], true),
    (
        &[SEND_HELLO],
        &[(SEND, r#"{"recipient":"CY@MAIL.EXAMPLE","subject":"HI","body":"hellO"}"#)],
        true,
    ),
    (
        &[("email_reply_email", r#"{"email_id":"00000000","body":"So"}"#)],
        &[(
            SEND,
            r#"{"recipient":"bob.ray@acme.example","subject":"RE: Trip to Rome","body":"So"}"#,
        )],
        true,
    ),
    (
        &[EVENT],
        &[(
            CREATE,
            r#"{"event_name":"New","participant_email":"a@b.c","event_start":"2023-12-01 10:00:00","duration":30}"#,
        )],
        false,
    ),
    (
        &[(
            CREATE,
            r#"{"event_name":"New","participant_email":"a@b.c","event_start":"2023-12-01","duration":45}"#,
        )],
        &[(
            CREATE,
            r#"{"event_name":"New","participant_email":"a@b.c","event_start":"2023-12-01","duration":30}"#,
        )],
        true,
    ),
    (
        &[EVENT],
        &[(
            CREATE,
            r#"{"event_name":"New","participant_email":"a@b.c","event_start":"2023-12-01T10:00:00","duration":"30"}"#,
        )],
        false,
    ),
    (
        &[CUSTOMER],
        &[(ADD, r#"{"customer_name":"cy","assigned_to_email":"a@b.c","status":"lead"}"#)],
        false,
    ),
    (
        &[CUSTOMER],
        &[(ADD, r#"{"customer_name":"CY","assigned_to_email":"A@b.c","status":"Lead"}"#)],
        true,
    ),
    (
        &[CUSTOMER],
        &[(
            ADD,
            r#"{"customer_name":"Cy","assigned_to_email":"a@b.c","status":"Lead","notes":null}"#,
        )],
        false,
    ),
    (
        &[CUSTOMER],
        &[(
            ADD,
            r#"{"customer_name":"Cy","assigned_to_email":"a@b.c","status":"Lead","customer_email":""}"#,
        )],
        false,
    ),
    (
        &[CUSTOMER],
        &[(
            ADD,
            r#"{"customer_name":"Cy","assigned_to_email":"a@b.c","status":"Lead","customer_email":null}"#,
        )],
        true,
    ),
    (
        &[
            ("email_delete_email", "no JSON"),
            ("nope", "{}"),
            ("email_delete_email", r#"{"id":"00000000"}"#),
            ("email_delete_email", "[]"),
            DELETE_MAIL,
        ],
        &[DELETE_MAIL],
        true,
    ),
    (
        &[(
            "analytics_create_plot",
            r#"{"time_min":"A","time_max":"b","value_to_plot":"total_visits","plot_type":"bar"}"#,
        )],
        &[(
            "analytics_create_plot",
            r#"{"time_min":"a","time_max":"b","value_to_plot":"total_visits","plot_type":"bar"}"#,
        )],
        true,
    ),
    (
        &[(
            "analytics_create_plot",
            r#"{"time_min":"a","time_max":"b","value_to_plot":"total_visits","plot_type":"bar"}"#,
        )],
        &[],
        false,
    ),
    (&[("analytics_get_average_session_duration", "{}")], &[], true),
    (
        &[(
            "project_management_update_task",
            r#"{"task_id":"00000001","field":"list_name","new_value":"Completed"}"#,
        )],
        &[(
            "project_management_update_task",
            r#"{"task_id":"00000001","field":"list_name","new_value":"In Review"}"#,
        )],
        false,
    ),
    (
        &[(
            "calendar_update_event",
            r#"{"event_id":"00000001","field":"event_name","new_value":"SYNC"}"#,
        )],
        &[],
        true,
    ),
    (
        &[(
            "calendar_update_event",
            r#"{"event_id":"00000001","field":"event_name","new_value":"Synced"}"#,
        )],
        &[],
        false,
    ),
];

#[tokio::test]
async fn states_are_compared_with_their_labels_and_mostly_without_case() {
    let office = Office::new();
    for (made, wanted, same) in COMPARISONS {
        let reward = office.reward(made, wanted).await;
        assert_eq!(reward, Reward::earned(same), "{made:?} against {wanted:?}");
        assert_eq!(office.reward(wanted, &reference(made)).await, reward, "the other way round");
    }
}

/// Those of some calls that may stand in a row.
fn reference(calls: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let is_one = |call: &(&str, &str)| super::replay::Call::reference(call.0, call.1).is_ok();
    calls.iter().copied().filter(is_one).collect()
}

#[tokio::test]
async fn sessions_do_not_see_each_other() {
    let office = Office::new();
    let (mut first, mut second) = (office.open(&[]).await, office.open(&[]).await);
    first.call(DELETE_MAIL.0, DELETE_MAIL.1).await;
    let get = r#"{"email_id":"00000000","field":"subject"}"#;
    let tool = "email_get_email_information_by_id";
    assert_eq!(first.call(tool, get).await, r#"{"output":"Email not found."}"#);
    assert_eq!(second.call(tool, get).await, r#"{"output":{"subject":"Trip to Rome"}}"#);
}

#[tokio::test]
async fn a_row_that_asks_for_what_cannot_be_done_is_malformed() {
    let base: Value = serde_json::from_str(&row(&[])).unwrap();
    let with = |key: &str, value: Value| {
        let mut row = base.clone();
        row[key] = value;
        row.to_string()
    };
    let truth =
        |name: &str, arguments: &str| row(&[("email_delete_email", "{}"), (name, arguments)]);
    for (row, expected) in [
        (
            with("ground_truth", json!("email_delete_email()")),
            "`ground_truth`: Input should be a valid list",
        ),
        (
            with("ground_truth", json!([{ "name": "x" }])),
            "`ground_truth[0].arguments`: Field required",
        ),
        (
            with("ground_truth", json!([{ "name": "x", "arguments": {} }])),
            "`ground_truth[0].arguments`: Input should be a valid string",
        ),
        (with("id", json!("one")), "`id`: Input should be a valid integer"),
        (with("category", Value::Null), "`category`: Input should be a valid string"),
        (truth("email_erase", "{}"), "`ground_truth[1]`: there is no tool `email_erase`"),
        (
            truth("email_delete_email", "[1]"),
            "`ground_truth[1]`: `arguments` of `email_delete_email` is no JSON object",
        ),
        (
            truth("email_search_emails", r#"{"q":1}"#),
            "`ground_truth[1]`: EmailTool.search_emails() got an unexpected keyword argument 'q'",
        ),
    ] {
        let error = Trial::<Workbench>::open("{}", &row).await.err().unwrap().to_string();
        assert!(error.contains(expected), "{row}: {error}");
    }
    let numbered = with("id", json!("1"));
    assert!(Trial::<Workbench>::open("{}", &numbered).await.is_ok());
}

#[tokio::test]
async fn what_is_wrong_with_a_table_is_said_with_file_line_and_column() {
    for (file, from, to, expected) in [
        (
            "emails.csv",
            "email_id,",
            "id,",
            "emails.csv` line 1: the columns must be `email_id,inbox/outbox,",
        ),
        ("emails.csv", ",When?", "", "emails.csv` line 3: 6 cells are wanted, found 5"),
        (
            "emails.csv",
            "2023-11-15 12:00:00",
            "soon",
            "emails.csv` line 3, column `sent_datetime`: `soon` is no time",
        ),
        (
            "calendar_events.csv",
            "00000002",
            "",
            "calendar_events.csv` line 4, column `event_id`: a value is wanted",
        ),
        (
            "project_tasks.csv",
            "00000000",
            "zero",
            "project_tasks.csv` line 3, column `task_id`: an id must be a number, not `zero`",
        ),
        (
            "analytics_data.csv",
            ",10,",
            ",ten,",
            "analytics_data.csv` line 3, column `session_duration_seconds`: a number",
        ),
        (
            "analytics_data.csv",
            "direct,True",
            "direct,yes",
            "analytics_data.csv` line 2, column `user_engaged`: `True` or `False`",
        ),
        (
            "email_addresses.csv",
            "\n",
            ",\n",
            "email_addresses.csv` line 1: 1 cells are wanted, found 2",
        ),
        ("project_tasks.csv", "Fix", "\u{0}", ""),
    ] {
        let office = Office::new();
        let text = FILES.iter().find(|(name, _)| *name == file).unwrap().1.replacen(from, to, 1);
        std::fs::write(office.folder.path().join(file), text).unwrap();
        let opened = Trial::<Workbench>::open(&office.settings(), &row(&[])).await;
        let error = opened.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{file}: {error}");
    }
    let office = Office::new();
    std::fs::remove_file(office.folder.path().join("emails.csv")).unwrap();
    let error = Trial::<Workbench>::open(&office.settings(), &row(&[])).await.err().unwrap();
    assert!(error.to_string().contains("has no `emails.csv`"), "{error}");
    std::fs::write(office.folder.path().join("emails.csv"), b"\xff\xfe").unwrap();
    let error = Trial::<Workbench>::open(&office.settings(), &row(&[])).await.err().unwrap();
    assert!(error.to_string().contains("cannot read `"), "{error}");
}

#[tokio::test]
async fn the_folders_of_nemo_gyms_server_are_found() {
    let office = Office::new();
    for (file, text) in FILES {
        let folder =
            if file == "email_addresses.csv" { "csv_data/raw" } else { "csv_data/processed" };
        let folder = office.folder.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::remove_file(office.folder.path().join(file)).unwrap();
        std::fs::write(folder.join(file), text).unwrap();
    }
    let found = office.answer("company_directory_find_email_address", r#"{"name":"ann"}"#).await;
    assert_eq!(found, json!(["ann.lee@acme.example"]));
}

#[tokio::test]
async fn a_pattern_that_takes_for_ever_is_an_answer() {
    let office = Office::new();
    let long = format!(r#"{{"recipient":"a@b.c","subject":"s","body":"{}"}}"#, "b".repeat(10));
    let mut trial = office.open(&[]).await;
    trial.call(SEND, &long).await;
    let name = "a".repeat(5000);
    let mut event = String::new();
    write!(event, r#"{{"event_name":"{name}","participant_email":"a@b.c","event_start":"2023-12-01","duration":"5"}}"#).unwrap();
    trial.call(CREATE, &event).await;
    let query = json!({ "query": r"(?=(a+)+$)(a|aa)+\1b" }).to_string();
    let answer = trial.call("calendar_search_events", &query).await;
    assert!(answer.contains("takes too many steps"), "{answer}");
}

#[tokio::test]
async fn the_gold_answers_earn_1_and_silence_earns_less() {
    trials::gold_answers_earn_1::<Workbench>().await;
    trials::silence_earns_less::<Workbench>().await;
}
