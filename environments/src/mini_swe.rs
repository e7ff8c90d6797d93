//! `mini_swe`: issues of repositories, solved through a shell, and graded by the repository's tests.
//!
//! Serves SWE-bench, SWE-Gym and their like (NeMo Gym: `mini_swe_resource` with the agent
//! `mini_swe_agent`). Each session has a copy of the task's repository, in a workspace of the
//! [sandbox](crate::sandbox), and one tool:
//!
//! | Tool | Takes | Answers |
//! |---|---|---|
//! | `bash` | `command` | `returncode` (null if it was stopped for time), `output`, `dropped_chars` if its middle is missing, and `submission` if it handed the work in |
//!
//! Work is handed in by a command whose output begins with a line `MINI_SWE_AGENT_FINAL_OUTPUT`, or
//! `COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT` or `LOCALIZATION_FINAL_OUTPUT`; what follows is the patch. The
//! agent `mini_swe` knows these answers; `tool_loop` works as well, for models that call tools.
//!
//! Grading begins with a fresh copy. The task's tests go in first, then the patch, except for what it
//! does to these tests and to files that decide how tests run (`protected`); then the tests are run. The
//! issue is solved, which earns 1, if all of `FAIL_TO_PASS` and of `PASS_TO_PASS` passed. The verdict's
//! extras:
//!
//! | Name | Type | Says |
//! |---|---|---|
//! | `instance_id` | text | the task |
//! | `metadata` | object | `instance_id`, `model_patch`, and `eval_report` by task: `patch_is_None`, `patch_exists`, `patch_successfully_applied`, `resolved`, `timeout` if that is so, and `tests_status` |
//!
//! With `sandbox.backend: native` a workspace is a copy of a folder; with `docker`, `podman` or `apptainer`
//! it is a container of the task's image, whose repository lies in `/testbed`: the row's `image_name`,
//! `sandbox.image` with `{instance_id}` in it, or what SWE-bench and SWE-Gym call theirs. An image has to have
//! `bash`, `git` and a Python of 3.9 or later.
//!
//! Twelve small repositories of our own ship with it, in `environments/data/mini_swe`; their tests need
//! nothing but the interpreter. A repository of yours is a folder below `snapshots`, with or without
//! `.git`, and a row of SWE-bench's form; what runs its tests is found by `test_commands`, the row's
//! `test_command`, or what is known of the repository, and `unittest` is a runner that ships as well.
//!
//! # Differs from NeMo Gym
//!
//! There the agent grades, in the container that the model controlled, on the tree that it left; here
//! the patch is graded in a fresh copy, and files of the tests and such as `conftest.py` are out of its
//! reach. Where nothing was handed in, the difference of the tree is the patch; `grade_unsubmitted: false`
//! turns that off, and without it `rehearsal verify` refuses, since no record holds the tree. A patch that was not handed in, and one that does not apply, earn 0. A test that was
//! skipped did not pass (there it counts for nothing). A container or tests that cannot be started are
//! an error of the verifier and no reward (there: 0). Rows whose lists of tests are empty, or text that
//! is no JSON of a list, are malformed (there: empty lists). Ids of tasks may have capitals. Commands
//! reach no network unless `sandbox.container.network` says so. Installation commands of the harnesses are not
//! run: their images are installed already.
//!
//! A workspace shares the processors with other foreign code, one command at a time for each of them.
//! Grading runs tests and tested code in one process, as every harness of this kind does, so code that
//! sets out to deceive its test runner is not found out; `SECURITY.md` says what is promised.

mod command;
mod grading;
mod image;
mod log;
mod patch;
mod place;
mod row;
mod snapshot;

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use framework::config::ByteSize;
use framework::cpu::CpuPool;
use framework::environment::{
    Environment, EnvironmentError, Evidence, Reward, ToolError, Tools, Verdict, Workers,
};
use framework::responses::{Item, ItemKind, Response, Role};
use framework::task::{Row, Target as AnyTarget, TargetError};
use framework::wiring::{BuildError, Wiring};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sandbox::{Limits, Pool, Profile, Programs, Settings as SandboxSettings, Workspace};
use grading::{Evaluation, REPOSITORY, Report, Rules};
use place::{Bounds, Place};

pub use log::LogFormat;
pub use row::Target;

