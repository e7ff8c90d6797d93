//! What the sandbox does, and what foreign code cannot do in it.

use super::*;

/// Runs each frame as Python and answers with what it left in `answer`.
const RUNNER: &str = r#"
import os
def serve(channel):
    names = {"channel": channel}
    while (frame := channel.receive()) is not None:
        names["answer"] = None
        try:
            exec(frame.decode(), names)
        except MemoryError:
            raise
        except Exception as error:
            names["answer"] = f"{type(error).__name__}: {error}"
        channel.send(str(names["answer"]).encode())
"#;

const LIMITS: RequestLimits =
    RequestLimits { wall: TimeSpan::from_secs(20), cpu: TimeSpan::from_secs(20) };

fn profile() -> Profile {
    let limits = Limits { memory: 256 << 20, disk: 8 << 20, ..Limits::default() };
    Profile { driver: RUNNER, preload: &["json"], programs: Programs::Denied, limits }
}

async fn start(pool: &Pool) -> Execution {
    pool.execute(pool.limits().clone()).await.unwrap()
}

async fn run(execution: &mut Execution, code: &str) -> String {
    let answer = execution.request(code.as_bytes(), &LIMITS).await;
    String::from_utf8(answer.unwrap()).unwrap()
}

#[tokio::test]
async fn an_execution_answers_requests_and_keeps_its_state() {
    let pool = Pool::start(&Settings::default(), &profile()).unwrap();
    let mut execution = start(&pool).await;
    assert_eq!(run(&mut execution, "x = 3; answer = x + 1").await, "4");
    assert_eq!(run(&mut execution, "answer = x + 2").await, "5");
    let ended = execution.finish().await;
    assert_eq!(ended.exit, Exit::Exited { code: 0 });
    let mut another = start(&pool).await;
    assert_eq!(run(&mut another, "answer = x").await, "NameError: name 'x' is not defined");
}
