//! Calls, and what the model reads after them.

/// A tool, its arguments, and what it answers.
pub(super) type Case = (&'static str, &'static str, &'static str);

pub(super) const REFUSALS: [Case; 49] = [
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

/// The whole text of answers.
pub(super) const ANSWERS: [Case; 17] = [
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
];
