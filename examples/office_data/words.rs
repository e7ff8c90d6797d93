//! Names and sentences of which the office is made.

/// First names of the staff; the first fifteen work on tasks, the others look after customers.
pub(crate) const STAFF: [(&str, &str); 20] = [
    ("ines", "falk"),
    ("tomas", "rivera"),
    ("mei", "okafor"),
    ("jonas", "lindqvist"),
    ("priya", "nair"),
    ("hugo", "marchand"),
    ("selma", "haddad"),
    ("kenji", "mori"),
    ("abena", "owusu"),
    ("viktor", "sokolov"),
    ("lucia", "romano"),
    ("rashid", "karimi"),
    ("freya", "dalgaard"),
    ("mateo", "quispe"),
    ("noor", "aziz"),
    ("gwen", "pritchard"),
    ("emeka", "balogun"),
    ("astrid", "vogel"),
    ("paulo", "teixeira"),
    ("hana", "novak"),
];
/// Whom mails are addressed to.
pub(crate) const OWNER: &str = "Robin";
pub(crate) const DOMAIN: &str = "brightwharf.example";

pub(crate) const EVENTS: [&str; 48] = [
    "Harbour Planning",
    "Weekly Stand-up",
    "Budget Walkthrough",
    "Pricing Workshop",
    "Release Rehearsal",
    "Customer Panel",
    "Design Critique",
    "Hiring Round",
    "Incident Review",
    "Roadmap Check",
    "Vendor Talk",
    "Security Drill",
    "Onboarding Tour",
    "Accessibility Clinic",
    "Data Quality Hour",
    "Quarter Kick-off",
    "Board Preparation",
    "Support Handover",
    "Analytics Briefing",
    "Campaign Review",
    "Architecture Forum",
    "Reading Circle",
    "Lunch and Learn",
    "Field Report",
    "Translation Check",
    "Partner Call",
    "Legal Update",
    "Prototype Demo",
    "Team Breakfast",
    "Research Readout",
    "Capacity Planning",
    "Feedback Session",
    "Contract Review",
    "Storage Migration",
    "Press Preparation",
    "Sales Forecast",
    "Testing Day",
    "Documentation Sprint",
    "Office Move",
    "Training Session",
    "Energy Audit",
    "Pairing Hour",
    "Payroll Question Time",
    "Retrospective",
    "Brand Evening",
    "Logistics Check",
    "Interview Practice",
    "Year in Review",
];

pub(crate) const BOARDS: [&str; 3] = ["Back end", "Front end", "Design"];
pub(crate) const LISTS: [&str; 4] = ["Backlog", "In Progress", "In Review", "Completed"];

/// What tasks are about, by board: what is done, and to what.
pub(crate) const WORK: [([&str; 4], [&str; 7]); 3] = [
    (
        ["Speed up", "Write tests for", "Add logging to", "Replace the library behind"],
        [
            "invoice export",
            "nightly backup",
            "search index",
            "rate limiter",
            "login service",
            "stock import",
            "mail queue",
        ],
    ),
    (
        ["Fix spacing in", "Add dark mode to", "Make keyboard friendly:", "Translate labels of"],
        [
            "order form",
            "start page",
            "settings panel",
            "price table",
            "help drawer",
            "image gallery",
            "date picker",
        ],
    ),
    (
        [
            "Sketch icons for",
            "Choose colours for",
            "Draw empty states of",
            "Prepare a prototype of",
        ],
        [
            "mobile menu",
            "welcome tour",
            "report cover",
            "error page",
            "trade fair stand",
            "newsletter",
            "product badge",
        ],
    ),
];

pub(crate) const CLOSINGS: [&str; 5] = ["Best", "Cheers", "Regards", "Thanks", "Warmly"];
pub(crate) const GREETINGS: [&str; 4] = ["Hi", "Hello", "Dear", "Good morning"];

