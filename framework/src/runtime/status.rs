//! What a running process shows of itself at its control address: the tree and the endpoints.
//!
//! The pages stand beside `/metrics` and have no authentication either. They show names and counts,
//! never a prompt, a key or a reply.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::Serialize;

use crate::endpoint::EndpointStatus;
use crate::metrics::Page;
use crate::supervision::{SupervisorHandle, TreeNode};
use crate::wiring::Facilities;

/// A runtime at one moment. `Display` prints it for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Supervisors, actors and sessions.
    pub tree: TreeNode,
    /// The endpoints and services that components depend on. The tree shows each at the actors that
    /// ask it.
    pub endpoints: Vec<EndpointStatus>,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tree.fmt(f)
    }
}

/// Where a status is taken.
#[derive(Clone, Debug)]
pub(super) struct Observatory {
    pub(super) root: SupervisorHandle,
    pub(super) facilities: Arc<Facilities>,
}

impl Observatory {
    pub(super) fn status(&self) -> Status {
        let (mut tree, endpoints) = (self.root.tree(), self.facilities.endpoints());
        for endpoint in &endpoints {
            tree.attach_endpoint(&endpoint.component, endpoint);
        }
        Status { tree, endpoints }
    }
}

/// Filled once the tree is up: the exporter serves before there is anything to show.
pub(super) type View = Arc<OnceLock<Observatory>>;

/// The pages of the control address.
pub(super) fn pages(view: &View) -> Vec<Page> {
    let text = view.clone();
    let text = move || text.get().map_or_else(starting, |view| view.status().to_string());
    let json = view.clone();
    let json = move || {
        let status = json.get().map(Observatory::status);
        let text = serde_json::to_string(&status).expect("a status serialises to JSON");
        text + "\n"
    };
    vec![
        Page::new("/tree", "text/plain; charset=utf-8", text),
        Page::new("/tree.json", "application/json", json),
        Page::new("/healthz", "text/plain; charset=utf-8", || "ok\n".to_owned()),
    ]
}

fn starting() -> String {
    "starting\n".to_owned()
}
