//! What the page asks for: JSON, in pages of bounded size.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::archive::{Archive, Malformed, Place, RowId, State, read_line};
use super::charts::Charts;
use super::entry::{Ending, Entry};
use super::excerpt::{Excerpt, value_at};
use super::glimpse::Glimpse;
use super::search::{Pattern, search};
use super::selection::{Filter, Order, TaskRows, sort_tasks, tasks};

/// Rows of an answer, unless fewer are asked for.
const ROWS_MAX: usize = 200;
/// How long a search may take before it says how far it is.
const SEARCH_TIME: Duration = Duration::from_millis(800);
/// Bytes of a value that is shown whole.
const VALUE_MAX: usize = 32 << 20;
/// Names that a filter offers.
const NAMES_MAX: usize = 500;
/// Selections that are kept: rows and charts of one filter, in two orders.
const SELECTIONS_MAX: usize = 2;

/// Answers requests.
#[derive(Debug)]
pub(super) struct Api {
    archive: Arc<Archive>,
    selections: Mutex<Vec<Selection>>,
}

/// Rows that were selected at some version.
#[derive(Clone, Debug)]
struct Selection {
    filter: Filter,
    order: Order,
    version: u64,
    places: Arc<Vec<Place>>,
}

/// Why a request is refused.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

fn refuse(status: StatusCode, message: impl Into<String>) -> Refusal {
    Refusal { status, message: message.into() }
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        refuse(StatusCode::BAD_REQUEST, message)
    }
}

/// The parameters of a list.
#[derive(Debug)]
struct Query {
    filter: Filter,
    sort: String,
    text: String,
    at: String,
    from: usize,
    limit: usize,
}

impl Query {
    fn parse(query: &str) -> Result<Self, Refusal> {
        let (filter, sort, text) = (Filter::default(), "line".to_owned(), String::new());
        let mut parsed = Self { filter, sort, text, at: String::new(), from: 0, limit: ROWS_MAX };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let number = || value.parse().map_err(|_| format!("`{name}` must be a whole number"));
            match &*name {
                "sort" if !value.is_empty() => parsed.sort = value.into_owned(),
                "sort" => {}
                "q" => parsed.text = value.into_owned(),
                "at" => parsed.at = value.into_owned(),
                "from" => parsed.from = number()?,
                "limit" => parsed.limit = number()?.clamp(1, ROWS_MAX),
                _ if parsed.filter.take(&name, &value)? => {}
                _ => return Err(format!("there is no parameter `{name}`").into()),
            }
        }
        Ok(parsed)
    }
}

#[derive(Serialize)]
struct Summary<'a> {
    version: u64,
    is_settled: bool,
    rows: usize,
    files: Vec<FileSummary<'a>>,
    environments: BTreeSet<&'a str>,
    agents: BTreeSet<&'a str>,
    reasons: BTreeSet<&'a str>,
}

#[derive(Serialize)]
struct FileSummary<'a> {
    path: String,
    is_named: bool,
    is_there: bool,
    bytes: u64,
    indexed: u64,
    rows: usize,
    malformed: u64,
    error: Option<&'a str>,
}

/// A row of a list.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    file: u16,
    line: u32,
    bytes: u32,
    task: String,
    agent: String,
    environment: String,
    outcome: Ending,
    reason: String,
    repeat: Option<u32>,
    reward: Option<f32>,
    steps: Option<u16>,
    tokens: Option<u32>,
    are_bytes: bool,
    seconds: Option<f32>,
    created_at: Option<u32>,
}

#[derive(Serialize)]
struct RowWithGlimpse {
    #[serde(flatten)]
    row: Row,
    #[serde(flatten)]
    glimpse: Glimpse,
}

#[derive(Serialize)]
struct Rows {
    version: u64,
    /// Rows that pass the filter, whatever text is searched for.
    total: usize,
    from: usize,
    /// How many of them were searched for the text, from there.
    searched: usize,
    /// Where the rest begins.
    next: Option<usize>,
    rows: Vec<RowWithGlimpse>,
}

#[derive(Serialize)]
struct Detail {
    row: Row,
    previous: Option<String>,
    next: Option<String>,
    record: Box<RawValue>,
    cut: std::collections::BTreeMap<String, usize>,
}

#[derive(Serialize)]
struct Task {
    name: String,
    #[serde(flatten)]
    rows: TaskRows,
}

