//! Calls, other calls, and whether both lead to the same state.

use super::{CREATE, DELETE_MAIL, HELLO, SEND};

/// What was made, what was wanted, and whether it comes to the same.
pub(super) type Comparison =
    (&'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)], bool);

const DELETE_OTHER: (&str, &str) = ("email_delete_email", r#"{"email_id":"00000002"}"#);
const SEND_HELLO: (&str, &str) = (SEND, HELLO);
const SEND_OTHER: (&str, &str) = (SEND, r#"{"recipient":"a@b.c","subject":"Other","body":"x"}"#);
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

pub(super) const COMPARISONS: [Comparison; 27] = [
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
