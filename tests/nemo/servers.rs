//! Implementations by their old and new names, and what becomes of their keys.

use serde_json::{Value, json};

use super::{ENV, load, translate, warnings};
use crate::support::command::Folder;

/// A configuration with one server of an implementation, and keys of its own.
fn one(server: &str, implementation: &str, keys: &Value) -> Folder {
    let folder = Folder::new();
    let mut inner = json!({ "entrypoint": "app.py" });
    if server == "resources_servers" {
        inner["domain"] = "other".into();
    }
    inner.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    let judge = json!({
        "entrypoint": "app.py", "openai_base_url": "http://h/v1", "openai_api_key": "${policy_api_key}",
        "openai_model": "judge",
    });
    let config = json!({
        "judge": { "responses_api_models": { "openai_model": judge } },
        "it": { server: { implementation: inner } },
    });
    folder.write("config.yaml", &config.to_string());
    folder.write("env.yaml", ENV);
    folder
}

/// What an environment comes to: its kind and settings.
fn environment(implementation: &str, keys: Value) -> (String, Value) {
    let folder = one("resources_servers", implementation, &keys);
    let config = load(&folder, &["config.yaml"], &[]);
    assert_eq!(warnings(&config), [""; 0], "{implementation}");
    let spec = &config.environments["it"];
    config.check(&rehearsal::kinds().names()).unwrap();
    (spec.kind.clone(), spec.settings.to_json())
}

#[test]
fn environments_are_known_by_their_old_and_their_new_names() {
    for (old, new) in [
        ("simple_weather", "example_single_tool_call"),
        ("stateful_counter", "example_session_state_mgmt"),
        ("multineedle", "example_multi_step"),
        ("multiverse_math_hard", "math_advanced_calculations"),
        ("workbench", "workplace_assistant"),
        ("mcqa", "mcqa"),
        ("structured_outputs", "structured_outputs"),
        ("instruction_following", "instruction_following"),
        ("google_search", "google_search"),
    ] {
        assert_eq!(environment(old, json!({})), (old.to_owned(), json!({})));
        assert_eq!(environment(new, json!({})), (old.to_owned(), json!({})));
    }
    assert_eq!(environment("mini_swe_resource", json!({})).0, "mini_swe");
}

#[test]
fn under_a_new_name_an_environment_behaves_as_the_new_version_does() {
    let math = json!({
        "judge_model_server": { "type": "responses_api_models", "name": "judge" },
        "judge_responses_create_params": { "input": [] }, "should_use_judge": true,
    });
    let settings = json!({
        "judge_model": "judge", "judge_responses_create_params": { "input": [] }, "should_use_judge": true,
    });
    let (kind, old) = environment("library_judge_math", math.clone());
    assert_eq!((kind.as_str(), old), ("library_judge_math", settings.clone()));
    let (kind, new) = environment("math_with_judge", math);
    let mut expected = settings;
    expected["judge_compares"] = "extracted_answer".into();
    expected["strip_delimiters"] = true.into();
    assert_eq!((kind.as_str(), new), ("library_judge_math", expected));

    let seconds = json!({ "max_execution_time": 20 });
    assert_eq!(environment("python_math_exec", seconds.clone()).1, seconds);
    assert_eq!(
        environment("math_with_code", seconds),
        (
            "python_math_exec".to_owned(),
            json!({ "max_execution_time": 20, "comparison": "numeric" })
        )
    );
    let tests = json!({ "num_processes": 4, "unit_test_timeout_secs": 5, "debug": false });
    assert_eq!(
        environment("comp_coding", tests.clone()),
        ("comp_coding".to_owned(), tests.clone())
    );
    let mut tolerant = tests.clone();
    tolerant["call_comparison"] = "tolerant".into();
    assert_eq!(environment("code_gen", tests), ("comp_coding".to_owned(), tolerant));
}

#[test]
fn a_judge_is_a_model_and_has_time() {
    let keys = json!({
        "judge_model_server": { "type": "responses_api_models", "name": "judge" },
        "judge_responses_create_params": { "input": [] },
        "judge_prompt_template_fpath": "prompt_templates/mine.txt",
        "check_twice_swap": true, "question_extract_regex": null,
    });
    let folder = one("resources_servers", "equivalence_llm_judge", &keys);
    let prompt = "resources_servers/equivalence_llm_judge/prompt_templates/mine.txt";
    folder.write(prompt, "{question} {expected_answer} {generated_answer}");
    let config = load(&folder, &["config.yaml"], &[]);
    let spec = &config.environments["it"];
    let settings = spec.settings.to_json();
    assert_eq!(
        (&settings["judge_model"], &settings["check_twice_swap"]),
        (&json!("judge"), &json!(true))
    );
    assert_eq!(settings["judge_prompt_template_fpath"], prompt);
    assert_eq!(spec.verify_timeout.duration().as_secs(), 600);
    rehearsal::framework::runtime::check(&config, &rehearsal::kinds()).unwrap();
}