#[derive(Serialize)]
struct Tasks {
    version: u64,
    total: usize,
    from: usize,
    next: Option<usize>,
    tasks: Vec<Task>,
}

#[derive(Serialize)]
struct MalformedLines {
    path: String,
    total: u64,
    lines: Vec<Malformed>,
}

impl Api {
    pub(super) fn new(archive: Arc<Archive>) -> Self {
        Self { archive, selections: Mutex::default() }
    }

    /// Answers a request for a path below `/api/`, with JSON. It may take as long as a search may.
    pub(super) fn answer(
        &self,
        path: &str,
        query: &str,
        is_cancelled: &AtomicBool,
    ) -> Result<Box<RawValue>, Refusal> {
        let query = Query::parse(query)?;
        match path.split('/').collect::<Vec<_>>().as_slice() {
            ["summary"] => Ok(self.summary()),
            ["rows"] => json(&self.rows(&query, is_cancelled)?),
            ["tasks"] => json(&self.tasks(&query)?),
            ["charts"] => {
                let selection = self.select(&query.filter, Order::default());
                json(&Charts::of(&self.archive.read(), &selection.places))
            }
            ["malformed"] => json(&self.malformed()),
            ["row", id] => json(&self.detail(id)?),
            ["row", id, "value"] => self.value(id, &query.at),
            _ => Err(refuse(StatusCode::NOT_FOUND, "there is no such path")),
        }
    }

    fn summary(&self) -> Box<RawValue> {
        let state = self.archive.read();
        let origins = || state.names.origins.iter().take(NAMES_MAX);
        let is_some = |name: &&str| !name.is_empty();
        let files = state.sources.iter().map(|source| FileSummary {
            path: source.path.display().to_string(),
            is_named: source.is_named,
            is_there: source.file.is_some(),
            bytes: source.length,
            indexed: source.indexed,
            rows: source.entries.len(),
            malformed: source.malformed_total,
            error: source.error.as_deref(),
        });
        let summary = Summary {
            version: state.version,
            is_settled: state.is_settled,
            rows: state.rows(),
            files: files.collect(),
            environments: origins()
                .map(|origin| origin.environment.as_str())
                .filter(is_some)
                .collect(),
            agents: origins().map(|origin| origin.agent.as_str()).filter(is_some).collect(),
            reasons: state.names.reasons.iter().map(|reason| &**reason).filter(is_some).collect(),
        };
        to_raw_value(&summary).expect("it serialises to JSON")
    }

    /// The rows of a filter in an order, remembered until something changes.
    fn select(&self, filter: &Filter, order: Order) -> Selection {
        let state = self.archive.read();
        let version = state.version;
        let mut selections = self.selections.lock().unwrap_or_else(PoisonError::into_inner);
        selections.retain(|selection| selection.version == version);
        let is_same = |known: &&Selection| known.filter == *filter && known.order == order;
        if let Some(known) = selections.iter().find(is_same) {
            return known.clone();
        }
        let mut places = filter.select(&state);
        order.sort(&state, &mut places);
        let selection = Selection { filter: filter.clone(), order, version, places: places.into() };
        selections.truncate(SELECTIONS_MAX - 1);
        selections.insert(0, selection.clone());
        selection
    }

    fn rows(&self, query: &Query, is_cancelled: &AtomicBool) -> Result<Rows, Refusal> {
        let order = Order::parse(&query.sort)?;
        let Selection { places, version, .. } = self.select(&query.filter, order);
        let rest = &places[query.from.min(places.len())..];
        let (shown, searched) = if query.text.is_empty() {
            let shown = rest.iter().copied().take(query.limit).collect::<Vec<_>>();
            (shown.clone(), shown.len())
        } else {
            let pattern = Pattern::new(&query.text)?;
            let found =
                search(&self.archive, rest, &pattern, query.limit, SEARCH_TIME, is_cancelled);
            (found.places, found.searched)
        };
        let total = places.len();
        let end = query.from + searched;
        let next = (end < total).then_some(end);
        let rows = shown.into_iter().filter_map(|place| self.row_with_glimpse(place)).collect();
        Ok(Rows { version, total, from: query.from, searched, next, rows })
    }

    fn row_with_glimpse(&self, place: Place) -> Option<RowWithGlimpse> {
        let (row, entry, file) = {
            let state = self.archive.read();
            let entry = *state.entry(place)?;
            let file = state.sources[usize::from(place.file)].file.clone()?;
            (Row::of(&state, place, &entry), entry, file)
        };
        Some(RowWithGlimpse { row, glimpse: Glimpse::of(&file, &entry) })
    }

