//! Lines of a dataset as prepared rows, a portion at a time, on whichever thread.

use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::nemo_gym;
use super::observation::observe;
use super::plan::Source;
use super::tally::Portion;
use super::{Convert, Prepare};
use crate::responses::{Fields, push_key};
use crate::rows::{RowFault, RowReader};
use crate::task::{PARAMS, Row};

/// Rows of a portion, at most.
const ROWS_MAX: usize = 1024;
/// A portion that has so many bytes is full; a longer row is a portion of its own.
const BYTES_ENOUGH: usize = 1 << 20;

/// Some lines, in their order.
pub(super) struct Lines {
    lines: Vec<Line>,
    /// Bytes of the file that have been read with them.
    pub(super) bytes: u64,
    /// Why the file ends with them before its end.
    pub(super) broken: Option<std::io::Error>,
}

struct Line {
    number: u64,
    text: Result<Vec<u8>, RowFault>,
}

/// What became of some lines.
pub(super) struct Made {
    pub(super) rows: Vec<String>,
    pub(super) malformed: Vec<Malformed>,
    pub(super) counted: Portion,
    /// Rows that NeMo Gym would refuse, if they are not left out.
    pub(super) refused: u64,
    pub(super) refusal: Option<(u64, String)>,
    pub(super) bytes: u64,
    pub(super) broken: Option<std::io::Error>,
}

/// A line that is no task.
pub(super) struct Malformed {
    pub(super) line: u64,
    pub(super) reason: String,
    text: Vec<u8>,
}

/// Reads the next lines; `None` at the end.
pub(super) fn next_lines(rows: &mut RowReader) -> Option<Lines> {
    let (mut lines, mut length, mut broken) = (Vec::new(), 0, None);
    while lines.len() < ROWS_MAX && length < BYTES_ENOUGH {
        let text = match rows.advance() {
            Ok(false) => break,
            Ok(true) => Ok(rows.text().to_vec()),
            Err(RowFault::File(error)) => {
                broken = Some(error);
                break;
            }
            Err(fault @ RowFault::TooLong) => Err(fault),
        };
        length += text.as_ref().map_or(0, Vec::len);
        lines.push(Line { number: rows.number(), text });
    }
    let is_over = lines.is_empty() && broken.is_none();
    (!is_over).then(|| Lines { lines, bytes: rows.bytes(), broken })
}

/// How lines of a dataset become rows.
pub(super) struct Maker<'a> {
    source: &'a Source,
    convert: Option<Convert>,
    leave_out_refused: bool,
    agent_ref: Box<RawValue>,
}

impl<'a> Maker<'a> {
    pub(super) fn new(prepare: &Prepare, source: &'a Source) -> Self {
        let agent_ref = json!({ "type": "responses_api_agents", "name": source.agent });
        Self {
            source,
            convert: prepare.convert,
            leave_out_refused: prepare.nemo_gym,
            agent_ref: to_raw_value(&agent_ref).expect("plain data serialises to JSON"),
        }
    }

    pub(super) fn make(&self, lines: Lines) -> Made {
        let Lines { lines, bytes, broken } = lines;
        let mut made = Made {
            rows: Vec::with_capacity(lines.len()),
            malformed: Vec::new(),
            counted: Portion::default(),
            refused: 0,
            refusal: None,
            bytes,
            broken,
        };
        for Line { number, text } in lines {
            let (text, fault) = match text {
                Ok(text) => (text, None),
                Err(fault) => (Vec::new(), Some(fault.to_string())),
            };
            let row = fault.map_or_else(|| self.row(number, &text, &mut made), Err);
            match row {
                Ok(row) => made.rows.push(row),
                Err(reason) => made.malformed.push(Malformed { line: number, reason, text }),
            }
        }
        made
    }

    /// A prepared row, or why the line is none.
    fn row(&self, line: u64, text: &[u8], made: &mut Made) -> Result<String, String> {
        let text = std::str::from_utf8(text).map_err(|error| format!("not UTF-8: {error}"))?;
        let mut fields =
            Fields::parse(text).map_err(|error| format!("not a JSON object: {error}"))?;
        match (&self.source.prompt, self.convert) {
            (Some(prompt), _) => prompt.apply(&mut fields).map_err(|error| error.to_string())?,
            (None, Some(convert)) if !fields.contains(PARAMS) => convert(&mut fields)?,
            (None, _) => {}
        }
        fields.remove("agent_ref");
        let (row, params) = Row::of(fields).map_err(|error| error.to_string())?;
        (self.source.target)(&row).map_err(|error| error.to_string())?;
        match nemo_gym::refusal(params.get()) {
            Some(reason) if self.leave_out_refused => {
                return Err(format!("NeMo Gym refuses it: {reason}"));
            }
            Some(reason) => {
                made.refused += 1;
                made.refusal.get_or_insert((line, reason));
            }
            None => {}
        }
        observe(&mut made.counted, &row, &params);
        Ok(self.written(&row, &params))
    }

    fn written(&self, row: &Row, params: &RawValue) -> String {
        let mut out = String::with_capacity(params.get().len() + 256);
        out.push('{');
        push_key(&mut out, PARAMS);
        out.push_str(params.get());
        row.extras.write_into(&mut out);
        push_key(&mut out, "agent_ref");
        out.push_str(self.agent_ref.get());
        out.push('}');
        out
    }
}

impl Malformed {
    /// The line in the list of those that were left out.
    pub(super) fn record(&self, source: &Source) -> String {
        let text = String::from_utf8_lossy(&self.text);
        let mut record = Fields::default();
        record.set("file", &source.written.display().to_string());
        record.set("line", &self.line);
        record.set("agent", &source.agent);
        record.set("dataset", &source.dataset);
        record.set("reason", &self.reason);
        match serde_json::from_str::<&RawValue>(&text) {
            Ok(row) => record.set("row", row),
            Err(_) => record.set("text", &text),
        }
        serde_json::to_string(&record).expect("fields serialise to JSON")
    }
}