/// What a model comes to: kind, calls at once, settings.
fn model(implementation: &str, keys: &Value) -> (String, usize, Value) {
    let folder = one("responses_api_models", implementation, keys);
    let config = load(&folder, &["config.yaml"], &[]);
    assert_eq!(warnings(&config), [""; 0], "{implementation}");
    let spec = &config.models["it"];
    rehearsal::framework::runtime::check(&config, &rehearsal::kinds()).unwrap();
    (spec.kind.clone(), spec.max_in_flight.get(), spec.settings.to_json())
}

#[test]
fn model_servers_become_models_with_their_keys_renamed() {
    let openai = json!({
        "openai_base_url": "http://h/v1", "openai_api_key": "${policy_api_key}", "openai_model": "m",
        "extra_body": { "a": 1 }, "openai_default_headers": { "x-team": "${policy_model_name}" },
        "max_concurrent_requests": 8, "drop_input_reasoning_items": true, "num_workers": 2,
    });
    let expected = json!({
        "base_url": "http://h/v1", "api_key": "sk-of-the-policy", "model": "m", "extra_body": { "a": 1 },
        "default_headers": { "x-team": "my-model" }, "drop_input_reasoning_items": true,
    });
    assert_eq!(model("openai_model", &openai), ("openai".to_owned(), 8, expected));

    let vllm = json!({
        "base_url": ["http://a/v1", "http://b/v1"], "api_key": "${policy_api_key}", "model": "m",
        "return_token_id_information": true, "uses_reasoning_parser": false,
        "replace_developer_role_with_system": true, "uses_interleaved_reasoning": false,
        "preserve_reasoning_in_assistant_content": false, "sequential_reasoning_allowed": false,
        "request_prompt_and_generation_token_ids": true, "chat_template_kwargs": { "enable_thinking": false },
        "extra_body": null, "sampling_overrides": { "temperature": 0.6 }, "default_headers": {},
        "use_completions_api": false, "render_chat_template": false, "tokenizer": null, "audio_root": null,
    });
    let (kind, _, settings) = model("vllm_model", &vllm);
    let mut expected = vllm.clone();
    expected["api_key"] = "sk-of-the-policy".into();
    assert_eq!((kind.as_str(), settings), ("chat_completions", expected));

    let azure = json!({
        "openai_base_url": "https://mine.openai.azure.com", "openai_api_key": "${policy_api_key}",
        "openai_model": "deployed", "default_query": { "api-version": "2024-10-21" },
        "num_concurrent_requests": 4,
    });
    let expected = json!({
        "endpoint": "https://mine.openai.azure.com", "api_key": "sk-of-the-policy", "deployment": "deployed",
        "api_version": "2024-10-21",
    });
    assert_eq!(model("azure_openai_model", &azure), ("azure_openai".to_owned(), 4, expected));

    let hosted = json!({
        "base_url": "http://h/v1", "api_key": "${policy_api_key}", "model": "m",
        "num_concurrent_requests": 1000,
    });
    let (kind, in_flight, _) = model("inference_provider", &hosted);
    assert_eq!((kind.as_str(), in_flight), ("chat_completions", 1000));
}

#[test]
fn a_model_server_that_passes_responses_on_becomes_one_of_the_responses_api() {
    let native = json!({
        "base_url": "http://h/v1", "api_key": "${policy_api_key}", "model": "m", "is_responses_native": true,
        "return_token_id_information": false, "uses_reasoning_parser": true,
        "chat_template_kwargs": { "enable_thinking": false }, "extra_body": { "a": 1 },
    });
    let expected = json!({
        "base_url": "http://h/v1", "api_key": "sk-of-the-policy", "model": "m",
        "extra_body": { "a": 1, "chat_template_kwargs": { "enable_thinking": false } },
    });
    assert_eq!(model("vllm_model", &native), ("openai".to_owned(), 65_536, expected));
}