    fn tasks(&self, query: &Query) -> Result<Tasks, Refusal> {
        let Selection { places, version, .. } = self.select(&query.filter, Order::default());
        let state = self.archive.read();
        let mut all = tasks(&state, &places);
        sort_tasks(&mut all, &query.sort)?;
        let shown = all.iter().skip(query.from).take(query.limit).map(|rows| Task {
            name: state.names.tasks[rows.task as usize].to_string(),
            rows: rows.clone(),
        });
        let end = query.from.saturating_add(query.limit);
        let next = (end < all.len()).then_some(end);
        Ok(Tasks { version, total: all.len(), from: query.from, next, tasks: shown.collect() })
    }

    fn malformed(&self) -> Vec<MalformedLines> {
        let state = self.archive.read();
        let sources = state.sources.iter().filter(|source| source.malformed_total > 0);
        let lines = sources.map(|source| MalformedLines {
            path: source.path.display().to_string(),
            total: source.malformed_total,
            lines: source.malformed.clone(),
        });
        lines.collect()
    }

    fn detail(&self, id: &str) -> Result<Detail, Refusal> {
        let (row, text) = self.record(id)?;
        let excerpt = Excerpt::of(&text).map_err(|_| changed())?;
        let record = RawValue::from_string(excerpt.text).map_err(|_| changed())?;
        let state = self.archive.read();
        let place = RowId::parse(id).and_then(|id| state.find(id)).ok_or_else(changed)?;
        let neighbour = |index: Option<u32>| {
            let entry = state.entry(Place { index: index?, ..place })?;
            Some(format!("{}-{}", place.file, entry.line))
        };
        let previous = neighbour(place.index.checked_sub(1));
        let next = neighbour(place.index.checked_add(1));
        Ok(Detail { row, previous, next, record, cut: excerpt.cut })
    }

    fn value(&self, id: &str, at: &str) -> Result<Box<RawValue>, Refusal> {
        let (row, text) = self.record(id)?;
        let value = value_at(&text, at);
        let value = value.ok_or_else(|| refuse(StatusCode::NOT_FOUND, "there is no such value"))?;
        if value.len() > VALUE_MAX {
            let (bytes, line) = (value.len(), row.line);
            let message =
                format!("{bytes} bytes are more than a page can show; line {line} has them");
            return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        RawValue::from_string(value.to_owned()).map_err(|_| changed())
    }

    /// A row and its line.
    fn record(&self, id: &str) -> Result<(Row, String), Refusal> {
        let (row, entry, file) = {
            let state = self.archive.read();
            let place = RowId::parse(id).and_then(|id| state.find(id));
            let place = place.ok_or_else(|| {
                refuse(StatusCode::NOT_FOUND, format!("there is no row `{id}`, or not yet"))
            })?;
            let entry = *state.entry(place).ok_or_else(changed)?;
            let file = state.sources[usize::from(place.file)].file.clone().ok_or_else(changed)?;
            (Row::of(&state, place, &entry), entry, file)
        };
        let text = read_line(&file, &entry).map_err(|_| changed())?;
        let text = String::from_utf8(text)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Ok((row, text.trim().to_owned()))
    }
}

fn changed() -> Refusal {
    refuse(StatusCode::CONFLICT, "the file has changed; it is being read again")
}

fn json(value: &impl Serialize) -> Result<Box<RawValue>, Refusal> {
    Ok(to_raw_value(value).expect("it serialises to JSON"))
}

impl Row {
    fn of(state: &State, place: Place, entry: &Entry) -> Self {
        let origin = &state.names.origins[usize::from(entry.origin)];
        Self {
            id: format!("{}-{}", place.file, entry.line),
            file: place.file,
            line: entry.line,
            bytes: entry.length,
            task: state.names.tasks[entry.task as usize].to_string(),
            agent: origin.agent.clone(),
            environment: origin.environment.clone(),
            outcome: entry.ending,
            reason: state.names.reasons[usize::from(entry.reason)].to_string(),
            repeat: entry.repeat(),
            reward: entry.reward(),
            steps: entry.steps(),
            tokens: entry.tokens(),
            are_bytes: entry.are_bytes,
            seconds: entry.seconds(),
            created_at: entry.created_at(),
        }
    }
}
