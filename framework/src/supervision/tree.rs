//! What a supervision tree looks like right now.
//!
//! Each supervisor keeps a board up to date; whoever wants to see the tree reads the boards and the
//! cells. So looking never waits for a supervisor, let alone for an actor.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::task::AbortHandle;

use crate::endpoint::EndpointStatus;

use super::census;
use super::control::{Control, Order};
use super::decision::{Key, Phase};
use super::mailbox::Vessel;
use super::policy::Strategy;
use super::spec::{ChildKind, ChildSpec, SupervisorSpec};
use super::supervisor::{ChildCounts, ChildInfo, SupervisorHandle};

/// What a child is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildState {
    /// It initialises itself.
    Starting,
    /// It serves.
    Up,
    /// It waits for its restart.
    Restarting,
    /// It was asked to stop.
    Stopping,
    /// It does not run, and nobody is about to start it.
    Stopped,
}

impl From<&Phase> for ChildState {
    fn from(phase: &Phase) -> Self {
        match phase {
            Phase::Idle => Self::Stopped,
            Phase::Waiting => Self::Restarting,
            Phase::Starting { .. } => Self::Starting,
            Phase::Up => Self::Up,
            Phase::Stopping { .. } => Self::Stopping,
        }
    }
}

impl fmt::Display for ChildState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}

/// One supervisor's children, as everybody may see them.
pub(crate) struct Board {
    name: Arc<str>,
    strategy: Strategy,
    posts: Mutex<BTreeMap<Key, Post>>,
    restarts: AtomicU64,
    is_over: AtomicBool,
}

/// One child on a board.
struct Post {
    id: String,
    subject: Subject,
    state: ChildState,
    generation: u64,
    /// The line of command to an actor that was launched.
    control: Option<Arc<Control>>,
}

enum Subject {
    Actor(Arc<dyn Vessel>),
    /// None before its first start.
    Supervisor(Option<Nested>),
}

/// A supervisor in its present life.
struct Nested {
    handle: SupervisorHandle,
    task: AbortHandle,
}

