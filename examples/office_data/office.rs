//! The tables of the office: the sizes, columns and distributions of NeMo Gym's, with other people and
//! other contents.

use super::chance::Chance;
use super::words;

/// The seed of the office that ships.
pub(crate) const SEED: u64 = 20_231_130;

/// Days from 1 August 2023 to 31 December 2023, and what weekday the first was: a Tuesday.
const MONTHS: [(u32, usize); 5] = [(8, 31), (9, 30), (10, 31), (11, 30), (12, 31)];

/// A day of these months, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(pub(crate) usize);

impl Day {
    pub(crate) const SEPTEMBER: Self = Self(31);
    pub(crate) const OCTOBER: Self = Self(61);
    /// 30 November, on which everything takes place.
    pub(crate) const TODAY: Self = Self(121);

    /// As in 2023-11-30.
    pub(crate) fn iso(self) -> String {
        let (month, day) = self.month_and_day();
        format!("2023-{month:02}-{day:02}")
    }

    /// As in 30 November.
    pub(crate) fn name(self) -> String {
        const NAMES: [&str; 5] = ["August", "September", "October", "November", "December"];
        let (month, day) = self.month_and_day();
        format!("{day} {}", NAMES[month as usize - 8])
    }

    fn month_and_day(self) -> (u32, usize) {
        let mut left = self.0;
        for (month, days) in MONTHS {
            if left < days {
                return (month, left + 1);
            }
            left -= days;
        }
        unreachable!("the office closes at the end of the year")
    }

    pub(crate) fn is_working_day(self) -> bool {
        (self.0 + 1) % 7 < 5
    }
}

/// A half hour of a working day, 0 being nine o'clock.
pub(crate) fn clock(slot: usize) -> String {
    format!("{:02}:{:02}", 9 + slot / 2, slot % 2 * 30)
}

/// Half hours at which an event may start.
pub(crate) const SLOTS: usize = 14;

pub(crate) struct Email {
    pub(crate) id: String,
    pub(crate) sender: usize,
    pub(crate) subject: String,
    pub(crate) day: Day,
    time: String,
    body: String,
}

pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) participant: usize,
    pub(crate) day: Day,
    pub(crate) slot: usize,
    pub(crate) minutes: usize,
}

pub(crate) struct Visit {
    pub(crate) day: Day,
    visitor: usize,
    pages: usize,
    pub(crate) seconds: usize,
    pub(crate) source: &'static str,
    pub(crate) engaged: bool,
}

pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) assignee: usize,
    pub(crate) list: &'static str,
    pub(crate) due: Day,
    pub(crate) board: &'static str,
}

pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) assignee: usize,
    pub(crate) name: String,
    email: String,
    phone: String,
    pub(crate) last_contact: Day,
    pub(crate) interest: &'static str,
    pub(crate) status: &'static str,
    pub(crate) follow_up: Day,
    notes: String,
}

pub(crate) struct Office {
    pub(crate) emails: Vec<Email>,
    pub(crate) events: Vec<Event>,
    pub(crate) visits: Vec<Visit>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) customers: Vec<Customer>,
}

/// The address of somebody of the staff.
pub(crate) fn address(person: usize) -> String {
    let (first, last) = words::STAFF[person];
    format!("{first}.{last}@{}", words::DOMAIN)
}

/// The first name of somebody of the staff.
pub(crate) fn first_name(person: usize) -> String {
    capitalised(words::STAFF[person].0)
}

pub(crate) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}

/// Ids of eight digits, in any order.
fn ids(count: usize, chance: &mut Chance) -> Vec<String> {
    let mut ids: Vec<_> = (0..count).map(|id| format!("{id:08}")).collect();
    chance.shuffle(&mut ids);
    ids
}

/// Weights with which people appear: some do twice as often as others.
fn weights(count: usize, chance: &mut Chance) -> Vec<usize> {
    (0..count).map(|_| 6 + chance.below(10)).collect()
}

fn task_names() -> Vec<(&'static str, String)> {
    let of_board = |(board, (actions, objects)): (&&'static str, &([&str; 4], [&str; 7]))| {
        let names = actions
            .iter()
            .flat_map(|action| objects.iter().map(move |object| format!("{action} {object}")));
        // As many as there are of a board's names in NeMo Gym's table.
        let count = 26 - usize::from(*board == "Design");
        names.take(count).map(|name| (*board, name)).collect::<Vec<_>>()
    };
    words::BOARDS.iter().zip(&words::WORK).flat_map(of_board).collect()
}

