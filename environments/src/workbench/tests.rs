//! The office through its tools: a few rows of its own, so that every answer can be read here.

mod answers;
mod comparisons;

use std::fmt::Write as _;

use framework::environment::{Reward, Trial};
use framework::kinds::Kinds;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Workbench;
use crate::trials;
use answers::{ANSWERS, REFUSALS};
use comparisons::COMPARISONS;

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

const DELETE_MAIL: (&str, &str) = ("email_delete_email", r#"{"email_id":"00000000"}"#);
const CREATE: &str = "calendar_create_event";
const SEND: &str = "email_send_email";
const HELLO: &str = r#"{"recipient":"Cy@Mail.Example","subject":"Hi","body":"Hello"}"#;

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
    for (tool, arguments, expected) in ANSWERS {
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
async fn a_thousand_calls_are_replayed_like_a_few() {
    let office = Office::new();
    let many = vec![(SEND, HELLO); 1000];
    assert_eq!(office.reward(&many, &many).await, Reward::ONE);
    assert_eq!(office.reward(&many, &many[1..]).await, Reward::ZERO);
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

#[test]
fn models_are_offered_27_tools_of_which_arguments_may_be_left_out() {
    let tools = crate::register(Kinds::new()).tools("workbench").unwrap();
    let tools: Vec<Value> = serde_json::from_str(tools.get()).unwrap();
    assert_eq!(tools.len(), 27);
    for tool in &tools {
        assert_eq!(tool["strict"], false, "{tool}");
        assert_eq!(tool["parameters"]["additionalProperties"], false, "{tool}");
    }
    let search = tools.iter().find(|tool| tool["name"] == "email_search_emails").unwrap();
    let properties = search["parameters"]["properties"].as_object().unwrap();
    let names: Vec<_> = properties.keys().collect();
    assert_eq!(names, ["query", "date_min", "date_max", "page", "page_size"]);
    assert_eq!(search["parameters"]["required"], json!([]));
    assert_eq!(properties["page"]["type"], "integer");
    let send = tools.iter().find(|tool| tool["name"] == SEND).unwrap();
    assert_eq!(send["parameters"]["required"], json!(["recipient", "subject", "body"]));
}

#[tokio::test]
async fn a_number_that_json_has_not_is_refused_in_a_session_and_counts_in_the_reward() {
    let office = Office::new();
    let mail = r#"{"recipient":"a@b.c","subject":"Hi","body":NaN}"#;
    let answer = office.open(&[]).await.call(SEND, mail).await;
    assert!(answer.contains("Out of range float values are not JSON compliant"), "{answer}");
    assert_eq!(office.reward(&[(SEND, mail)], &[(SEND, mail)]).await, Reward::ONE);
    assert_eq!(office.reward(&[(SEND, mail)], &[]).await, Reward::ZERO);
}

#[tokio::test]
async fn the_gold_answers_earn_1_and_silence_earns_less() {
    trials::gold_answers_earn_1::<Workbench>().await;
    trials::silence_earns_less::<Workbench>().await;
}