/// The environment's `settings:`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder of a task's repository, with `{instance_id}`; needed by `sandbox.backend: native`.
    pub snapshots: Option<String>,
    /// Seconds that a command may take; the environment's `tool_timeout` has to be longer.
    pub step_timeout: NonZeroU64,
    /// Seconds that the tests may take; the environment's `verify_timeout` has to be longer.
    pub eval_timeout: NonZeroU64,
    /// The longest output that is kept whole, and the longest patch.
    pub output_max: ByteSize,
    /// Whether the tree is graded of a rollout that handed nothing in.
    pub grade_unsubmitted: bool,
    /// What runs the tests, by repository; their files follow. `unittest` is the runner that ships.
    pub test_commands: BTreeMap<String, String>,
    /// Names of files that no patch may bring along or change, since they decide how tests run.
    pub protected: Vec<String>,
    /// Where repositories lie and commands run; its `image` may have `{instance_id}` in it.
    pub sandbox: SandboxSettings,
}

impl Default for Config {
    fn default() -> Self {
        let seconds = |seconds| NonZeroU64::new(seconds).expect("it is not 0");
        let protected =
            ["conftest.py", "pytest.ini", ".pytest.ini", "sitecustomize.py", "usercustomize.py"];
        Self {
            snapshots: None,
            step_timeout: seconds(600),
            eval_timeout: seconds(1800),
            output_max: ByteSize::from_bytes(1 << 20),
            grade_unsubmitted: true,
            test_commands: BTreeMap::new(),
            protected: protected.map(str::to_owned).into(),
            sandbox: SandboxSettings::default(),
        }
    }
}

/// The environment.
pub struct MiniSwe {
    config: Config,
    rules: Rules,
    pool: Pool,
    /// The folder of a task's repository; none if they are in images.
    snapshots: Option<String>,
    cpu: CpuPool,
}

/// Where repositories lie in images.
const TESTBED: &str = "/testbed";

/// Activates what SWE-bench's images have installed.
const CONDA: &str = "source /opt/miniconda3/bin/activate && conda activate testbed; ";

/// The state of a rollout.
pub struct Session {
    place: Place,
    /// What was handed in.
    submission: Option<String>,
}

/// Runs a command with bash, in a new shell in the repository's folder, and returns its exit code and
/// what it printed.
#[derive(Deserialize, JsonSchema)]
struct Bash {
    /// The command.
    command: String,
}

/// What came of a command.
#[derive(Serialize)]
struct Ran {
    returncode: Option<i32>,
    output: String,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_chars: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    submission: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Runs a command.
async fn bash(environment: &MiniSwe, session: &mut Session, call: Bash) -> Result<Ran, ToolError> {
    if session.submission.is_some() {
        return Err(ToolError::detail("the work has been handed in, and nothing comes after that"));
    }
    let bounds = environment.step();
    let ran = session.place.run(&call.command, bounds).await;
    // Without its workspace the session is worth nothing: the rollout begins anew.
    let done = ran.unwrap_or_else(|error| panic!("the workspace is lost: {error}"));
    session.submission = submission(&done.output);
    Ok(Ran {
        returncode: done.code,
        output: done.output,
        dropped_chars: done.dropped,
        submission: session.submission.clone(),
    })
}

/// First lines of an output that hands work in.
const MARKERS: [&str; 3] = [
    "MINI_SWE_AGENT_FINAL_OUTPUT",
    "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT",
    "LOCALIZATION_FINAL_OUTPUT",
];

/// The patch that an output hands in, if it does.
fn submission(output: &str) -> Option<String> {
    let output = output.trim_start();
    let (first, rest) = output.split_once('\n').unwrap_or((output, ""));
    MARKERS.contains(&first.trim()).then(|| rest.to_owned())
}

impl Environment for MiniSwe {
    const KIND: &'static str = "mini_swe";
    const EVIDENCE: Evidence = Evidence::Transcript;
    type Config = Config;
    type Target = Target;
    type Session = Session;

