//! The tools of an environment: async functions over its instance, a session and typed arguments.

use std::marker::PhantomData;

use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

use super::Environment;
use super::arguments::parse_arguments;
use super::schema::{Schema, schema_of};

/// What a tool answers when it cannot do what the model asked: text for the model, not an error of
/// the run.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolError(String);

impl ToolError {
    /// Exactly that text.
    pub fn text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// `{"detail":"…"}`, as NeMo Gym's servers answer.
    pub fn detail(detail: &str) -> Self {
        Self(serde_json::json!({ "detail": detail }).to_string())
    }

    /// The text for the model.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// The tools of an environment, by name.
pub struct Tools<E: Environment> {
    entries: Vec<Tool<E>>,
    unknown: fn(&str) -> ToolError,
}

/// One tool. What [`Tools::add`] derives from the argument type can be said otherwise here.
pub struct Tool<E: Environment> {
    name: &'static str,
    description: String,
    /// What the arguments are read by.
    schema: Schema,
    /// What the model is told instead, if anything.
    offered: Option<serde_json::Value>,
    is_strict: bool,
    ignores_arguments: bool,
    function: Function<E>,
}

/// What a tool does, by what it needs of the session.
enum Function<E: Environment> {
    /// All of it: nothing else runs meanwhile.
    Alone(Box<dyn RunAlone<E>>),
    /// A look at it: others that only look run at the same time.
    Shared(Box<dyn RunShared<E>>),
}

impl<E: Environment> Tool<E> {
    /// Describes the tool in other words than its argument type's doc comment.
    pub fn described(&mut self, text: impl Into<String>) -> &mut Self {
        self.description = text.into();
        self
    }

    /// Offers the model the schema of another type than the one that its arguments are read as: a
    /// tool may take more than it asks for.
    pub fn offered_as<A: JsonSchema>(&mut self) -> &mut Self {
        self.offered(schema_of::<A>().as_value().clone())
    }

    /// Offers the model this JSON Schema, for arguments that are read as they come.
    pub fn offered(&mut self, schema: serde_json::Value) -> &mut Self {
        self.offered = Some(schema);
        self
    }

    /// Offers the tool as one whose calls need not fit its schema strictly, so that arguments may be
    /// left out.
    pub fn lenient(&mut self) -> &mut Self {
        self.is_strict = false;
        self
    }

    /// Reads `{}` whatever the model sends, JSON or not.
    pub fn ignoring_arguments(&mut self) -> &mut Self {
        self.ignores_arguments = true;
        self
    }

    /// The tool as one that runs beside others, if it is one.
    pub(super) fn shared(&self) -> Option<SharedTool<'_, E>> {
        match &self.function {
            Function::Alone(_) => None,
            Function::Shared(function) => Some(SharedTool { tool: self, function: &**function }),
        }
    }

    /// Runs the tool with the session to itself.
    pub(super) async fn run(
        &self,
        environment: &E,
        session: &mut E::Session,
        arguments: &str,
    ) -> Result<String, ToolError> {
        let arguments = self.arguments(arguments);
        match &self.function {
            Function::Alone(run) => run.run(&self.schema, environment, session, arguments).await,
            Function::Shared(run) => run.run(&self.schema, environment, session, arguments).await,
        }
    }

    fn arguments<'a>(&self, arguments: &'a str) -> &'a str {
        if self.ignores_arguments { "{}" } else { arguments }
    }
}

/// A tool that runs beside others.
pub(super) struct SharedTool<'a, E: Environment> {
    tool: &'a Tool<E>,
    function: &'a dyn RunShared<E>,
}

impl<E: Environment> SharedTool<'_, E> {
    /// Runs the tool on a session that others may be looking at.
    pub(super) async fn run(
        &self,
        environment: &E,
        session: &E::Session,
        arguments: &str,
    ) -> Result<String, ToolError> {
        let arguments = self.tool.arguments(arguments);
        self.function.run(&self.tool.schema, environment, session, arguments).await
    }
}

/// Runs a tool on arguments that are still text, with the session to itself.
trait RunAlone<E: Environment> {
    fn run<'a>(
        &'a self,
        schema: &'a Schema,
        environment: &'a E,
        session: &'a mut E::Session,
        arguments: &'a str,
    ) -> LocalBoxFuture<'a, Result<String, ToolError>>;
}

/// Runs a tool on arguments that are still text, beside others.
trait RunShared<E: Environment> {
    fn run<'a>(
        &'a self,
        schema: &'a Schema,
        environment: &'a E,
        session: &'a E::Session,
        arguments: &'a str,
    ) -> LocalBoxFuture<'a, Result<String, ToolError>>;
}

struct Typed<F, A> {
    function: F,
    arguments: PhantomData<fn() -> A>,
}

impl<E, F, A, R> RunAlone<E> for Typed<F, (A, R)>
where
    E: Environment,
    F: for<'a> AsyncFn(&'a E, &'a mut E::Session, A) -> Result<R, ToolError>,
    A: DeserializeOwned,
    R: Serialize,
{
    fn run<'a>(
        &'a self,
        schema: &'a Schema,
        environment: &'a E,
        session: &'a mut E::Session,
        arguments: &'a str,
    ) -> LocalBoxFuture<'a, Result<String, ToolError>> {
        Box::pin(async move {
            let arguments = parse_arguments(schema, arguments)?;
            to_text(&(self.function)(environment, session, arguments).await?)
        })
    }
}

