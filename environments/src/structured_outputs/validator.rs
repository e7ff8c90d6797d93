//! Validates a value against a schema as Python's `jsonschema` does.
//!
//! The keywords are those of draft 2020-12, with OpenAPI's `discriminator`; each follows the function of
//! its name in `jsonschema/_keywords.py` 4.25 and `openapi_schema_validator/_keywords.py` 0.6. Validation
//! there is lazy: what is wrong with a schema matters when, and if, validation gets to it, and depends on
//! the order of its keywords. So it is here: [`Extent`] says how far to go on after something does not
//! fit, and a [`Fault`] is where Python raises something else than a validation error.

use std::cell::Cell;

use super::keywords;
use super::references::{Registry, Scope};
use super::schema::Schema;
use super::value::Value;
use framework::environment::python::pattern::{Flags, Pattern, TooManySteps};

/// How deep schemas may lead into each other; Python's own limit is some hundred as well.
const DEPTH_MAX: usize = 200;
/// Schemas applied and patterns searched for in one validation.
const STEPS_MAX: u64 = if cfg!(test) { 2_000_000 } else { 10_000_000 };

/// How far to go on once something does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// No further: only whether it fits is asked.
    First,
    /// To the end, where a schema may yet turn out to be broken.
    All,
}

/// Why a value does not fit.
pub(super) type Violation = String;

/// Why validation came to no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The schema is broken where it was used; Python raises this, and the value counts as invalid.
    Broken(String),
    /// It would take too long, which says nothing about the value.
    TooLong(String),
}

impl From<TooManySteps> for Fault {
    fn from(error: TooManySteps) -> Self {
        Self::TooLong(error.to_string())
    }
}

/// Whether a value fits, and why not.
pub(super) type Checked = Result<Option<Violation>, Fault>;

/// Validates a value against a whole schema.
pub(super) fn validate(schema: &Schema, instance: &Value) -> Checked {
    let registry = Registry::new(schema);
    let place = Place { scope: registry.root_scope(), depth: 0 };
    let validator = Validator { schema, registry, steps: Cell::new(0) };
    validator.check(&schema.root, instance, &place, Extent::All)
}

/// A validation under way.
pub(super) struct Validator<'a> {
    schema: &'a Schema,
    pub(super) registry: Registry<'a>,
    steps: Cell<u64>,
}

/// Where a validation is in its schema.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) scope: Scope,
    depth: usize,
}

/// Collects what one schema's keywords find.
pub(super) struct Findings {
    pub(super) extent: Extent,
    first: Option<Violation>,
}

impl Findings {
    pub(super) fn new(extent: Extent) -> Self {
        Self { extent, first: None }
    }

    /// Takes a finding; whether that is enough.
    pub(super) fn take(&mut self, violation: Option<Violation>) -> bool {
        if self.first.is_none() {
            self.first = violation;
        }
        self.first.is_some() && self.extent == Extent::First
    }

    pub(super) fn into_first(self) -> Option<Violation> {
        self.first
    }
}

impl Validator<'_> {
    /// Counts one more thing done.
    fn step(&self) -> Result<(), Fault> {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        if steps > STEPS_MAX {
            return Err(Fault::TooLong(format!("validation takes more than {STEPS_MAX} steps")));
        }
        Ok(())
    }

    /// Applies a schema to a value, in the place where the schema stands.
    pub(super) fn check(
        &self,
        schema: &Value,
        instance: &Value,
        place: &Place,
        extent: Extent,
    ) -> Checked {
        self.step()?;
        let map = match schema {
            Value::Bool(true) => return Ok(None),
            Value::Bool(false) => return Ok(Some("nothing is allowed here".into())),
            Value::Map(map) => map,
            _ => return Err(Fault::Broken("AttributeError: a schema is no object".into())),
        };
        let mut findings = Findings::new(extent);
        for (key, value) in map {
            let Some(keyword) = key.as_text() else { continue };
            let rule = keywords::Rule { validator: self, schema: map, place, instance, extent };
            if findings.take(rule.check(keyword, value)?) {
                break;
            }
        }
        Ok(findings.into_first())
    }

    /// Applies a schema that stands inside another.
    pub(super) fn descend(
        &self,
        schema: &Value,
        instance: &Value,
        place: &Place,
        extent: Extent,
    ) -> Checked {
        let place = place.deeper(place.scope.inside(schema))?;
        self.check(schema, instance, &place, extent)
    }

    /// Applies what a reference leads to.
    pub(super) fn follow(
        &self,
        reference: &str,
        instance: &Value,
        place: &Place,
        extent: Extent,
    ) -> Checked {
        let unresolvable = || Fault::Broken(format!("Unresolvable: {reference}"));
        let (schema, scope) =
            self.registry.look_up(&place.scope, reference).ok_or_else(unresolvable)?;
        self.check(schema, instance, &place.deeper(scope)?, extent)
    }

    /// Whether a value fits a schema that stands inside another.
    pub(super) fn fits(
        &self,
        schema: &Value,
        instance: &Value,
        place: &Place,
    ) -> Result<bool, Fault> {
        Ok(self.descend(schema, instance, place, Extent::First)?.is_none())
    }

    /// Whether `re.search` finds a pattern.
    pub(super) fn finds(&self, pattern: &str, text: &str) -> Result<bool, Fault> {
        self.step()?;
        if let Some(pattern) = self.schema.patterns.get(pattern) {
            return Ok(pattern.is_match(text)?);
        }
        // One that stands where no schema is expected, reached by a reference.
        let pattern = Pattern::compile(pattern, Flags::default());
        let pattern = pattern.map_err(|error| Fault::Broken(format!("error: {error}")))?;
        Ok(pattern.is_match(text)?)
    }
}

impl Place {
    pub(super) fn deeper(&self, scope: Scope) -> Result<Self, Fault> {
        if self.depth >= DEPTH_MAX {
            return Err(Fault::Broken("RecursionError: maximum recursion depth exceeded".into()));
        }
        Ok(Self { scope, depth: self.depth + 1 })
    }
}