#[test]
fn the_software_engineer_is_an_agent_and_an_environment() {
    let keys = json!({
        "model_server": { "type": "responses_api_models", "name": "judge" },
        "env": "singularity", "concurrency": 16, "cache_dir_template": "/images/{instance_id}.sif",
        "run_golden": false, "step_timeout": 300, "eval_timeout": 900, "skip_if_exists": false,
        "step_limit": 100, "collapse_limit": 5,
    });
    let folder = one("responses_api_agents", "mini_swe_agent", &keys);
    let config = load(&folder, &["config.yaml"], &[]);
    assert_eq!(warnings(&config), [""; 0]);
    let agent = &config.agents["it"];
    assert_eq!((agent.kind.as_str(), agent.environment.as_str()), ("mini_swe", "it"));
    assert_eq!(agent.settings.to_json(), json!({ "step_limit": 100, "collapse_limit": 5 }));
    let environment = &config.environments["it"];
    assert_eq!((environment.kind.as_str(), environment.max_sessions.get()), ("mini_swe", 16));
    assert_eq!(
        environment.settings.to_json(),
        json!({
            "sandbox": { "backend": "apptainer", "image": "/images/{instance_id}.sif" },
            "step_timeout": 300, "eval_timeout": 900,
        })
    );
    assert_eq!(environment.tool_timeout.duration().as_secs(), 900);
    rehearsal::framework::runtime::check(&config, &rehearsal::kinds()).unwrap();
}

/// What is lost of a configuration, one a line.
fn lost(server: &str, implementation: &str, keys: &Value) -> Vec<String> {
    let folder = one(server, implementation, keys);
    let translation = translate(&folder, &["config.yaml"], &[]);
    let mut lines: Vec<String> = translation.warnings.iter().map(ToString::to_string).collect();
    for line in &mut lines {
        *line = line
            .replace("config.yaml:1: `it.", "`")
            .replace(" left out, it has no counterpart", " -");
    }
    lines
}

#[test]
fn what_has_no_counterpart_is_listed_with_its_place_and_reason() {
    let agent = json!({
        "resources_server": null, "model_server": null, "skip_verification": true, "max_stepz": 3,
        "token_id_capture": false,
    });
    assert_eq!(
        lost("responses_api_agents", "simple_agent", &agent),
        [
            "`responses_api_agents.simple_agent.max_stepz`: -: `tool_loop` does not have it; did you mean `max_steps`?",
            "`responses_api_agents.simple_agent.skip_verification`: -: every rollout is verified",
        ]
    );
    assert_eq!(
        lost(
            "resources_servers",
            "mcqa",
            &json!({ "expose_tools_over_mcp": true, "shuffle": true })
        ),
        [
            "`resources_servers.mcqa.shuffle`: -: `mcqa` does not have it",
            "`resources_servers.mcqa.expose_tools_over_mcp`: -: tools are not served over MCP",
        ]
    );
    assert_eq!(
        lost("resources_servers", "workbensh", &json!({})),
        ["`resources_servers.workbensh`: -: did you mean `workbench`?"]
    );
    let started = lost("responses_api_models", "local_vllm_model", &json!({}));
    assert!(started[0].contains("start the server yourself"), "{started:?}");
    assert_eq!(
        lost("responses_api_agents", "osworld_agent", &json!({})),
        ["`responses_api_agents.osworld_agent`: -"]
    );
}

#[test]
fn an_entry_without_an_entrypoint_is_no_server_and_said_to_be_none() {
    let folder = Folder::new();
    folder.write("config.yaml", "it: { resources_servers: { mcqa: { domain: knowledge } } }");
    let config = load(&folder, &["config.yaml"], &[]);
    assert!(config.environments.is_empty());
    let said = warnings(&config);
    assert!(said[0].contains("without an `entrypoint` NeMo Gym starts no server"), "{said:?}");
}

#[test]
fn kinds_of_an_embedder_are_known_by_their_own_names() {
    let folder = one("resources_servers", "ledger", &json!({ "scene": "none" }));
    let loader = rehearsal::prelude::Loader::new().kinds(&crate::support::ledger::kinds());
    let config = loader.working_directory(folder.path("")).file("config.yaml").load().unwrap();
    assert_eq!(config.environments["it"].kind, "ledger");
    assert_eq!(config.environments["it"].settings.to_json(), json!({ "scene": "none" }));
}
