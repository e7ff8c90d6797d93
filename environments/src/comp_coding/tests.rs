//! The environment as a whole: programs, and what becomes of them.

use std::fmt::Write as _;

use framework::environment::Trial;
use framework::responses::Item;
use serde_json::{Value, json};

mod attacks;

use attacks::SEARCH;

use super::CompCoding;
use crate::sandbox::fake::Fake;
use crate::trials;

/// Seconds for a test of a program that is to run out of time.
const SHORT: &str = r#"{"unit_test_timeout_secs":1}"#;

fn row(unit_tests: &Value) -> Value {
    json!({
        "responses_create_params": { "input": "q" },
        "verifier_metadata": { "unit_tests": unit_tests },
    })
}

fn stdin(inputs: &[&str], outputs: &[&str]) -> Value {
    row(&json!({ "inputs": inputs, "outputs": outputs }))
}

fn calls(name: &str, inputs: &[&str], outputs: &[&str]) -> Value {
    row(&json!({ "inputs": inputs, "outputs": outputs, "fn_name": name }))
}

/// What the environment says of an answer: its extras, and the reward.
async fn verdict(settings: &str, row: &Value, items: Vec<Item>) -> Value {
    let mut trial = Trial::<CompCoding>::open(settings, &row.to_string()).await.unwrap();
    for item in items {
        trial.play(item).await;
    }
    let verdict = trial.verify().await.unwrap();
    let mut value = serde_json::to_value(&verdict.extras).unwrap();
    value["reward"] = json!(verdict.reward.get());
    value
}

fn fenced(code: &str) -> Vec<Item> {
    vec![Item::output_message("m", &format!("Here it is:\n```python\n{code}\n```\n"))]
}

async fn graded(settings: &str, row: &Value, code: &str) -> Value {
    verdict(settings, row, fenced(code)).await
}

/// Grades many programs, each on a row of its own.
async fn each_comes_to(cases: &[(&str, &str, &str, Value)]) {
    for (code, input, output, expected) in cases {
        let value = graded("{}", &stdin(&[input], &[output]), code).await;
        assert_eq!(value["result"], *expected, "{code}: {}", value["metadata"]);
        let passed = *expected == json!([true]);
        assert_eq!(value["reward"], if passed { 1.0 } else { 0.0 }, "{code}");
    }
}

#[tokio::test]
async fn programs_pass_if_all_of_their_tests_do() {
    let squares = "n = int(input())\nprint(n * n)";
    let value = graded("{}", &stdin(&["2", "5"], &["4", "25"]), squares).await;
    assert_eq!((&value["reward"], &value["result"]), (&json!(1.0), &json!([true, true])));
    assert_eq!(value["extracted_model_code"], squares);
    assert!(value["metadata"]["execution time"].as_f64().unwrap() > 0.0, "{value}");
    assert!(value["unit_tests_time_taken"].as_f64().unwrap() > 0.0, "{value}");
    let next = "print(int(input()) + 1)";
    let value = graded("{}", &stdin(&["1", "3", "4"], &["2", "9", "16"]), next).await;
    assert_eq!((&value["reward"], &value["result"]), (&json!(0.0), &json!([true, -2])));
    let expected = json!({
        "output": "4\n", "inputs": "3", "expected": "9", "error_code": -2,
        "error_message": "Wrong answer at output_line_idx=0: 4 != 9",
    });
    assert_eq!(value["metadata"], expected);
}

#[tokio::test]
async fn answers_without_a_program_earn_nothing() {
    let row = stdin(&["2"], &["4"]);
    for (said, output) in
        [("", json!(null)), (" \n ", json!(null)), ("print(4)", json!("print(4)"))]
    {
        let value = verdict("{}", &row, vec![Item::output_message("m", said)]).await;
        let expected = json!({
            "reward": 0.0, "extracted_model_output": output, "extracted_model_code": null,
            "result": null, "metadata": null, "unit_tests_time_taken": null,
        });
        assert_eq!(value, expected, "{said:?}");
    }
    assert_eq!(verdict("{}", &row, vec![]).await["reward"], 0.0);
}