impl Board {
    pub(crate) fn new(spec: &SupervisorSpec) -> Self {
        Self {
            name: spec.name.clone(),
            strategy: spec.regime.strategy,
            posts: Mutex::default(),
            restarts: AtomicU64::new(0),
            is_over: false.into(),
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn admit(&self, key: Key, spec: &ChildSpec) {
        let subject = match &spec.kind {
            ChildKind::Actor(actor) => Subject::Actor(actor.vessel()),
            ChildKind::Supervisor(_) => Subject::Supervisor(None),
        };
        let (id, state) = (spec.id().to_owned(), ChildState::Restarting);
        self.posts().insert(key, Post { id, subject, state, generation: 0, control: None });
    }

    pub(crate) fn attach(&self, key: Key, handle: SupervisorHandle, task: AbortHandle) {
        if let Some(post) = self.posts().get_mut(&key) {
            post.subject = Subject::Supervisor(Some(Nested { handle, task }));
        }
    }

    /// The handle to a child that is a supervisor.
    pub(crate) fn nested(&self, id: &str) -> Option<SupervisorHandle> {
        let posts = self.posts();
        match &posts.values().find(|post| post.id == id)?.subject {
            Subject::Supervisor(nested) => nested.as_ref().map(|nested| nested.handle.clone()),
            Subject::Actor(_) => None,
        }
    }

    pub(crate) fn update(&self, key: Key, state: ChildState, generation: u64) {
        if let Some(post) = self.posts().get_mut(&key) {
            post.state = state;
            post.generation = generation;
        }
    }

    /// Notes how the actor that is being launched can be commanded.
    pub(crate) fn command(&self, key: Key, control: &Arc<Control>) {
        if let Some(post) = self.posts().get_mut(&key) {
            post.control = Some(control.clone());
        }
    }

    /// Kills the actor or the supervisor with this path, here or below. Whether there is one.
    pub(crate) fn kill(&self, path: &str) -> bool {
        self.posts().values().any(|post| match &post.subject {
            Subject::Supervisor(nested) => nested.as_ref().is_some_and(|nested| nested.kill(path)),
            Subject::Actor(vessel) if **vessel.cell().path() == *path => {
                if let Some(control) = &post.control {
                    control.give(Order::Kill);
                }
                true
            }
            Subject::Actor(_) => false,
        })
    }

    pub(crate) fn forget(&self, key: Key) {
        self.posts().remove(&key);
    }

    pub(crate) fn count_restart(&self) {
        self.restarts.fetch_add(1, Relaxed);
    }

    pub(crate) fn end(&self) {
        self.is_over.store(true, Relaxed);
        for post in self.posts().values_mut() {
            post.state = ChildState::Stopped;
        }
    }

    pub(crate) fn state(&self, key: Key) -> Option<ChildState> {
        self.posts().get(&key).map(|post| post.state)
    }

    pub(crate) fn generation(&self, key: Key) -> u64 {
        self.posts().get(&key).map_or(0, Post::generation)
    }

    pub(crate) fn which_children(&self) -> Vec<ChildInfo> {
        let info = |post: &Post| ChildInfo {
            id: post.id.clone(),
            state: post.state,
            generation: post.generation(),
            is_supervisor: matches!(post.subject, Subject::Supervisor(_)),
        };
        self.posts().values().map(info).collect()
    }

    pub(crate) fn count_children(&self) -> ChildCounts {
        let posts = self.posts();
        let is_supervisor = |post: &&Post| matches!(post.subject, Subject::Supervisor(_));
        let supervisors = posts.values().filter(is_supervisor).count();
        let is_active = |post: &&Post| {
            matches!(post.state, ChildState::Up | ChildState::Starting | ChildState::Stopping)
        };
        ChildCounts {
            specs: posts.len(),
            active: posts.values().filter(is_active).count(),
            supervisors,
            workers: posts.len() - supervisors,
        }
    }

    /// The tree below this supervisor.
    pub(crate) fn snapshot(&self) -> TreeNode {
        let is_over = self.is_over.load(Relaxed);
        let state = if is_over { ChildState::Stopped } else { ChildState::Up };
        let mut root = self.node(self.name.to_string(), state, 1);
        for group in census::groups() {
            root.attach_group(&group);
        }
        root
    }

    fn node(&self, id: String, state: ChildState, generation: u64) -> TreeNode {
        let children = self.posts().values().map(Post::node).collect();
        let restarts = self.restarts.load(Relaxed);
        let kind = NodeKind::Supervisor { strategy: self.strategy.label(), restarts };
        TreeNode { id, path: self.name.to_string(), state, generation, kind, children }
    }

    fn posts(&self) -> MutexGuard<'_, BTreeMap<Key, Post>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Nested {
    fn kill(&self, path: &str) -> bool {
        let is_meant = **self.handle.board.name() == *path;
        if is_meant {
            self.task.abort();
        }
        is_meant || self.handle.board.kill(path)
    }
}

impl Post {
    /// How often the child was started: an actor, under whichever supervisor.
    fn generation(&self) -> u64 {
        match &self.subject {
            Subject::Actor(vessel) => vessel.cell().generation(),
            Subject::Supervisor(_) => self.generation,
        }
    }

    fn node(&self) -> TreeNode {
        let id = self.id.clone();
        match &self.subject {
            Subject::Supervisor(Some(nested)) => {
                nested.handle.board.node(id, self.state, self.generation)
            }
            Subject::Supervisor(None) => TreeNode {
                path: id.clone(),
                id,
                state: self.state,
                generation: self.generation,
                kind: NodeKind::Supervisor { strategy: "", restarts: 0 },
                children: Vec::new(),
            },
            Subject::Actor(vessel) => {
                let cell = vessel.cell();
                let busy = cell
                    .occupied_for()
                    .map(|time| Busy { message: cell.message(), seconds: time.as_secs_f64() });
                let awaited = cell.awaited();
                let waits_for = awaited.iter().map(|other| other.path().to_string()).collect();
                let (queued, endpoints) = (cell.counters().queued(), Vec::new());
                let kind = NodeKind::Actor { queued, busy, waits_for, endpoints };
                let (path, state, generation) =
                    (cell.path().to_string(), self.state, self.generation());
                TreeNode { id, path, state, generation, kind, children: Vec::new() }
            }
        }
    }
}

/// A part of a supervision tree at one moment. `Display` prints it as an indented text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TreeNode {
    /// Its id among its siblings.
    pub id: String,
    /// Its path, which is also its label in the metrics.
    pub path: String,
    /// What it is doing.
    pub state: ChildState,
    /// How often it was started.
    pub generation: u64,
    /// What it is.
    pub kind: NodeKind,
    /// What is below it, in start order.
    pub children: Vec<TreeNode>,
}

/// What a node of the tree is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeKind {
    /// A supervisor.
    Supervisor {
        /// Which siblings are restarted together.
        strategy: &'static str,
        /// How many restarts it has ordered in its present life.
        restarts: u64,
    },
    /// An actor.
    Actor {
        /// How many messages wait.
        queued: u64,
        /// What it is doing, unless it is idle.
        busy: Option<Busy>,
        /// The paths of the actors that have to answer before it serves anybody again.
        waits_for: Vec<String>,
        /// The endpoints and services that it depends on.
        endpoints: Vec<EndpointStatus>,
    },
    /// The sessions of a dynamic supervisor.
    Sessions {
        /// How many live now.
        live: usize,
        /// How many may.
        max: usize,
        /// How many messages wait in all of them.
        queued: u64,
    },
}