impl<E, F, A, R> RunShared<E> for Typed<F, (A, R)>
where
    E: Environment,
    F: for<'a> AsyncFn(&'a E, &'a E::Session, A) -> Result<R, ToolError>,
    A: DeserializeOwned,
    R: Serialize,
{
    fn run<'a>(
        &'a self,
        schema: &'a Schema,
        environment: &'a E,
        session: &'a E::Session,
        arguments: &'a str,
    ) -> LocalBoxFuture<'a, Result<String, ToolError>> {
        Box::pin(async move {
            let arguments = parse_arguments(schema, arguments)?;
            to_text(&(self.function)(environment, session, arguments).await?)
        })
    }
}

fn to_text(result: &impl Serialize) -> Result<String, ToolError> {
    serde_json::to_string(result).map_err(|error| ToolError::text(error.to_string()))
}

impl<E: Environment> Tools<E> {
    /// The tools that an environment names.
    pub(crate) fn of_environment() -> Self {
        let mut tools = Self { entries: Vec::new(), unknown: |_| ToolError::detail("Not Found") };
        E::tools(&mut tools);
        tools
    }

    /// Adds a tool that may change its session. Its JSON Schema comes from the argument type, its
    /// description from that type's doc comment.
    ///
    /// It has the session to itself: calls run one after the other, in the order of the calls.
    ///
    /// # Panics
    /// Panics if the environment already has a tool of that name.
    pub fn add<A, R>(
        &mut self,
        name: &'static str,
        function: impl for<'a> AsyncFn(&'a E, &'a mut E::Session, A) -> Result<R, ToolError> + 'static,
    ) -> &mut Tool<E>
    where
        A: DeserializeOwned + JsonSchema + 'static,
        R: Serialize + 'static,
    {
        let function = Typed { function, arguments: PhantomData::<fn() -> (A, R)> };
        self.push(name, schema_of::<A>(), Function::Alone(Box::new(function)))
    }

    /// Adds a tool that only looks at its session, such as a search or a page fetched.
    ///
    /// Calls of such tools that stand side by side in one response run at the same time, if the
    /// request allows parallel tool calls; their outputs stand in the order of the calls all the
    /// same. A call of a tool that may change the session waits for those before it, and those
    /// after it wait in turn, so that each sees the session as if all had run one by one.
    ///
    /// # Panics
    /// Panics if the environment already has a tool of that name.
    pub fn add_shared<A, R>(
        &mut self,
        name: &'static str,
        function: impl for<'a> AsyncFn(&'a E, &'a E::Session, A) -> Result<R, ToolError> + 'static,
    ) -> &mut Tool<E>
    where
        A: DeserializeOwned + JsonSchema + 'static,
        R: Serialize + 'static,
    {
        let function = Typed { function, arguments: PhantomData::<fn() -> (A, R)> };
        self.push(name, schema_of::<A>(), Function::Shared(Box::new(function)))
    }

    fn push(&mut self, name: &'static str, schema: Schema, function: Function<E>) -> &mut Tool<E> {
        assert!(self.find(name).is_none(), "two tools are named `{name}`");
        let description = schema.description().unwrap_or_default().to_owned();
        let tool = Tool {
            name,
            description,
            schema,
            offered: None,
            is_strict: true,
            ignores_arguments: false,
            function,
        };
        self.entries.push(tool);
        self.entries.last_mut().expect("a tool was just added")
    }

    /// Sets what the model reads when it calls a tool that does not exist; `{"detail":"Not Found"}`
    /// if not set.
    pub fn on_unknown(&mut self, answer: fn(&str) -> ToolError) {
        self.unknown = answer;
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|tool| tool.name == name)
    }

    pub(super) fn unknown(&self, name: &str) -> ToolError {
        (self.unknown)(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().map(|tool| tool.name)
    }

    pub(super) fn get(&self, index: usize) -> &Tool<E> {
        &self.entries[index]
    }

    /// The tools as a request's `tools` list; `None` if there is none.
    pub(crate) fn specs(&self) -> Option<Box<RawValue>> {
        let specs: Vec<_> = self.entries.iter().map(Spec::from).collect();
        let text = to_raw_value(&specs).expect("a schema serialises to JSON");
        (!specs.is_empty()).then_some(text)
    }
}

/// A tool as models read it.
#[derive(Serialize)]
struct Spec<'a> {
    r#type: &'static str,
    name: &'a str,
    description: &'a str,
    parameters: &'a serde_json::Value,
    strict: bool,
}

impl<'a, E: Environment> From<&'a Tool<E>> for Spec<'a> {
    fn from(tool: &'a Tool<E>) -> Self {
        let Tool { name, description, schema, offered, is_strict, .. } = tool;
        let parameters = offered.as_ref().unwrap_or(schema.as_value());
        Self { r#type: "function", name, description, parameters, strict: *is_strict }
    }
}