#[tokio::test]
async fn all_that_was_said_is_one_text() {
    let items =
        vec![Item::output_message("a", "```python\nprint("), Item::output_message("b", "4)\n```")];
    let value = verdict("{}", &stdin(&[""], &["4"]), items).await;
    assert_eq!(
        (&value["reward"], &value["extracted_model_code"]),
        (&json!(1.0), &json!("print(4)"))
    );
}

#[tokio::test]
async fn what_cannot_be_run_says_why() {
    for (code, message) in [
        ("print((1", "Error during testing: '(' was never closed (<string>, line 1)"),
        (
            "import nonexistent_module\nprint(1)",
            "Error during testing: No module named 'nonexistent_module'",
        ),
        ("await x", "Error during testing: 'await' outside function (<string>, line 1)"),
        ("import sys", "Error during testing: the program has no statement but imports"),
        ("# nothing", "Error during testing: the program has no statement but imports"),
    ] {
        let value = graded("{}", &stdin(&["1", "2"], &["1", "2"]), code).await;
        let expected = json!({ "error_code": -4, "error_message": message });
        assert_eq!(value["result"], json!([-4]), "{code}");
        assert_eq!(value["metadata"], expected, "{code}");
    }
}

#[tokio::test]
async fn what_fails_says_how() {
    let value = graded(
        "{}",
        &stdin(&["0", "1"], &["1", "1"]),
        "def f(n):\n    return 1 // n\nprint('so far')\nprint(f(int(input())))",
    )
    .await;
    assert_eq!(value["result"], json!([-4]));
    let metadata = &value["metadata"];
    assert_eq!(metadata["error"], "ZeroDivisionError('integer division or modulo by zero')");
    assert_eq!(metadata["error_message"], "Runtime Error");
    assert_eq!((&metadata["inputs"], &metadata["expected"]), (&json!("0"), &json!("1")));
    assert_eq!(metadata["output"], "so far\n");
    let traceback = metadata["traceback"].as_str().unwrap();
    assert!(traceback.contains("line 2, in f"), "{traceback}");
    assert!(!traceback.contains("driver"), "{traceback}");
}

#[tokio::test]
async fn standard_input_is_what_python_makes_of_it() {
    each_comes_to(&[
        ("print(input() + input())", "a\n\nb", "a", json!([true])),
        ("print(repr(input()))\nprint(repr(input()))", "a\r\nb", "'a'\n'b'", json!([true])),
        ("input()\ninput()", "a\n", "", json!([-4])),
        ("import sys\nprint(repr(sys.stdin.readline()), repr(sys.stdin.readline()), repr(sys.stdin.readline()))", "a\nb", "'a\\n' 'b' ''", json!([true])),
        ("import sys\nprint(len(sys.stdin.read()))", "a\nb\n", "4", json!([true])),
        ("import sys\ninput()\nprint(sys.stdin.read())", "a\nb\n", "b", json!([true])),
        ("import sys\nprint(sys.stdin.readlines())", "a\nb\n", "['a\\n', 'b\\n']", json!([true])),
        ("import sys\nfor line in sys.stdin: print(line.strip(), end='.')", "a\nb\n", "a.b.", json!([true])),
        ("import sys\nprint(sys.stdin.buffer.read())", "a\nb", "b'a\\nb'", json!([true])),
        ("import sys\nread = sys.stdin.buffer.readline\nprint(read(), read(), sys.stdin.buffer.readlines())", "a\nb\nc", "b'a\\n' b'b\\n' [b'c']", json!([true])),
        ("from sys import stdin\nprint(repr(stdin.readline()), repr(stdin.read()))", "a\nb", "'a\\n' 'b'", json!([true])),
        ("from sys import stdin as s\ns.readline()\nprint(s.readlines())", "a\nb", "['b']", json!([true])),
        ("print(stdin.readline())", "a", "a", json!([true])),
        ("print(open(0).read())", "a\nb", "a\nb", json!([true])),
        ("import os\nprint(os.read(0, 100).decode())", "a\nb", "a\nb", json!([true])),
        ("import sys\ninput = sys.stdin.readline\nprint(int(input()) + int(input()))", "1\n2\n", "3", json!([true])),
        ("import sys\nsys.stdout.write('a')", "", "a", json!([true])),
        ("import sys\nsys.stdout.buffer.write(b'a')", "", "a", json!([true])),
        ("import os\nos.write(1, b'a')", "", "a", json!([true])),
        ("print('\\u00e9', input())", "\u{4f60}", "\u{e9} \u{4f60}", json!([true])),
    ])
    .await;
}

