//! The same rollouts through every kind of model that asks an endpoint: records differ in nothing but
//! ids, usage and what the endpoint adds, however the answers come and whatever goes wrong on the way.

mod cancellation;
mod faults;
mod replicas;
mod secrets;

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::command::Folder;
use service::Mock;

#[path = "../examples/mock_endpoint/answers.rs"]
mod answers;
#[path = "../examples/mock_endpoint/faulty.rs"]
mod faulty;
#[path = "../examples/mock_endpoint/service.rs"]
mod service;

/// The `base_url` of a mock, which serves until the program ends.
fn mock(mock: Arc<Mock>) -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let program = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        program.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(format!("http://{}/v1", listener.local_addr().unwrap())).unwrap();
            service::serve(mock, listener).await.unwrap();
        });
    });
    receiver.recv().unwrap()
}

/// The kinds that ask an endpoint, with settings that point them to some.
fn kinds(base_urls: &[String]) -> Vec<(&'static str, Value)> {
    let openai = json!({ "base_url": base_urls, "model": "mock" });
    let roots: Vec<_> = base_urls.iter().map(|url| url.trim_end_matches("/v1")).collect();
    let azure = json!({ "endpoint": roots, "deployment": "mock", "api_key": "none" });
    let with_tokens =
        json!({ "base_url": base_urls, "model": "mock", "return_token_id_information": true });
    vec![
        ("openai", openai.clone()),
        ("chat_completions", openai.clone()),
        ("chat_completions", with_tokens),
        ("azure_openai", azure),
        ("anthropic", openai),
    ]
}

/// Settings with others laid over them.
fn with(settings: &Value, more: &Value) -> Value {
    let mut all = settings.clone();
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

/// The records of `simple_weather`'s example tasks through a kind of model.
fn collect(kind: &str, settings: &Value, repeats: usize) -> Vec<Value> {
    let folder = Folder::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::os::unix::fs::symlink(root.join("environments"), folder.path("environments")).unwrap();
    let weather = std::fs::read_to_string(root.join("configs/simple_weather.yaml")).unwrap();
    folder.write("config.yaml", &weather);
    let overlay = json!({
        "models": { "endpoint": { "kind": kind, "settings": settings } },
        "agents": { "solver": { "model": "endpoint" } },
        "collect": { "output": "out.jsonl", "repeats": repeats, "max_attempts": 10 },
    });
    folder.write("model.yaml", &overlay.to_string());
    folder.run(&["collect", "--config", "config.yaml", "--config", "model.yaml"]).exits_with(0);
    let mut records: Vec<Value> =
        folder.read("out.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    records.sort_by_key(|record| {
        (record["rehearsal"]["task"].to_string(), record["rehearsal"]["repeat"].as_u64())
    });
    records
}

/// What any kind of model has to record alike.
fn comparable(record: &Value) -> Value {
    let mut record = record.clone();
    let provenance = record["rehearsal"].as_object_mut().unwrap();
    provenance.retain(|name, _| name != "timings" && name != "attempt");
    let response = record["response"].take();
    let items = response["output"].as_array().unwrap().iter().map(|item| {
        let mut item = item.clone();
        item.as_object_mut().unwrap().retain(|name, _| {
            name != "id" && !name.contains("_token_ids") && name != "generation_log_probs"
        });
        item
    });
    record["response"] = json!([response["status"], response["model"], items.collect::<Vec<_>>()]);
    record
}

/// What the Responses API gives, in one piece.
fn plain(repeats: usize) -> Vec<Value> {
    let settings = json!({ "base_url": mock(Arc::default()), "model": "mock" });
    let records = collect("openai", &settings, repeats);
    assert!(records.len() >= 5 * repeats);
    records.iter().map(comparable).collect()
}

#[test]
fn every_kind_of_model_records_the_same_rollouts_whole_and_streamed() {
    let expected = plain(1);
    let url = mock(Arc::default());
    for (kind, settings) in kinds(std::slice::from_ref(&url)) {
        for stream in [false, true] {
            let settings = with(&settings, &json!({ "http": { "stream": stream } }));
            let records: Vec<_> = collect(kind, &settings, 1).iter().map(comparable).collect();
            assert_eq!(records, expected, "{kind} {settings}");
        }
    }
}

#[test]
fn answers_that_are_written_in_lines_make_records_of_one_line() {
    let expected = plain(1);
    let url = mock(Arc::new(Mock { pretty: true, ..Mock::default() }));
    // Anthropic's tool calls are JSON themselves, whose text is the arguments.
    let kinds =
        kinds(std::slice::from_ref(&url)).into_iter().filter(|(kind, _)| *kind != "anthropic");
    for (kind, settings) in kinds {
        let records: Vec<_> = collect(kind, &settings, 1).iter().map(comparable).collect();
        assert_eq!(records, expected, "{kind} {settings}");
    }
}

