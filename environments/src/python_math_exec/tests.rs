//! What the tool answers, and which answers earn a reward.

use framework::environment::Trial;
use framework::responses::Item;
use serde_json::Value;

use super::*;
use crate::sandbox::fake::Fake;
use crate::trials;

fn row(expected: &str) -> String {
    let row = json!({
        "id": 1, "expected_result": expected, "expected_code_contains": "",
        "responses_create_params": {"input": "?"},
    });
    row.to_string()
}

async fn open() -> Trial<PythonMathExec> {
    Trial::open(r#"{"max_execution_time": "600ms"}"#, &row("1")).await.unwrap()
}

async fn run(trial: &mut Trial<PythonMathExec>, code: &str) -> Value {
    let text = trial.call("execute_python", &json!({ "code": code }).to_string()).await;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn said(text: &str) -> Item {
    let message = json!({
        "type": "message", "role": "assistant",
        "content": [{"type": "output_text", "text": text}],
    });
    Item::parse(&message.to_string()).unwrap()
}

#[tokio::test]
async fn the_answer_has_its_keys_in_order_and_no_spaces() {
    let mut trial = open().await;
    let text = trial.call("execute_python", r#"{"code":"print('a')\n1 + 1"}"#).await;
    let expected =
        r#"{"success":true,"stdout":"a\n","stderr":"","error_message":null,"result":"2"}"#;
    assert_eq!(text, expected);
    let text = trial.call("execute_python", r#"{"code":"print('b')\n1 / 0"}"#).await;
    let expected = r#"{"success":false,"stdout":"b\n","stderr":"","error_message":"division by zero","result":null}"#;
    assert_eq!(text, expected);
}

#[tokio::test]
async fn the_last_statement_gives_the_result_and_runs_once() {
    let mut trial = open().await;
    for (code, result) in [
        ("y = []\ny.append(3)", json!("None")),
        ("y", json!("[3]")),
        ("print(y)", Value::Null),
        ("x = 3; x + 1", json!("4")),
        ("(1 +\n 2)", json!("3")),
        ("for i in range(3):\n    i", Value::Null),
        ("format_x = 5\nformat_x", json!("5")),
        ("iffy = 6; iffy", json!("6")),
        ("if True:\n    iffy", Value::Null),
        ("def f(n):\n    return 1 if n == 0 else n * f(n - 1)", Value::Null),
        ("f(5)", json!("120")),
        ("sum(x for _ in range(3))", json!("9")),
        ("[x + i for i in range(2)]", json!("[3, 4]")),
        ("sorted([2, 1])", json!("[1, 2]")),
        ("class A:\n    pass", Value::Null),
        ("10 ** 5000", Value::Null),
        ("", Value::Null),
        ("# nothing", Value::Null),
        ("'\\ud800'", json!("?")),
    ] {
        let answer = run(&mut trial, code).await;
        assert_eq!(answer["success"], true, "{code}: {answer}");
        assert_eq!(answer["result"], result, "{code}: {answer}");
    }
}

#[tokio::test]
async fn exceptions_are_told_by_their_text_and_keep_the_output() {
    let mut trial = open().await;
    for (code, message) in [
        ("1 / 0", "division by zero"),
        ("undefined", "name 'undefined' is not defined"),
        ("(", "'(' was never closed (<string>, line 4)"),
        ("assert False", ""),
        ("raise KeyError('k')", "'k'"),
        ("raise KeyboardInterrupt", ""),
        ("import nonsense", "No module named 'nonsense'"),
        ("import sys\nsys.exit('why')", "why"),
        ("x = bytearray(1 << 45)", "out of memory"),
        ("open('/etc/shadow')", "[Errno 2] No such file or directory: '/etc/shadow'"),
    ] {
        let answer = run(
            &mut trial,
            &format!("import sys\nprint('o')\nprint('e', file=sys.stderr)\n{code}"),
        )
        .await;
        assert_eq!(answer["error_message"], message, "{code}");
        let is_compiled = !message.contains("never closed");
        let printed = if is_compiled { ("o\n", "e\n") } else { ("", "") };
        assert_eq!(
            (answer["stdout"].as_str().unwrap(), answer["stderr"].as_str().unwrap()),
            printed
        );
        assert_eq!((&answer["success"], &answer["result"]), (&json!(false), &Value::Null));
    }
}

#[tokio::test]
async fn leaving_and_running_late_are_harmless() {
    let mut trial = open().await;
    assert_eq!(run(&mut trial, "x = 5\nimport sys\nsys.exit()").await["success"], true);
    assert_eq!(run(&mut trial, "x").await["result"], "5");
    let late = run(&mut trial, "print('so far')\nwhile True: pass").await;
    assert_eq!(
        (&late["error_message"], &late["stdout"]),
        (&json!("code timed-out"), &json!("so far\n"))
    );
    assert_eq!(run(&mut trial, "x").await["result"], "5", "the state survives");
    let polite = "import time\ntry:\n    time.sleep(60)\nexcept Exception:\n    print('caught')";
    assert_eq!(run(&mut trial, polite).await["error_message"], "code timed-out");
    assert_eq!(run(&mut trial, "x").await["result"], "5");
    let bare = "try:\n    while True: pass\nexcept:\n    raise ValueError('caught')";
    assert_eq!(run(&mut trial, bare).await["error_message"], "code timed-out");
    assert_eq!(run(&mut trial, "x").await["result"], "5");
    let endless = "while True:\n    try:\n        while True: pass\n    except:\n        pass";
    let answer = run(&mut trial, endless).await;
    // It is interrupted again and again, and may be so where it catches nothing.
    assert!(answer["error_message"].as_str().unwrap().starts_with("code timed-out"), "{answer}");
    assert_eq!(run(&mut trial, "x = 5").await["success"], true);
    let deaf = "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True: pass";
    let answer = run(&mut trial, deaf).await;
    assert_eq!(answer["error_message"], "code timed-out; its variables are gone");
    assert_eq!(run(&mut trial, "x").await["error_message"], "name 'x' is not defined");
    for (code, message) in [
        ("import os; os._exit(3)", "the interpreter exited with code 3"),
        ("import ctypes; ctypes.string_at(0)", "the interpreter was ended by signal 11"),
        ("import os; os.write(3, bytes([0, 0, 0, 1, 65]))", "the interpreter was ended"),
    ] {
        let answer = run(&mut trial, code).await;
        assert_eq!(answer["error_message"], format!("{message}; its variables are gone"));
        assert_eq!(run(&mut trial, "1").await["result"], "1");
    }
}

#[tokio::test]
async fn closing_its_output_costs_a_piece_of_code_its_own_output_only() {
    let mut trial = open().await;
    let closed = run(&mut trial, "import sys\nprint('so far')\nsys.stdout.close()\n1").await;
    assert_eq!(closed["success"], true, "{closed}");
    assert_eq!(run(&mut trial, "print('again')").await["stdout"], "again\n");
    let all = "import os\nfor number in range(3):\n    os.close(number)\nprint('here')";
    assert_eq!(run(&mut trial, all).await["stdout"], "here\n");
    assert_eq!(run(&mut trial, "2").await["result"], "2");
}

#[tokio::test]
async fn an_interpreter_may_be_in_a_container() {
    let Some(fake) = Fake::new() else { return };
    let settings = json!({ "max_execution_time": "600ms", "sandbox": fake.json("image") });
    let mut trial = Trial::<PythonMathExec>::open(&settings.to_string(), &row("1")).await.unwrap();
    run(&mut trial, "x = 6").await;
    assert_eq!(run(&mut trial, "print('out')\nx * 7").await["result"], "42");
    let late = run(&mut trial, "while True: pass").await;
    assert_eq!(late["error_message"], "code timed-out");
    assert_eq!(run(&mut trial, "x").await["result"], "6", "the state survives");
    let stubborn = "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True: pass";
    let answer = run(&mut trial, stubborn).await;
    assert_eq!(answer["error_message"], "code timed-out; its variables are gone");
    assert_eq!(run(&mut trial, "import os; os.getpid()").await["result"], "1", "in a new one");
    trial.play(said(r"\boxed{1}")).await;
    assert_eq!(trial.verify().await.unwrap().reward.get(), 1.0);
}

#[tokio::test]
async fn long_output_is_cut_and_says_so() {
    let mut trial =
        Trial::<PythonMathExec>::open(r#"{"output_max": 10}"#, &row("1")).await.unwrap();
    let answer = run(&mut trial, "print('x' * 100, end='')\n'y' * 100").await;
    assert_eq!(answer["stdout"], "xxxxxxxxxx\n... (90 more characters were cut)");
    assert_eq!(answer["result"], "yyyyyyyyyy...");
}

#[tokio::test]
async fn sessions_have_interpreters_of_their_own() {
    let (mut a, mut b) = (open().await, open().await);
    run(&mut a, "x = 'a'; open('/tmp/f', 'w').write('a')").await;
    assert_eq!(run(&mut b, "x").await["error_message"], "name 'x' is not defined");
    assert_eq!(run(&mut b, "import os; os.listdir('/tmp')").await["result"], "[]");
    assert_eq!(run(&mut a, "x").await["result"], "a");
}

#[tokio::test]
async fn libraries_are_there_or_their_absence_is_told() {
    let mut trial = open().await;
    let environment_has = |module: &str| {
        let python = std::process::Command::new("python3")
            .args(["-c", &format!("import {module}")])
            .output();
        python.is_ok_and(|output| output.status.success())
    };
    for (module, alias, code) in [
        ("numpy", "np", "float(np.sqrt(4))"),
        ("pandas", "pd", "float(pd.Series([1, 1]).sum())"),
        ("scipy", "scipy", "import scipy.special\nfloat(scipy.special.comb(2, 1))"),
        ("sympy", "sympy", "float(sympy.Integer(2))"),
    ] {
        let answer = run(&mut trial, code).await;
        if environment_has(module) {
            assert_eq!(answer["result"], "2.0", "{answer}");
            continue;
        }
        let message = answer["error_message"].as_str().unwrap();
        assert!(
            message.ends_with(&format!("({module} is not installed in this interpreter)")),
            "{message}"
        );
        assert!(message.contains(alias), "{message}");
    }
}

#[tokio::test]
async fn malformed_arguments_are_explained_and_change_nothing() {
    let mut trial = open().await;
    for arguments in ["{}", r#"{"code":5}"#, r#"{"code":null}"#] {
        let answer = trial.call("execute_python", arguments).await;
        assert!(answer.contains(r#""loc":["body","code"]"#), "{answer}");
    }
}

#[tokio::test]
async fn the_box_of_the_last_message_that_has_one_earns_the_reward() {
    for (messages, expected, answer, earned) in [
        (vec![r"\boxed{1}", r"\boxed{2}"], "2", json!("2"), true),
        (vec![r"\boxed{1}", "done"], "1", json!("1"), true),
        (vec![r"\boxed{\frac{1}{2}}"], r"\frac{1}{2}", json!(r"\frac{1}{2}"), true),
        (vec![r"\boxed{9}"], r"\(9\)", json!("9"), false),
        (vec!["nothing"], "None", Value::Null, false),
        (vec![], "1", Value::Null, false),
    ] {
        let mut trial = Trial::<PythonMathExec>::open("{}", &row(expected)).await.unwrap();
        for message in &messages {
            trial.play(said(message)).await;
        }
        let verdict = trial.verify().await.unwrap();
        assert_eq!(verdict.reward, Reward::earned(earned), "{messages:?}");
        let extras: Value = serde_json::to_value(&verdict.extras).unwrap();
        assert_eq!(extras, json!({"extracted_answer": answer, "accuracy": earned}));
    }
}

#[tokio::test]
async fn a_row_may_ask_for_its_numbers_to_be_compared() {
    let row = r#"{"responses_create_params":{"input":"?"},"expected_result":"\\(9\\)","comparison":"numeric"}"#;
    let mut trial = Trial::<PythonMathExec>::open("{}", row).await.unwrap();
    run(&mut trial, r"print('\\boxed{9.0000001}')").await;
    assert_eq!(trial.verify().await.unwrap().reward, Reward::ONE);
    let wrong = row.replace("numeric", "close");
    let error = Trial::<PythonMathExec>::open("{}", &wrong).await.err().unwrap().to_string();
    assert!(error.contains("comparison"), "{error}");
}

#[tokio::test]
async fn the_gold_answers_earn_1_and_silence_earns_less() {
    trials::gold_answers_earn_1::<PythonMathExec>().await;
    trials::silence_earns_less::<PythonMathExec>().await;
}

#[tokio::test]
async fn the_expected_result_is_nowhere_in_the_interpreter() {
    let expected = "4077-the-expected-result";
    let mut trial = Trial::<PythonMathExec>::open("{}", &row(expected)).await.unwrap();
    let search = "import gc, sys\nfound, frame = [], sys._getframe()\nbackwards = 'tluser-detcepxe-eht-7704'\nwhile frame:\n    found += [name for name, value in {**frame.f_globals, **frame.f_locals}.items() if backwards[::-1] in repr(value)]\n    frame = frame.f_back\nfor it in gc.get_objects():\n    if isinstance(it, (str, bytes)) and backwards[::-1] in str(it): found.append(it)\nfound";
    let answer = run(&mut trial, search).await;
    assert_eq!(answer["result"], "[]", "{answer}");
}

/// The expected result of a recorded rollout: that of its task, if it is there, or what earned 1.
fn expected_of(record: &Value, tasks: &str) -> String {
    let prompt = |row: &Value| {
        row["responses_create_params"]["input"].as_array().unwrap().last().unwrap()["content"]
            .clone()
    };
    let tasks = tasks.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let task = tasks.into_iter().find(|task| prompt(task) == prompt(record));
    let expected =
        task.map_or(record["extracted_answer"].clone(), |task| task["expected_result"].clone());
    expected.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn recorded_rollouts_of_nemo_gym_get_their_rewards() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/conformance/python_math_exec");
    let read = |file| std::fs::read_to_string(folder.join(file));
    let (Ok(rollouts), Ok(tasks)) = (read("rollouts.jsonl"), read("tasks.jsonl")) else {
        println!("skipped: there are no recorded rollouts of python_math_exec");
        return;
    };
    for rollout in rollouts.lines() {
        let record: Value = serde_json::from_str(rollout).unwrap();
        let mut trial =
            Trial::<PythonMathExec>::open("{}", &row(&expected_of(&record, &tasks))).await.unwrap();
        let items = record["response"]["output"].as_array().unwrap();
        let mut answers = items.iter().filter(|item| item["type"] == "function_call_output");
        for item in items.iter().filter(|item| item["type"] != "function_call_output") {
            let Some(text) = trial.play(Item::parse(&item.to_string()).unwrap()).await else {
                continue;
            };
            // The records were made before `success` and `error_message` were there.
            let recorded: Value =
                serde_json::from_str(answers.next().unwrap()["output"].as_str().unwrap()).unwrap();
            let answer: Value = serde_json::from_str(&text).unwrap();
            if text.contains("not installed") {
                println!("skipped: `{}`", answer["error_message"]);
                continue;
            }
            for key in ["stdout", "stderr", "result"] {
                assert_eq!(answer[key], recorded[key], "{text}");
            }
        }
        let verdict = trial.verify().await.unwrap();
        assert_eq!(Some(verdict.reward.get()), record["reward"].as_f64());
        let extras = serde_json::to_value(&verdict.extras).unwrap();
        assert_eq!(extras["accuracy"], record["accuracy"]);
    }
}
