//! NeMo Gym's keys at the top that are no servers: those of its collector, its launcher and its exporters.

use super::{
    super::{
        key_path::KeyPath,
        tree::{Node, Value},
    },
    component::path,
};

/// The file that the collector reads.
pub(super) const INPUT: &str = "input_jsonl_fpath";

/// The collector's keys, and where each goes in `collect`.
const COLLECTION: [(&str, &str); 5] = [
    ("agent_name", "agent"),
    ("output_jsonl_fpath", "output"),
    ("limit", "limit"),
    ("num_repeats", "repeats"),
    ("num_samples_in_parallel", "max_in_flight"),
];

/// What a key at the top is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flat {
    /// The collection.
    Collection,
    /// Servers, which one process has none of, or what this process does anyway.
    NotNeeded,
    /// Something that is not done here.
    Nothing(&'static str),
}

/// What the launcher, the servers and the exporters are told.
const NOT_NEEDED: [&str; 45] = [
    "entrypoint",
    "default_host",
    "head_server",
    "disallowed_ports",
    "head_server_deps",
    "python_version",
    "pip_install_verbose",
    "use_absolute_ip",
    "uv_pip_set_python",
    "skip_venv_if_present",
    "hf_token",
    "ray_head_node_address",
    "port_range_low",
    "port_range_high",
    "dry_run",
    "model_endpoint_readiness_timeout_seconds",
    "allow_openai_version_skew",
    "uv_cache_dir",
    "uv_venv_dir",
    "results_dir",
    "cache_dir",
    "nemo_gym_log_dir",
    "verbose",
    "json",
    "query",
    "component_name",
    "uvicorn_timeout_worker_healthcheck",
    "uvicorn_logging_show_200_ok",
    "global_aiohttp_connector_limit",
    "global_aiohttp_connector_limit_per_host",
    "global_aiohttp_client_request_debug",
    "global_aiohttp_tcp_keepalive_idle_seconds",
    "global_aiohttp_tcp_keepalive_interval_seconds",
    "global_aiohttp_tcp_keepalive_probes",
    "error_on_almost_servers",
    "wandb_project",
    "wandb_name",
    "wandb_api_key",
    "mlflow_tracking_uri",
    "mlflow_tracking_token",
    "mlflow_experiment_name",
    "mlflow_run_name",
    "upload_rollouts",
    "should_download",
    "mode",
];

const NOTHING: [(&str, &str); 9] = [
    ("responses_create_params", "give the model `sampling_overrides` among its settings"),
    ("skip_verification", "every rollout is verified"),
    ("skip_verification_reward", "every rollout is verified"),
    ("token_id_capture", "models keep token ids: `return_token_id_information`"),
    ("observability_enabled", "`telemetry.prometheus` serves metrics"),
    ("model_call_capture_dir", "records hold every model call"),
    ("profiling_enabled", "`telemetry.prometheus` serves metrics"),
    ("profiling_results_dirpath", "`telemetry.prometheus` serves metrics"),
    ("output_dirpath", "give `--output` to the command that writes"),
];

/// What a key at the top is about; `None` for a variable of the user's.
pub(super) fn meaning(key: &str) -> Option<Flat> {
    if key == INPUT || COLLECTION.iter().any(|(name, _)| *name == key) {
        return Some(Flat::Collection);
    }
    if NOT_NEEDED.contains(&key) {
        return Some(Flat::NotNeeded);
    }
    let nothing = NOTHING.iter().find(|(name, _)| *name == key);
    nothing.map(|(_, reason)| Flat::Nothing(reason))
}

/// The `collect` section that flat keys come to, and the file to read.
pub(super) fn collection(whole: &Node, kept: &Node) -> (Node, Option<Node>) {
    let set = |key: &str| {
        // A limit of 0 is none at all, in NeMo Gym.
        let says_all = |node: &Node| {
            node.value == Value::Null || (key == "limit" && node.value == Value::Integer(0))
        };
        whole.get(key).filter(|node| !says_all(node))?;
        kept.get(key).cloned()
    };
    let mut section = Node::empty();
    for (key, target) in COLLECTION {
        if let Some(value) = set(key) {
            section.put(&path(target), value);
        }
    }
    // The agent is looked up, so its name is needed as it comes to.
    if let (Some(_), Some(agent)) = (section.get("agent"), whole.get("agent_name")) {
        section.put(&KeyPath::root().child("agent"), agent.clone());
    }
    (section, set(INPUT))
}