/// What an actor is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Busy {
    /// The type of the last message that it began to handle; empty if it starts or stops.
    pub message: &'static str,
    /// For how long.
    pub seconds: f64,
}

impl TreeNode {
    /// The node with this path, here or below.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&TreeNode> {
        if self.path == path {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(path))
    }

    /// Shows an endpoint at every actor below whose path begins with `owner`.
    pub(crate) fn attach_endpoint(&mut self, owner: &str, endpoint: &EndpointStatus) {
        let is_owner = self.path.strip_prefix(owner).is_some_and(|rest| rest.starts_with('/'));
        if let NodeKind::Actor { endpoints, .. } = &mut self.kind
            && is_owner
        {
            endpoints.push(endpoint.clone());
        }
        self.children.iter_mut().for_each(|child| child.attach_endpoint(owner, endpoint));
    }

    /// Hangs a group of sessions under the actor whose path its own path begins with.
    fn attach_group(&mut self, group: &census::Group) {
        let is_owner =
            |owner: &str| group.path.strip_prefix(owner).is_some_and(|rest| rest.starts_with('/'));
        let Some(owner) = self.deepest(&is_owner) else { return };
        let kind = NodeKind::Sessions {
            live: group.live.load(Relaxed),
            max: group.children_max,
            queued: group.counters.queued(),
        };
        let id = group.path[owner.path.len() + 1..].to_owned();
        let (path, state) = (group.path.to_string(), ChildState::Up);
        owner.children.push(TreeNode {
            id,
            path,
            state,
            generation: 1,
            kind,
            children: Vec::new(),
        });
    }

    fn deepest(&mut self, is_owner: &dyn Fn(&str) -> bool) -> Option<&mut TreeNode> {
        let below = self.children.iter_mut().position(|child| child.deepest(is_owner).is_some());
        match below {
            Some(index) => self.children[index].deepest(is_owner),
            None if matches!(self.kind, NodeKind::Actor { .. }) && is_owner(&self.path) => {
                Some(self)
            }
            None => None,
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        write!(f, "{:indent$}{}", "", self.id, indent = depth * 2)?;
        match &self.kind {
            NodeKind::Supervisor { strategy, restarts } => {
                write!(f, " [{strategy}] {}, {restarts} restarts", self.state)?;
            }
            NodeKind::Actor { queued, busy, waits_for, endpoints } => {
                write!(f, " {}, generation {}, {queued} queued", self.state, self.generation)?;
                if let Some(busy) = busy {
                    let time = Duration::from_secs_f64(busy.seconds);
                    write!(f, ", busy with {} for {time:.1?}", short_name(busy.message))?;
                }
                waits_for.iter().try_for_each(|other| write!(f, ", waits for {other}"))?;
                endpoints.iter().try_for_each(|endpoint| write!(f, ", {endpoint}"))?;
            }
            NodeKind::Sessions { live, max, queued } => {
                write!(f, " {live} of {max} sessions, {queued} queued")?;
            }
        }
        writeln!(f)?;
        self.children.iter().try_for_each(|child| child.write(f, depth + 1))
    }
}

/// The last part of a type's path.
pub(crate) fn short_name(type_name: &str) -> &str {
    let end = type_name.find('<').unwrap_or(type_name.len());
    let start = type_name[..end].rfind("::").map_or(0, |at| at + 2);
    &type_name[start..]
}

impl fmt::Display for TreeNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}
