//! What a row says beside its prompt.

use std::collections::BTreeMap;
use std::sync::Arc;

use framework::environment::python::Json;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Grading;
use super::instruction::{Instruction, InstructionError};

/// The instructions of a row; at least one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Row")]
#[schemars(with = "Row")]
pub struct Target {
    pub(super) instructions: Arc<[Instruction]>,
    pub(super) grading: Option<Grading>,
}

/// Arguments of instructions; `null` is none.
type Kwargs = Vec<Option<BTreeMap<String, Json>>>;

/// A row as it is written.
#[derive(Deserialize, JsonSchema)]
struct Row {
    /// Which instructions the answer is to follow.
    instruction_id_list: Option<Vec<String>>,
    /// What each of them needs to know, in the same order.
    kwargs: Option<Kwargs>,
    /// What the model was asked.
    prompt: Option<String>,
    /// `binary` or `fraction`.
    grading_mode: Option<String>,
    /// Where later versions of NeMo Gym have these fields; those above fill its gaps.
    verifier_metadata: Option<Metadata>,
}

/// The fields of a row, one level down.
#[derive(Default, Deserialize, JsonSchema)]
struct Metadata {
    instruction_id_list: Option<Vec<String>>,
    kwargs: Option<Kwargs>,
    prompt: Option<String>,
    grading_mode: Option<String>,
}

/// Why a row is malformed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RowError {
    /// Fields are absent.
    #[error("`{}`: Field required", fields.join("`: Field required; `"))]
    Missing { fields: Vec<&'static str> },
    /// There are no instructions.
    #[error("`instruction_id_list` must not be empty")]
    Empty,
    /// There are more instructions than sets of arguments, or fewer.
    #[error(
        "`instruction_id_list` has {ids} entries and `kwargs` {kwargs}; each instruction needs its \
         own, `null` if it takes none"
    )]
    Lengths { ids: usize, kwargs: usize },
    /// The grading is none.
    #[error("`grading_mode` must be `binary` or `fraction`, not `{found}`")]
    Grading { found: String },
    /// Instructions are malformed.
    #[error("{}", list(.problems))]
    Instructions { problems: Vec<(usize, String, InstructionError)> },
}

fn list(problems: &[(usize, String, InstructionError)]) -> String {
    let describe = |(index, id, problem): &(usize, String, InstructionError)| match problem {
        InstructionError::Unknown { .. } => format!("`instruction_id_list[{index}]`: {problem}"),
        InstructionError::Arguments { .. } => format!("`kwargs[{index}]` of `{id}`: {problem}"),
    };
    problems.iter().map(describe).collect::<Vec<_>>().join("; ")
}

impl TryFrom<Row> for Target {
    type Error = RowError;

    fn try_from(row: Row) -> Result<Self, RowError> {
        let inner = row.verifier_metadata.unwrap_or_default();
        let ids = inner.instruction_id_list.or(row.instruction_id_list);
        let kwargs = inner.kwargs.or(row.kwargs);
        let prompt = inner.prompt.or(row.prompt);
        let grading = inner.grading_mode.or(row.grading_mode);
        let (Some(ids), Some(kwargs), Some(_)) = (&ids, &kwargs, &prompt) else {
            let fields = [
                ("instruction_id_list", ids.is_none()),
                ("kwargs", kwargs.is_none()),
                ("prompt", prompt.is_none()),
            ];
            let fields = fields.into_iter().filter(|(_, is_missing)| *is_missing);
            return Err(RowError::Missing { fields: fields.map(|(name, _)| name).collect() });
        };
        let grading = grading.as_deref().map(grading_of).transpose()?;
        Ok(Self { instructions: instructions(ids, kwargs)?, grading })
    }
}

fn grading_of(mode: &str) -> Result<Grading, RowError> {
    match mode {
        "binary" => Ok(Grading::All),
        "fraction" => Ok(Grading::Fraction),
        other => Err(RowError::Grading { found: other.to_owned() }),
    }
}

fn instructions(
    ids: &[String],
    kwargs: &[Option<BTreeMap<String, Json>>],
) -> Result<Arc<[Instruction]>, RowError> {
    if ids.is_empty() {
        return Err(RowError::Empty);
    }
    if ids.len() != kwargs.len() {
        return Err(RowError::Lengths { ids: ids.len(), kwargs: kwargs.len() });
    }
    let nothing = BTreeMap::new();
    let (mut instructions, mut problems) = (Vec::with_capacity(ids.len()), Vec::new());
    for (index, (id, kwargs)) in ids.iter().zip(kwargs).enumerate() {
        match Instruction::new(id, kwargs.as_ref().unwrap_or(&nothing)) {
            Ok(instruction) => instructions.push(instruction),
            Err(problem) => problems.push((index, id.clone(), problem)),
        }
    }
    if problems.is_empty() {
        Ok(instructions.into())
    } else {
        Err(RowError::Instructions { problems })
    }
}
