//! What NeMo Gym calls the environments of this crate, in its first version and since, and what becomes of
//! their keys. Under a new name an environment behaves as the new version does.

use framework::config::nemo::{Counterpart, Fate, Server};

use Fate::{File, Name, NotNeeded};

/// A judge may take as long as any model, and is asked twice or more.
const JUDGED: &[(&str, &str)] = &[("verify_timeout", "10m")];
const JUDGE: (&str, Fate) = ("judge_model_server", Name("settings.judge_model"));
const PROMPT: (&str, Fate) =
    ("judge_prompt_template_fpath", File("settings.judge_prompt_template_fpath"));

const fn of(implementation: &'static str, kind: &'static str) -> Counterpart {
    Counterpart::of(Server::Resources, implementation, kind)
}

const OTHER: &str = "it is another environment than those that ship";

/// All of them; what has the same name and the same keys needs no entry.
pub(crate) const COUNTERPARTS: &[Counterpart] = &[
    of("example_single_tool_call", "simple_weather"),
    of("example_session_state_mgmt", "stateful_counter"),
    of("example_multi_step", "multineedle"),
    of("math_advanced_calculations", "multiverse_math_hard"),
    of("workplace_assistant", "workbench"),
    Counterpart {
        // Longer than a command and the tests may take, which agents say.
        defaults: &[("tool_timeout", "15m"), ("verify_timeout", "1h")],
        ..of("mini_swe_resource", "mini_swe")
    },
    Counterpart {
        keys: &[JUDGE, PROMPT],
        defaults: JUDGED,
        ..of("equivalence_llm_judge", "equivalence_llm_judge")
    },
    Counterpart {
        keys: &[JUDGE, PROMPT],
        defaults: JUDGED,
        ..of("library_judge_math", "library_judge_math")
    },
    Counterpart {
        keys: &[
            JUDGE,
            PROMPT,
            ("library_verifier_timeout_seconds", NotNeeded),
            ("library_verifier_max_concurrency", NotNeeded),
        ],
        defaults: &[
            ("verify_timeout", "10m"),
            ("settings.judge_compares", "extracted_answer"),
            ("settings.strip_delimiters", "true"),
        ],
        ..of("math_with_judge", "library_judge_math")
    },
    Counterpart {
        defaults: &[("settings.comparison", "numeric")],
        ..of("math_with_code", "python_math_exec")
    },
    Counterpart {
        defaults: &[("settings.call_comparison", "tolerant")],
        ..of("code_gen", "comp_coding")
    },
    Counterpart::none(Server::Resources, "ifbench", OTHER),
    Counterpart::none(Server::Resources, "verifif", OTHER),
    Counterpart::none(Server::Resources, "tavily_search", OTHER),
];