#[tokio::test]
async fn a_program_is_a_module_with_a_prelude_that_may_return() {
    each_comes_to(&[
        ("def main():\n    print(1)\nif __name__ == '__main__':\n    main()", "", "1", json!([true])),
        ("if __name__ == '__main__':\n    print(1)\nelse:\n    print(2)", "", "1", json!([true])),
        ("if \"__main__\" == __name__:\n    print(1)\nx = 2", "", "1", json!([true])),
        ("n = 0\ndef count():\n    global n\n    n += 1\ncount()\nprint(n)", "", "1", json!([true])),
        ("global n\nn = 3\nprint(n)", "", "3", json!([true])),
        ("n = 3\ndef f():\n    return eval('n + 1') + globals()['n']\nprint(f())", "", "7", json!([true])),
        ("from __future__ import annotations\nprint(1)", "", "1", json!([true])),
        ("class Solution:\n    def f(self): return 1\nprint(Solution().f())", "", "1", json!([true])),
        ("print(1)\nreturn\nprint(2)", "", "1", json!([true])),
        ("print(1)\nyield", "", "", json!([true])),
        ("print(gcd(4, 6), Counter('aa')['a'], deque([3])[0], pow(2, 10, 1000))", "", "2 2 3 24", json!([true])),
        ("print(datetime.date(2026, 1, 2).year, List, math.inf)", "", "2026 typing.List inf", json!([true])),
        ("try:\n    from math import *\nexcept ImportError:\n    pass\nprint(gcd(2, 4))", "", "2", json!([true])),
        ("print(1)\nexit()\nprint(2)", "", "1", json!([true])),
        ("import sys\nprint(1)\nsys.exit(3)", "", "1", json!([true])),
        ("print(1)\nquit()", "", "1", json!([true])),
        ("import atexit\natexit.register(lambda: print(2))\nprint(1)", "", "1\n2", json!([true])),
        ("def f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\nprint(f(40000))", "", "40000", json!([true])),
        ("@lru_cache(None)\ndef f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\nprint(f(20000))", "", "20000", json!([true])),
        ("print(len(str(10 ** 20000)))", "", "20001", json!([true])),
        ("print(len(str(10 ** 60000)))", "", "60001", json!([-4])),
        ("import os\nprint(os.environ['OMP_NUM_THREADS'])", "", "1", json!([true])),
        ("import time\ntime.sleep(0.01)\nprint(open('/dev/null').read() + 'a')", "", "a", json!([true])),
        ("import threading\ndef main():\n    print(int(input()) + 1)\nthreading.stack_size(1 << 26)\nt = threading.Thread(target=main)\nt.start()\nt.join()", "4", "5", json!([true])),
    ])
    .await;
}

#[tokio::test]
async fn tests_share_modules_but_no_variables() {
    let code = "import math\ntry:\n    count += 1\nexcept NameError:\n    count = 1\nmath.calls = getattr(math, 'calls', 0) + 1\nprint(count, math.calls)";
    let value = graded("{}", &stdin(&["", "", ""], &["1 1", "1 2", "1 3"]), code).await;
    assert_eq!(value["reward"], 1.0, "{value}");
    let reads_all = "from sys import stdin\nprint(stdin.read())";
    let value = graded("{}", &stdin(&["a", "b"], &["a", "b"]), reads_all).await;
    assert_eq!(value["reward"], 1.0, "{value}");
}