/// Sentences about a task.
pub(crate) const ABOUT_TASK: [&str; 6] = [
    "I have started on '{}' and would like a second pair of eyes on my plan. Do you have half an hour this week?",
    "'{}' is done, a day early. Please have a look and tell me what should change.",
    "I am stuck with '{}': the last step needs access that I do not have. Whom should I ask?",
    "Small warning: '{}' will take longer than we thought. I can explain why whenever it suits you.",
    "Could you tell me who tested '{}' the last time? I would like to reuse the notes.",
    "'{}' is on my desk now. If you know of older attempts, send them over.",
];
/// Sentences about an event.
pub(crate) const ABOUT_EVENT: [&str; 6] = [
    "The agenda of the {} is ready. Is there something that you want to add?",
    "I cannot make it to the {} this time. Could somebody take notes for me?",
    "After the {} I wrote down three ideas. Shall we go through them together?",
    "Who invites the guests to the {}? I can do it, if nobody else has.",
    "The room of the {} has changed, we are on the second floor now.",
    "Please send me the slides of the {}; mine are from the last one.",
];
/// What some mails go on with.
pub(crate) const ASIDES: [&str; 5] = [
    "On another note, the kitchen crew is collecting ideas for the summer party. So far we have a boat trip, a cooking class and a day in the climbing hall, and more are welcome until the end of the month.",
    "By the way, the new meeting room booking works now. It sends a reminder an hour before, and frees the room if nobody has come within ten minutes, which should put an end to the empty rooms on Tuesdays.",
    "I have also been reading our handbook again, and found that half of the chapter about travel is out of date. I would rewrite it if nobody minds, and ask two people to read it before it goes online.",
    "One more thing: the survey about remote days closes soon. Most of our team has answered already, and the results are going to decide how many desks we keep when the lease ends in spring.",
    "Besides, the printers on our floor are being replaced next week. Until then, please use the one beside the library, and leave the paper tray full for whoever comes after you.",
];

pub(crate) const CUSTOMER_FIRST: [&str; 20] = [
    "Ada", "Bruno", "Carla", "Derek", "Elif", "Finn", "Greta", "Hassan", "Irma", "Jules", "Katya",
    "Leon", "Mira", "Nils", "Orla", "Pablo", "Quentin", "Rosa", "Sven", "Tilda",
];
pub(crate) const CUSTOMER_LAST: [&str; 20] = [
    "Abbott", "Bauer", "Costa", "Dubois", "Eriksen", "Ferrari", "Gruber", "Hoang", "Ibarra",
    "Jansen", "Keller", "Lopes", "Meyer", "Nowak", "Olsen", "Petit", "Quinn", "Rossi", "Silva",
    "Tanner",
];
pub(crate) const COMPANY: [[&str; 12]; 2] = [
    [
        "amber", "birch", "cobalt", "delta", "ember", "fjord", "granite", "hazel", "iris",
        "juniper", "krill", "lumen",
    ],
    [
        "works", "freight", "optics", "bakery", "textiles", "motors", "pharma", "farms", "print",
        "media", "glass", "tools",
    ],
];
pub(crate) const INTERESTS: [&str; 5] =
    ["Software", "Hardware", "Services", "Consulting", "Training"];
pub(crate) const STATUSES: [&str; 5] = ["Qualified", "Won", "Lost", "Lead", "Proposal"];
pub(crate) const NOTES: [&str; 5] = [
    "Spoke on the phone.",
    "Sent a quote.",
    "Visited their office.",
    "Away until next week.",
    "Tried the product.",
];

pub(crate) const SOURCES: [&str; 4] = ["direct", "referral", "search engine", "social media"];

/// Subjects and texts of mails that tasks ask for.
pub(crate) const LETTERS: [(&str, &str); 10] = [
    ("Coffee on Friday", "Do you have time for a coffee on Friday morning?"),
    ("Numbers of last month", "Please send me the numbers of last month by noon."),
    ("Thank you", "Thank you for stepping in yesterday, that was a great help."),
    ("New desk", "Your new desk arrives on Monday. Please clear the old one."),
    ("Question about the lease", "Who has the contract of the lease? I need page four."),
    ("Quick favour", "Could you look over my slides before the end of the day?"),
    ("Change of plan", "We start an hour later tomorrow. Please tell your team."),
    ("Welcome aboard", "Good to have you on the project. Ask me anything."),
    ("Reminder", "The survey closes tonight, and your answer is still missing."),
    ("Well done", "The customer loved the demo. Well done!"),
];
/// Answers that tasks ask for.
pub(crate) const REPLIES: [&str; 8] = [
    "Thanks, I will look at it tomorrow.",
    "Sounds good to me, go ahead.",
    "Let us talk about it in the next meeting.",
    "Please ask Hana, she knows more about it.",
    "I am away this week. Can it wait until Monday?",
    "Great work, thank you!",
    "Could you send me a short summary?",
    "Agreed. Please tell the others as well.",
];