impl Office {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        Self {
            emails: emails(chance),
            events: events(chance),
            visits: visits(chance),
            tasks: tasks(chance),
            customers: customers(chance),
        }
    }

    /// The files and what they hold.
    pub(crate) fn files(&self) -> [(&'static str, String); 6] {
        let directory: String =
            (0..words::STAFF.len()).map(|person| address(person) + "\n").collect();
        [
            ("emails.csv", self.emails_csv()),
            ("calendar_events.csv", self.events_csv()),
            ("analytics_data.csv", self.visits_csv()),
            ("project_tasks.csv", self.tasks_csv()),
            ("customer_relationship_manager_data.csv", self.customers_csv()),
            ("email_addresses.csv", directory),
        ]
    }

    fn emails_csv(&self) -> String {
        let rows = self.emails.iter().map(|email| {
            let sent = format!("{} {}", email.day.iso(), email.time);
            vec![
                email.id.clone(),
                "inbox".into(),
                address(email.sender),
                email.subject.clone(),
                sent,
                email.body.clone(),
            ]
        });
        csv("email_id,inbox/outbox,sender/recipient,subject,sent_datetime,body", rows)
    }

    fn events_csv(&self) -> String {
        let rows = self.events.iter().map(|event| {
            let start = format!("{} {}:00", event.day.iso(), clock(event.slot));
            let participant = address(event.participant);
            vec![event.id.clone(), event.name.into(), participant, start, event.minutes.to_string()]
        });
        csv("event_id,event_name,participant_email,event_start,duration", rows)
    }

    fn visits_csv(&self) -> String {
        let rows = self.visits.iter().map(|visit| {
            let engaged = if visit.engaged { "True" } else { "False" };
            vec![
                visit.day.iso(),
                format!("{:04}", visit.visitor),
                visit.pages.to_string(),
                visit.seconds.to_string(),
                visit.source.into(),
                engaged.into(),
            ]
        });
        csv(
            "date_of_visit,visitor_id,page_views,session_duration_seconds,traffic_source,user_engaged",
            rows,
        )
    }

    fn tasks_csv(&self) -> String {
        let rows = self.tasks.iter().map(|task| {
            let assignee = address(task.assignee);
            vec![
                task.id.clone(),
                task.name.clone(),
                assignee,
                task.list.into(),
                task.due.iso(),
                task.board.into(),
            ]
        });
        csv("task_id,task_name,assigned_to_email,list_name,due_date,board", rows)
    }

    fn customers_csv(&self) -> String {
        let rows = self.customers.iter().map(|customer| {
            let late = |day: Day| format!("{} 23:59:00", day.iso());
            vec![
                customer.id.clone(),
                address(customer.assignee),
                customer.name.clone(),
                customer.email.clone(),
                customer.phone.clone(),
                late(customer.last_contact),
                customer.interest.into(),
                customer.status.into(),
                late(customer.follow_up),
                customer.notes.clone(),
            ]
        });
        let header = "customer_id,assigned_to_email,customer_name,customer_email,customer_phone,\
            last_contact_date,product_interest,status,follow_up_by,notes";
        csv(header, rows)
    }
}

fn csv(header: &str, rows: impl Iterator<Item = Vec<String>>) -> String {
    let cell = |text: &String| match text.contains([',', '"']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.clone(),
    };
    let line = |row: Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\n";
    std::iter::once(format!("{header}\n")).chain(rows.map(line)).collect()
}

fn emails(chance: &mut Chance) -> Vec<Email> {
    let (names, weights) = (task_names(), weights(words::STAFF.len(), chance));
    let mut moments: Vec<(Day, String)> = Vec::new();
    while moments.len() < 500 {
        let day = Day(Day::OCTOBER.0 + chance.below(61));
        let (hour, minute, second) = (9 + chance.below(7), chance.below(60), chance.below(60));
        let moment = (day, format!("{hour:02}:{minute:02}:{second:02}"));
        // The day ends at half past three.
        if !moments.contains(&moment) && (hour < 15 || minute < 35) {
            moments.push(moment);
        }
    }
    moments.sort();
    let ids = ids(moments.len(), chance);
    let email = |((day, time), id)| {
        let sender = chance.index(&weights);
        let is_about_task = chance.below(2) == 0;
        let about = match is_about_task {
            true => names[chance.below(names.len().min(40))].1.clone(),
            false => chance.pick(&words::EVENTS[..40]).to_owned(),
        };
        let (subject, sentences) = match is_about_task {
            true => (format!("Task: {about}"), &words::ABOUT_TASK),
            false => (format!("{about}, some news"), &words::ABOUT_EVENT),
        };
        let mut paragraphs = vec![chance.pick(sentences).replace("{}", &about)];
        let aside = chance.below(words::ASIDES.len());
        let asides = words::ASIDES.iter().cycle().skip(aside).map(|aside| (*aside).to_owned());
        paragraphs.extend(asides.take([0, 0, 0, 0, 0, 1, 1, 2][chance.below(8)]));
        let (greeting, closing) = (chance.pick(&words::GREETINGS), chance.pick(&words::CLOSINGS));
        let (owner, paragraphs, sender_name) =
            (words::OWNER, paragraphs.join(r"\n\n"), first_name(sender));
        let body = format!(r"{greeting} {owner},\n\n{paragraphs}\n\n{closing},\n{sender_name}");
        Email { id, sender, subject, day, time, body }
    };
    moments.into_iter().zip(ids).map(email).collect()
}