#[tokio::test]
async fn functions_are_called() {
    let add = "def add(a, b):\n    print('noise')\n    return a + b";
    let tests = calls("add", &["1\n2", "\"a\"\n\"b\"\n"], &["3", "\"ab\""]);
    let value = graded("{}", &tests, add).await;
    assert_eq!(
        (&value["reward"], &value["result"]),
        (&json!(1.0), &json!([true, true])),
        "{value}"
    );
    let method = "class Solution:\n    def add(self, a, b):\n        return a + b";
    assert_eq!(graded("{}", &tests, method).await["reward"], 1.0);
    let wrong = graded("{}", &tests, "def add(a, b):\n    return [(a, b), 1.5, None]").await;
    assert_eq!((&wrong["reward"], &wrong["result"]), (&json!(0.0), &json!([false])));
    let expected = json!({
        "output": "[(1, 2), 1.5, None]", "inputs": "[1, 2]", "expected": "3", "error_code": -2,
        "error_message": "Wrong Answer",
    });
    assert_eq!(wrong["metadata"], expected);
}

#[tokio::test]
async fn what_functions_do_wrong_has_its_codes() {
    let tests = calls("f", &["[1]", "[2]"], &["1", "2"]);
    for (code, result, told) in [
        ("def g(a):\n    return 1", json!([-4]), "has no function 'f'"),
        ("class Solution:\n    pass", json!([-4]), "has no attribute 'f'"),
        ("def f(a):\n    return a[3]", json!([-4]), "Runtime Error"),
        ("def f(a, b):\n    return a", json!([-4]), "Runtime Error"),
        ("def f(a):\n    exit()", json!([-1, -1]), ""),
        ("import os\ndef f(a):\n    os._exit(0)", json!([-1, -1]), ""),
        ("def f(a):\n    return a[0], 5", json!([false]), "Wrong Answer"),
        (
            "class Liar:\n    def __eq__(self, other):\n        return True\ndef f(a):\n    return Liar()",
            json!([false]),
            "Wrong Answer",
        ),
    ] {
        let value = graded("{}", &tests, code).await;
        assert_eq!(value["result"], result, "{code}: {value}");
        let message = value["metadata"]["error_message"].as_str().unwrap_or_default();
        assert!(message.contains(told), "{code}: {message}");
        assert_eq!(value["reward"], 0.0);
    }
}

#[tokio::test]
async fn a_tuple_counts_as_a_list_unless_it_is_within_one() {
    let tests = calls("f", &["1"], &["[1, [2]]"]);
    let tolerant = r#"{"call_comparison":"tolerant"}"#;
    for (returned, exact, more) in [
        ("(1, [2])", 1.0, 1.0),
        ("[1, (2,)]", 0.0, 1.0),
        ("[1, [2.00001]]", 0.0, 1.0),
        ("[1, [3]]", 0.0, 0.0),
    ] {
        let code = format!("def f(a):\n    return {returned}");
        assert_eq!(graded("{}", &tests, &code).await["reward"], exact, "{returned}");
        assert_eq!(graded(tolerant, &tests, &code).await["reward"], more, "{returned}");
    }
}

#[tokio::test]
async fn time_runs_out_for_programs_that_take_it() {
    let tests = stdin(&["1", "2"], &["1", "2"]);
    for code in [
        "while True: pass",
        "print(1, flush=True)\nwhile True:\n    try:\n        while True: pass\n    except BaseException:\n        pass",
        "import time\ntime.sleep(60)",
    ] {
        let value = graded(SHORT, &tests, code).await;
        assert_eq!(value["result"], json!([-3]), "{code}");
        let expected = json!({
            "inputs": "1", "expected": "1", "error": "TimeoutException()", "error_code": -3,
            "error_message": "Time Limit Exceeded",
        });
        assert_eq!(value["metadata"], expected, "{code}");
    }
    // What is left of an exception that says nothing.
    let endless = "while True: pass\ndef f(a):\n    return a";
    let value = graded(SHORT, &calls("f", &["1"], &["1"]), endless).await;
    let told = json!({ "error_code": -4, "error_message": "Error during testing: " });
    assert_eq!((&value["result"], &value["metadata"]), (&json!([-4]), &told));
    let import =
        graded(SHORT, &tests, "import sys, time\nfrom time import nothing_like_it\nx = 1").await;
    assert_eq!(import["result"], json!([-4]));
}