    fn unreproducible(config: &Config) -> Option<&'static str> {
        let reason = "with `grade_unsubmitted`, what a rollout that handed nothing in has done to its files is graded, and files are not recorded";
        config.grade_unsubmitted.then_some(reason)
    }

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        let is_native = config.sandbox.backend.engine().is_none();
        if is_native && config.snapshots.is_none() {
            return Err(BuildError::new(
                "`sandbox.backend: native` needs `snapshots`, the folder of a task's repository, such as \
                 `environments/data/mini_swe/repositories/{instance_id}`",
            ));
        }
        let snapshots = config.snapshots.clone().filter(|_| is_native);
        let setup = if is_native { "" } else { CONDA };
        let rules = Rules {
            timeout: Duration::from_secs(config.eval_timeout.get()),
            commands: config.test_commands.clone(),
            protected: config.protected.clone(),
            setup,
        };
        let pool = config.pool(wiring);
        Ok(Self { config, rules, pool, snapshots, cpu: wiring.cpu() })
    }

    fn workers(config: &Config, workers: &mut Workers<'_>) {
        let wiring = workers.wiring().clone();
        config.pool(&wiring).supervise(workers);
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add("bash", bash);
    }

    fn target(row: &Row) -> Result<AnyTarget, TargetError> {
        Target::read(row).map(AnyTarget::new)
    }

    async fn open(&self, target: &Target) -> Result<Session, EnvironmentError> {
        let mut place = self.place(target).await?;
        place.run_well("make a repository", REPOSITORY).await?;
        Ok(Session { place, submission: None })
    }

    async fn verify(
        &self,
        session: Session,
        target: &Target,
        response: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        let patch = match session.submission.clone().or_else(|| handed_in(response)) {
            Some(patch) => Some(patch),
            None if self.config.grade_unsubmitted => self.difference(session).await?,
            None => None,
        };
        let evaluation = match &patch {
            Some(patch) => {
                let mut place = self.place(target).await?;
                grading::evaluate(&mut place, target, patch, &self.rules).await?
            }
            None => Evaluation::of_nothing(),
        };
        let report = Report::new(target, patch.as_deref(), evaluation);
        Ok(Verdict::new(Reward::earned(report.is_resolved()))
            .with("instance_id", &target.instance_id)
            .with("metadata", &report))
    }
}

impl Config {
    /// The pool of workspaces.
    fn pool(&self, wiring: &Wiring) -> Pool {
        let day = Duration::from_secs(24 * 3600);
        let limits = Limits {
            wall: day,
            cpu: Duration::from_secs(self.eval_timeout.get().max(self.step_timeout.get())),
            memory: 4 << 30,
            // All that commands print in a session.
            output: 16 << 30,
            disk: 2 << 30,
            processes: 256,
            files: 1024,
        };
        let programs = match self.sandbox.backend.engine() {
            None => Programs::System,
            Some(_) => Programs::Image,
        };
        let profile = Profile { programs, ..Workspace::profile(limits) };
        Pool::of(&self.sandbox, &profile, wiring)
    }
}

impl MiniSwe {
    fn step(&self) -> Bounds {
        let timeout = Duration::from_secs(self.config.step_timeout.get());
        let output_max = usize::try_from(self.config.output_max.bytes()).unwrap_or(usize::MAX);
        Bounds { timeout, output_max }
    }

    /// A fresh copy of a task's repository.
    async fn place(&self, target: &Target) -> Result<Place, EnvironmentError> {
        let limits = self.pool.limits().clone();
        let Some(template) = &self.snapshots else {
            let image = image::image(target, &self.config.sandbox)?;
            let workspace = Workspace::open_in(&self.pool, &image, limits).await?;
            return Ok(Place { workspace, folder: TESTBED, shell: &["bash", "-lc"] });
        };
        let folder = PathBuf::from(template.replace("{instance_id}", &target.instance_id));
        let archive = self.cpu.run(move || snapshot::pack(&folder)).await?;
        let mut workspace = Workspace::open(&self.pool, limits).await?;
        workspace.unpack("/workspace", &archive).await.map_err(place::lost)?;
        Ok(Place { workspace, folder: "/workspace", shell: &["bash", "-c"] })
    }

    /// What has changed in a session's tree.
    async fn difference(&self, mut session: Session) -> Result<Option<String>, EnvironmentError> {
        let script = "git add -A && git diff --cached --binary";
        let done = session.place.run(script, self.step()).await?;
        let is_whole = done.is_ok() && done.dropped == 0;
        Ok(Some(done.output).filter(|patch| is_whole && !patch.trim().is_empty()))
    }
}

/// The patch in a transcript: the message that ends a rollout of the agent `mini_swe`, or of NeMo Gym's;
/// or what a call of the tool `bash` handed in.
fn handed_in(response: &Response) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        submission: Option<String>,
    }
    let last = response.output.last().filter(|item| item.is_message_of(Role::User)).map(Item::text);
    if let Some(patch) = last.filter(|text| text.trim_start().starts_with("diff --git ")) {
        return Some(patch);
    }
    let outputs =
        response.output.iter().filter(|item| *item.kind() == ItemKind::FunctionCallOutput);
    let answers = outputs.filter_map(|item| serde_json::from_str::<Answer>(&item.text()).ok());
    answers.filter_map(|answer| answer.submission).next()
}

#[cfg(test)]
mod tests;