fn events(chance: &mut Chance) -> Vec<Event> {
    let weights = weights(words::STAFF.len(), chance);
    let days: Vec<_> = (0..143).map(Day).filter(|day| day.is_working_day()).collect();
    let starts = chance.sample(days.len() * SLOTS, 300);
    let ids = ids(starts.len(), chance);
    let event = |(start, id): (usize, String)| Event {
        id,
        name: chance.pick(&words::EVENTS),
        participant: chance.index(&weights),
        day: days[start / SLOTS],
        slot: start % SLOTS,
        minutes: 30 * (1 + chance.index(&[83, 80, 76, 61])),
    };
    starts.into_iter().zip(ids).map(event).collect()
}

fn visits(chance: &mut Chance) -> Vec<Visit> {
    let visit = |_| Visit {
        day: Day(Day::SEPTEMBER.0 + chance.below(91)),
        visitor: chance.below(10_000),
        pages: 1 + chance.exponential(5.2),
        seconds: chance.exponential(19.8),
        source: words::SOURCES[chance.index(&[516, 100, 109, 275])],
        engaged: chance.below(1000) < 485,
    };
    (0..1000).map(visit).collect()
}

fn tasks(chance: &mut Chance) -> Vec<Task> {
    let names = task_names();
    let mut drafts: Vec<(Day, usize)> = Vec::new();
    for board in 0..3 {
        drafts.extend((0..100).map(|_| (Day(Day::TODAY.0 - 3 + chance.below(17)), board)));
    }
    chance.shuffle(&mut drafts);
    drafts.sort_by_key(|(due, _)| *due);
    let ids = ids(drafts.len(), chance);
    let of_board = |board: usize| {
        let names = names.iter().filter(|name| name.0 == words::BOARDS[board]);
        names.map(|name| name.1.clone()).collect::<Vec<_>>()
    };
    // Each name as often as the others of its board.
    let mut names = [0, 1, 2].map(|board| {
        let mut names = of_board(board).into_iter().cycle().take(100).collect::<Vec<_>>();
        chance.shuffle(&mut names);
        names
    });
    let task = |((due, board), id): ((Day, usize), String)| Task {
        id,
        name: names[board].pop().expect("there are as many names as tasks"),
        assignee: board * 5 + chance.below(5),
        list: words::LISTS[chance.index(&[191, 13, 45, 51])],
        due,
        board: words::BOARDS[board],
    };
    drafts.into_iter().zip(ids).map(task).collect()
}

fn customers(chance: &mut Chance) -> Vec<Customer> {
    let pairs = words::CUSTOMER_FIRST.len() * words::CUSTOMER_LAST.len();
    let mut names = chance.sample(pairs, 200);
    chance.shuffle(&mut names);
    let with_phone = chance.sample(names.len(), 100);
    let without_notes = chance.sample(names.len(), 44);
    let mut contacts: Vec<_> =
        names.iter().map(|_| Day(Day::OCTOBER.0 + chance.below(61))).collect();
    contacts.sort_by(|a, b| b.cmp(a));
    let ids = ids(names.len(), chance);
    let customer = |(index, (name, id)): (usize, (usize, String))| {
        let first = words::CUSTOMER_FIRST[name / words::CUSTOMER_LAST.len()];
        let last = words::CUSTOMER_LAST[name % words::CUSTOMER_LAST.len()];
        let company = [0, 1].map(|part| chance.pick(&words::COMPANY[part])).concat();
        let phone = format!("555-{:03}-{:04}", chance.below(1000), chance.below(10_000));
        let last_contact = contacts[index];
        let follow_up = Day((last_contact.0 + 7 + chance.below(24)).min(150));
        Customer {
            id,
            assignee: 15 + chance.index(&[50, 42, 41, 36, 31]),
            name: format!("{first} {last}"),
            email: format!("{}.{}@{company}", first.to_lowercase(), last.to_lowercase()),
            phone: if with_phone.contains(&index) { phone } else { String::new() },
            last_contact,
            interest: words::INTERESTS[chance.index(&[39, 35, 51, 30, 45])],
            status: words::STATUSES[chance.index(&[33, 45, 43, 42, 37])],
            follow_up,
            notes: if without_notes.contains(&index) {
                String::new()
            } else {
                notes(last_contact, chance)
            },
        }
    };
    names.into_iter().zip(ids).enumerate().map(customer).collect()
}

/// One to three notes, each with its date.
fn notes(last_contact: Day, chance: &mut Chance) -> String {
    let count = 1 + chance.below(3);
    let note = |_| {
        let since = Day::OCTOBER.0;
        let day = Day(since + chance.below(last_contact.0 - since + 1));
        format!("{}: {} ", day.iso(), chance.pick(&words::NOTES))
    };
    (0..count).map(note).collect()
}