#[tokio::test]
async fn so_many_solutions_run_at_once_as_there_may() {
    use framework::environment::Environment;
    use framework::responses::Response;
    use framework::task::Row;
    use framework::wiring::Wiring;
    let wiring = Wiring::detached("comp_coding");
    let config = serde_json::from_str(r#"{"num_processes":1}"#).unwrap();
    let environment = CompCoding::new(config, &wiring).unwrap();
    let row = Row::parse(&stdin(&[""], &["1"]).to_string()).unwrap();
    let target = CompCoding::target(&row).unwrap();
    let response = Response::new("r", "m".into(), fenced("import time\ntime.sleep(0.3)\nprint(1)"));
    let taken = async || {
        let verified = environment.verify((), target.get().unwrap(), &response).await.unwrap();
        assert_eq!(verified.reward.get(), 1.0);
        let extras = serde_json::to_value(&verified.extras).unwrap();
        extras["unit_tests_time_taken"].as_f64().unwrap()
    };
    let (first, second) = tokio::join!(taken(), taken());
    // The time of the one that waited for the other counts, as there.
    assert!(first.max(second) >= 0.6, "{first} {second}");
}

#[tokio::test]
async fn a_process_that_ends_in_the_middle_counts_for_nothing() {
    let tests = stdin(&["1", "2", "3"], &["1", "2", "3"]);
    for code in [
        "import os\nn = input()\nprint(n, flush=True)\nif n == '2': os._exit(0)",
        "n = input()\nprint(n)\nif n == '2': raise KeyboardInterrupt",
        "import ctypes\nn = input()\nprint(n)\nif n == '2': ctypes.string_at(0)",
    ] {
        let value = graded("{}", &tests, code).await;
        assert_eq!(value["result"], json!([-1, -1, -1]), "{code}");
        assert_eq!((&value["metadata"], &value["reward"]), (&json!(null), &json!(0.0)), "{code}");
    }
}

#[tokio::test]
async fn memory_and_output_have_limits() {
    let settings = r#"{"sandbox":{"memory":"256MiB","output":"1MiB"}}"#;
    let tests = stdin(&[""], &["1"]);
    let value = graded(settings, &tests, "x = bytearray(1 << 30)\nprint(1)").await;
    assert_eq!(value["result"], json!([-4]), "{value}");
    assert_eq!(value["metadata"]["error"], "MemoryError()");
    let value = graded(settings, &tests, "print('x' * (1 << 21))").await;
    assert_eq!(value["result"], json!([-4]), "{value}");
    assert!(value["metadata"]["error"].as_str().unwrap().contains("1048576 bytes"), "{value}");
}

#[tokio::test]
async fn programs_run_in_containers_as_they_do_here() {
    let Some(fake) = Fake::new() else { return };
    let sandbox = fake.json("image");
    let settings = json!({ "unit_test_timeout_secs": 1, "sandbox": sandbox }).to_string();
    let tests = stdin(&["1", "2"], &["2", "4"]);
    for (code, expected) in [
        ("print(int(input()) * 2)", json!([true, true])),
        ("print(2)", json!([true, -2])),
        ("print(1 // (int(input()) - 2))\n", json!([-2])),
        ("while True: pass", json!([-3])),
        ("import os\nos._exit(0)", json!([-1, -1])),
        ("import os\nos.fork()", json!([-4])),
        ("x = bytearray(1 << 40)", json!([-4])),
    ] {
        let value = graded(&settings, &tests, code).await;
        assert_eq!(value["result"], expected, "{code}: {value}");
    }
    let value = graded(&settings, &stdin(&["", ""], &["777-777", "777-777"]), SEARCH).await;
    assert_eq!(value["metadata"]["output"], "[]\n", "{value}");
    let called = calls("double", &["2"], &["4"]);
    let value = graded(&settings, &called, "def double(x): return 2 * x").await;
    assert_eq!(value["reward"], 1.0, "{value}");
}

#[tokio::test]
async fn thinking_aloud_costs_what_it_is_set_to() {
    let row = stdin(&[""], &["4"]);
    let aloud = vec![Item::output_message("m", "<think>hm</think>\n```\nprint(4)\n```")];
    let value = verdict("{}", &row, aloud.clone()).await;
    assert_eq!(value["reward"], 1.0);
    assert!(value.get("reasoning_format_violation_rate").is_none());
    let settings = r#"{"reasoning_format_penalty":-0.5}"#;
    let value = verdict(settings, &row, aloud).await;
    assert_eq!(
        (&value["reward"], &value["reasoning_format_violation_rate"]),
        (&json!(-0.5), &json!(1.0))
    );
    let thought = |text: &str| {
        let item = json!({ "type": "reasoning", "id": "r", "summary": [{ "type": "summary_text", "text": text }] });
        Item::parse(&item.to_string()).unwrap()
    };
    for (text, reward) in [("<think>a</think>", 1.0), ("<think>a<think>", -0.5)] {
        let items = [vec![thought(text)], fenced("print(4)")].concat();
        assert_eq!(verdict(settings, &row, items).await["reward"], reward, "{text}");
    }
    let (settings, row) = (r#"{"reasoning_format_penalty":"much"}"#, row.to_string());
    assert!(Trial::<CompCoding>::open(settings, &row).await.is_err());
}

#[tokio::test]
async fn the_difficulty_goes_into_the_record() {
    let mut row = stdin(&[""], &["4"]);
    row["verifier_metadata"]["difficulty"] = json!("hard");
    assert_eq!(graded("{}", &row, "print(4)").await["difficulty"], "hard");
}

#[tokio::test]
async fn cpp_is_compiled_once_and_run_for_each_test() {
    if std::process::Command::new("g++").arg("--version").output().is_err() {
        println!("skipped: no `g++`");
        return;
    }
    let settings = r#"{"language":"cpp","unit_test_timeout_secs":1}"#;
    let tests = stdin(&["1 2", "3 4"], &["3", "7"]);
    for (body, result, told) in [
        ("cout << a + b << endl;", json!([true, true]), ""),
        ("cout << 3;", json!([true, -2]), "Wrong answer at output_line_idx=0: 3 != 7"),
        ("cout << a + b; return 1;", json!([-4]), "Runtime Error"),
        ("int *p = nullptr; *p = a;", json!([-4]), "Runtime Error"),
        ("for (volatile int i = 0;; i = i + 1) {}", json!([-3]), "Time Limit Exceeded"),
        ("undeclared;", json!([-4]), "Error during testing: program.cpp"),
    ] {
        let code = format!(
            "#include <iostream>\nusing namespace std;\nint main() {{\n  int a, b; cin >> a >> b;\n  {body}\n}}"
        );
        let value = graded(settings, &tests, &code).await;
        assert_eq!(value["result"], result, "{body}: {value}");
        let message = value["metadata"]["error_message"].as_str().unwrap_or_default();
        assert!(message.contains(told), "{body}: {message}");
    }
}

#[tokio::test]
async fn a_row_may_name_its_language() {
    if std::process::Command::new("g++").arg("--version").output().is_err() {
        println!("skipped: no `g++`");
        return;
    }
    let mut row = stdin(&["5"], &["5"]);
    row["verifier_metadata"]["language"] = json!("cpp");
    let code = "#include <cstdio>\nint main() { int a; scanf(\"%d\", &a); printf(\"%d\", a); }";
    assert_eq!(graded("{}", &row, code).await["reward"], 1.0);
}

#[tokio::test]
async fn many_tests_and_large_inputs_go_through() {
    let numbers: Vec<String> = (0..150).map(|number| number.to_string()).collect();
    let inputs: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let value = graded("{}", &stdin(&inputs, &inputs), "print(input())").await;
    assert_eq!(value["reward"], 1.0, "{value}");
    let mut large = String::new();
    for number in 0..300_000 {
        writeln!(large, "{number} {number}.0").unwrap();
    }
    let code = "import sys\nfor line in sys.stdin:\n    a, b = line.split()\n    print(b, a)";
    let value = graded("{}", &stdin(&[&large], &[&large]), code).await;
    assert_eq!(value["reward"], 1.0, "{value}");
}

#[tokio::test]
async fn gold_answers_earn_1() {
    trials::gold_answers_earn_1::<CompCoding>().await;
}

#[tokio::test]
async fn silence_earns_less() {
    trials::silence_earns_less::<CompCoding>().await;
}