#[test]
fn a_script_with_several_calls_in_a_step_is_played_to_every_kind() {
    let weather = |city: &str| json!({ "name": "get_weather", "arguments": { "city": city, "days": [1, 2] } });
    let script = json!([
        { "say": "Let me see, \"briefly\".", "calls": [weather("Rome"), weather("Oslo")] },
        { "calls": [weather("Nuuk")] },
        { "say": "Cold.\n" },
    ]);
    let play = |kind: usize, stream: bool| {
        let script = answers::Script::parse(&script.to_string()).unwrap();
        let url = mock(Arc::new(Mock { script, ..Mock::default() }));
        let (kind, settings) = kinds(&[url]).swap_remove(kind);
        let settings = with(&settings, &json!({ "http": { "stream": stream } }));
        collect(kind, &settings, 1).iter().map(comparable).collect::<Vec<_>>()
    };
    let expected = play(0, false);
    let items = &expected[0]["response"][2];
    let types: Vec<_> =
        items.as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    let (call, output) = ("function_call", "function_call_output");
    assert_eq!(types, ["message", call, call, output, output, call, output, "message"]);
    for kind in 0..kinds(&[]).len() {
        for stream in [false, true] {
            assert_eq!(play(kind, stream), expected, "{kind}, stream {stream}");
        }
    }
}

#[test]
fn the_options_of_the_mock_are_read_and_its_latencies_drawn() {
    use faulty::{Fault, Latency, Rate};
    let millis = std::time::Duration::from_millis;
    let mean = |latency: Latency| {
        let drawn: Vec<_> = (0..10_000).map(|number| latency.draw(number).as_secs_f64()).collect();
        1000.0 * drawn.iter().sum::<f64>() / 10_000.0
    };
    for (text, expected, low, high) in [
        ("0ms", Latency::None, 0.0, 0.0),
        ("20ms", Latency::Fixed(millis(20)), 20.0, 20.0),
        ("uniform(10ms, 50ms)", Latency::Uniform(millis(10), millis(50)), 29.0, 31.0),
        ("exponential(20ms)", Latency::Exponential(millis(20)), 19.0, 21.0),
        ("lognormal(20ms,0.5)", Latency::LogNormal(millis(20), 0.5), 22.0, 23.5),
    ] {
        let latency = Latency::parse(text).unwrap();
        assert_eq!(latency, expected, "{text}");
        let mean = mean(latency);
        assert!((low - 1e-6..=high + 1e-6).contains(&mean), "{text}: {mean}");
    }
    for wrong in ["soon", "uniform(1ms)", "uniform(2ms,1ms)", "normal(1ms)", "exponential(1ms"] {
        assert!(Latency::parse(wrong).is_err(), "{wrong}");
    }
    for (text, fault) in [
        ("429=0.25", Fault::Status(429)),
        ("hang=0.25", Fault::Hang),
        ("hang-up=0.25", Fault::HangUp),
        ("truncate=0.25", Fault::Truncate),
        ("garbage=0.25", Fault::Garbage),
    ] {
        let rate = Rate::parse(text).unwrap();
        assert_eq!(rate.fault, fault);
        assert_eq!((0..1000).filter(|number| rate.strikes(*number)).count(), 250);
    }
    for wrong in ["429", "200=0.1", "429=2", "burn=0.1", "429=x"] {
        assert!(Rate::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn records_for_training_hold_the_token_ids_of_every_call() {
    let url = mock(Arc::default());
    for (inline, stream) in [(true, false), (false, false), (true, true), (false, true)] {
        let settings = json!({
            "base_url": url,
            "model": "mock",
            "http": { "stream": stream },
            "return_token_id_information": true,
            "request_prompt_and_generation_token_ids": inline,
            "on_token_prefix_break": "fail",
        });
        for record in collect("chat_completions", &settings, 1) {
            let output = &record["response"]["output"];
            let ids = |index: usize| {
                let item: &Value = &output[index];
                json!([
                    item["prompt_token_ids"],
                    item["generation_token_ids"],
                    item["generation_log_probs"]
                ])
            };
            assert_eq!(ids(0), json!([[1, 2, 3, 4], [5, 6], [-0.5, -0.5]]));
            assert_eq!(output[1]["type"], "function_call_output");
            assert_eq!(ids(2), json!([[1, 2, 3, 4, 5, 6, 7, 8], [9], [-0.5]]));
        }
    }
}

#[test]
fn every_overlay_is_a_configuration() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Folder::new();
    std::os::unix::fs::symlink(root.join("environments"), folder.path("environments")).unwrap();
    std::os::unix::fs::symlink(root.join("configs"), folder.path("configs")).unwrap();
    let overlays = std::fs::read_dir(root.join("configs/models")).unwrap();
    let overlays: Vec<_> = overlays.map(|entry| entry.unwrap().file_name()).collect();
    assert!(overlays.len() >= 6);
    for overlay in overlays {
        let overlay = format!("configs/models/{}", overlay.to_str().unwrap());
        let arguments = ["check", "--config", "configs/simple_weather.yaml", "--config", &overlay];
        folder.run(&arguments).exits_with(0);
    }
}
