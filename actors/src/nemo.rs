//! What NeMo Gym calls the models and agents of this crate, and what becomes of their keys.

use framework::config::nemo::{Counterpart, Fate, Server};

use Fate::{NotNeeded, Nothing, To, ToEnvironment, WordsToEnvironment};

/// The keys of an endpoint that have other names here.
const ENDPOINT: &[(&str, Fate)] = &[
    ("openai_base_url", To("settings.base_url")),
    ("openai_api_key", To("settings.api_key")),
    ("openai_model", To("settings.model")),
    ("openai_default_headers", To("settings.default_headers")),
    ("max_concurrent_requests", To("max_in_flight")),
    ("num_concurrent_requests", To("max_in_flight")),
    ("provider", Nothing("name its endpoint: `base_url`")),
];

/// vLLM's Responses API in place of its Chat Completions.
const NATIVE: &[(&str, Fate)] = &[
    ("is_responses_native", NotNeeded),
    ("chat_template_kwargs", To("settings.extra_body.chat_template_kwargs")),
    ("uses_reasoning_parser", NotNeeded),
    ("uses_interleaved_reasoning", NotNeeded),
    ("return_token_id_information", Nothing("token ids come with Chat Completions only")),
];

const AZURE: &[(&str, Fate)] = &[
    ("openai_base_url", To("settings.endpoint")),
    ("openai_api_key", To("settings.api_key")),
    ("openai_model", To("settings.deployment")),
    ("openai_default_headers", To("settings.default_headers")),
    ("default_query.api-version", To("settings.api_version")),
    ("num_concurrent_requests", To("max_in_flight")),
    ("max_concurrent_requests", To("max_in_flight")),
];

const BACKENDS: &[(&str, &str)] = &[("singularity", "apptainer"), ("local", "native")];

/// The loop stays with the agent; where commands run and what grades them is its environment's.
const MINI_SWE: &[(&str, Fate)] = &[
    ("env", WordsToEnvironment("settings.sandbox.backend", BACKENDS)),
    ("cache_dir_template", ToEnvironment("settings.sandbox.image")),
    ("step_timeout", ToEnvironment("settings.step_timeout")),
    ("eval_timeout", ToEnvironment("settings.eval_timeout")),
    ("concurrency", ToEnvironment("max_sessions")),
    ("run_golden", Nothing("reference patches are run by `rehearsal verify` of their rollouts")),
    ("skip_if_exists", Nothing("`rehearsal collect --resume` goes on with an output")),
];

const OWN_SERVER: &str = "start the server yourself, and name it as a `vllm_model`: `base_url`";

/// All of them.
pub(crate) const COUNTERPARTS: &[Counterpart] = &[
    Counterpart { keys: ENDPOINT, ..Counterpart::of(Server::Model, "openai_model", "openai") },
    Counterpart {
        when: &[("is_responses_native", "true")],
        keys: NATIVE,
        ..Counterpart::of(Server::Model, "vllm_model", "openai")
    },
    Counterpart {
        keys: &[("is_responses_native", NotNeeded)],
        ..Counterpart::of(Server::Model, "vllm_model", "chat_completions")
    },
    Counterpart {
        keys: AZURE,
        ..Counterpart::of(Server::Model, "azure_openai_model", "azure_openai")
    },
    Counterpart {
        keys: ENDPOINT,
        ..Counterpart::of(Server::Model, "inference_provider", "chat_completions")
    },
    Counterpart::none(Server::Model, "local_vllm_model", OWN_SERVER),
    Counterpart::none(Server::Model, "local_vllm_model_proxy", OWN_SERVER),
    Counterpart::none(
        Server::Model,
        "litellm_model",
        "name the endpoint itself: `chat_completions`, `openai`, `azure_openai` or `anthropic`",
    ),
    Counterpart::none(Server::Model, "genrm_model", "no model compares two responses by itself"),
    // It is there to be referred to, where no model is asked.
    Counterpart {
        defaults: &[("settings.rules", "[]")],
        ..Counterpart::of(Server::Model, "dummy_model", "scripted")
    },
    Counterpart::of(Server::Agent, "simple_agent", "tool_loop"),
    Counterpart::none(
        Server::Agent,
        "non_executing_simple_agent",
        "no agent leaves the model's tool calls undone; `tool_loop` runs them",
    ),
    Counterpart {
        keys: MINI_SWE,
        environment: Some("mini_swe"),
        ..Counterpart::of(Server::Agent, "mini_swe_agent", "mini_swe")
    },
];
