//! Containers of SWE-bench's and SWE-Gym's images, through the command lines of Docker, Podman and
//! Apptainer. A container lives as long as what it is for, and has no network unless it is given one.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use framework::environment::EnvironmentError;
use serde::Deserialize;

use super::command::quote;
use super::place::{Bounds, Done};
use super::row::Target;

/// Where repositories lie in these images.
const FOLDER: &str = "/testbed";
/// How long starting a container may take, with fetching its image.
const START_MAX: Duration = Duration::from_secs(600);
/// How much longer than its command the client may take.
const GRACE: Duration = Duration::from_secs(30);

/// What runs containers.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
    /// Apptainer, formerly Singularity.
    Apptainer,
}

/// How containers are run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerSettings {
    /// The program. Default: the engine's name, looked up in `PATH`.
    pub program: Option<PathBuf>,
    /// The image of a task, with `{instance_id}`. Default: by the row's `image_name` or `subset`.
    pub image: Option<String>,
    /// Whether commands reach the network. Default: no.
    pub network: bool,
    /// Memory, as the engine takes it, such as `8g`. Default: as much as there is.
    pub memory: Option<String>,
    /// Seconds after which a container ends by itself, whatever became of this process.
    pub lifetime_secs: u64,
}

impl Default for ContainerSettings {
    fn default() -> Self {
        Self { program: None, image: None, network: false, memory: None, lifetime_secs: 4 * 3600 }
    }
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Apptainer => "apptainer",
        }
    }

    /// The program that is called.
    pub(super) fn program(self, settings: &ContainerSettings) -> PathBuf {
        settings.program.clone().unwrap_or_else(|| self.name().into())
    }
}

/// The image of a task.
///
/// # Errors
/// Fails if neither row nor settings name one.
pub(super) fn image(
    target: &Target,
    settings: &ContainerSettings,
) -> Result<String, EnvironmentError> {
    if let Some(image) = &target.image_name {
        return Ok(image.clone());
    }
    let id = target.instance_id.to_lowercase();
    if let Some(template) = &settings.image {
        return Ok(template.replace("{instance_id}", &id));
    }
    match target.subset.as_deref() {
        Some("gym") => Ok(format!("xingyaoww/sweb.eval.x86_64.{}:latest", id.replace("__", "_s_"))),
        Some("verified") => {
            Ok(format!("swebench/sweb.eval.x86_64.{}:latest", id.replace("__", "_1776_")))
        }
        other => Err(EnvironmentError::permanent(format_args!(
            "no image is known for subset `{}` of `{}`; name it in the row's `image_name` or in \
             `settings.container.image`",
            other.unwrap_or_default(),
            target.instance_id
        ))),
    }
}

/// A container that runs. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Container {
    engine: Engine,
    program: PathBuf,
    name: String,
}

impl Container {
    /// Starts a container of an image, which is fetched if it has to be.
    ///
    /// # Errors
    /// Fails if the engine is not there, or does not start it.
    pub(super) async fn start(
        engine: Engine,
        settings: &ContainerSettings,
        image: &str,
        name: String,
    ) -> Result<Self, EnvironmentError> {
        let container = Self { engine, program: engine.program(settings), name };
        let arguments = container.start_arguments(settings, image);
        let bounds = Bounds { timeout: START_MAX, output_max: 64 << 10 };
        let done = container.call(arguments, None, bounds).await?;
        if done.is_ok() {
            return Ok(container);
        }
        let said = done.output.trim();
        Err(EnvironmentError::temporary(format_args!(
            "`{}` does not start a container of `{image}`: {said}",
            container.program.display()
        )))
    }

    fn start_arguments(&self, settings: &ContainerSettings, image: &str) -> Vec<String> {
        let text = str::to_owned;
        let mut arguments = match self.engine {
            Engine::Docker | Engine::Podman => {
                ["run", "-d", "--rm", "--init", "--name", &self.name, "-w", FOLDER]
                    .map(text)
                    .to_vec()
            }
            Engine::Apptainer => {
                ["instance", "start", "--containall", "--cleanenv", "--writable-tmpfs"]
                    .map(text)
                    .to_vec()
            }
        };
        if !settings.network {
            arguments.extend(match self.engine {
                Engine::Docker | Engine::Podman => ["--network", "none"].map(text).to_vec(),
                Engine::Apptainer => ["--net", "--network", "none"].map(text).to_vec(),
            });
        }
        if let Some(memory) = &settings.memory {
            arguments.extend(["--memory".to_owned(), memory.clone()]);
        }
        match self.engine {
            Engine::Docker | Engine::Podman => {
                let seconds = settings.lifetime_secs.to_string();
                arguments.extend([image, "sleep", &seconds].map(text));
            }
            Engine::Apptainer => {
                let is_file = image.ends_with(".sif") || image.contains("://");
                let image = if is_file { text(image) } else { format!("docker://{image}") };
                arguments.extend([image, self.name.clone()]);
            }
        }
        arguments
    }

    fn command_arguments(
        &self,
        script: &str,
        variables: &BTreeMap<String, String>,
        timeout: Duration,
    ) -> Vec<String> {
        let mut arguments = vec!["exec".to_owned()];
        let flag = match self.engine {
            Engine::Docker | Engine::Podman => {
                arguments.extend(["-i", "-w", FOLDER].map(str::to_owned));
                "-e"
            }
            Engine::Apptainer => {
                arguments.extend(["--pwd", FOLDER].map(str::to_owned));
                "--env"
            }
        };
        for (name, value) in variables {
            arguments.extend([flag.to_owned(), format!("{name}={value}")]);
        }
        arguments.push(match self.engine {
            Engine::Docker | Engine::Podman => self.name.clone(),
            Engine::Apptainer => format!("instance://{}", self.name),
        });
        // Killing the client would leave the command running inside.
        let seconds = format!("{:.3}", timeout.as_secs_f64());
        arguments
            .extend(["timeout", "-s", "KILL", &seconds, "bash", "-lc", script].map(str::to_owned));
        arguments
    }

    fn remove_arguments(&self) -> Vec<String> {
        match self.engine {
            Engine::Docker | Engine::Podman => ["rm", "-f", &self.name].map(str::to_owned).into(),
            Engine::Apptainer => ["instance", "stop", &self.name].map(str::to_owned).into(),
        }
    }

    pub(super) async fn run(
        &self,
        script: &str,
        variables: &BTreeMap<String, String>,
        bounds: Bounds,
    ) -> Result<Done, EnvironmentError> {
        let arguments = self.command_arguments(script, variables, bounds.timeout);
        let started = Instant::now();
        let client = Bounds { timeout: bounds.timeout + GRACE, ..bounds };
        let mut done = self.call(arguments, None, client).await?;
        // What `timeout` kills ends as if it had been killed by somebody else, only then.
        if done.code == Some(137) && started.elapsed() >= bounds.timeout {
            done.code = None;
        }
        Ok(done)
    }

    pub(super) async fn put(&self, path: &str, content: &str) -> Result<(), EnvironmentError> {
        let script = format!("cat > {}", quote(path));
        let timeout = Duration::from_secs(60);
        let arguments = self.command_arguments(&script, &BTreeMap::new(), timeout);
        let bounds = Bounds { timeout: timeout + GRACE, output_max: 4096 };
        let done = self.call(arguments, Some(content.as_bytes().to_vec()), bounds).await?;
        if done.is_ok() {
            return Ok(());
        }
        let said = done.output.trim();
        Err(EnvironmentError::temporary(format_args!("cannot write `{path}`: {said}")))
    }

    /// Calls the engine, on a thread that may wait for it.
    async fn call(
        &self,
        arguments: Vec<String>,
        input: Option<Vec<u8>>,
        bounds: Bounds,
    ) -> Result<Done, EnvironmentError> {
        let program = self.program.clone();
        let shown = program.display().to_string();
        let call = tokio::task::spawn_blocking(move || {
            let mut command = Command::new(program);
            command.args(arguments);
            finish(command, input, bounds)
        });
        let done = call.await.map_err(EnvironmentError::temporary)?;
        done.map_err(|error| {
            let hint =
                "install it, name it in `settings.container.program`, or use `backend: native`";
            EnvironmentError::permanent(format_args!("`{shown}` does not run: {error}; {hint}"))
        })
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(self.remove_arguments());
        let bounds = Bounds { timeout: START_MAX, output_max: 4096 };
        // Removing takes seconds; nobody waits for it. One that is forgotten ends by itself.
        std::thread::spawn(move || finish(command, None, bounds));
    }
}

/// Runs a program to its end, or kills it when time is up.
fn finish(mut command: Command, input: Option<Vec<u8>>, bounds: Bounds) -> std::io::Result<Done> {
    let (reader, writer) = std::io::pipe()?;
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    // Its own ends of the pipe would keep it open.
    drop(command);
    if let Some((mut stdin, input)) = child.stdin.take().zip(input) {
        // A program that does not read its input says why at its end.
        std::thread::spawn(move || stdin.write_all(&input));
    }
    let output_max = bounds.output_max;
    let output = std::thread::spawn(move || kept(reader, output_max));
    let deadline = Instant::now() + bounds.timeout;
    let code = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status.code().unwrap_or(137));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    };
    let (output, dropped) = output.join().unwrap_or_default();
    Ok(Done { code, output: String::from_utf8_lossy(&output).into_owned(), dropped })
}

/// The first and the last bytes of an output, and how many between them were dropped.
fn kept(mut reader: impl Read, size_max: usize) -> (Vec<u8>, u64) {
    let (mut head, mut tail, mut dropped) = (Vec::new(), Vec::new(), 0);
    let tail_max = size_max / 2;
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = reader.read(&mut buffer) {
        let room = (size_max - tail_max).saturating_sub(head.len()).min(count);
        head.extend_from_slice(&buffer[..room]);
        tail.extend_from_slice(&buffer[room..count]);
        let excess = tail.len().saturating_sub(tail_max);
        tail.drain(..excess);
        dropped += excess as u64;
    }
    head.append(&mut tail);
    (head, dropped)
}

#[cfg(test)]
mod tests {
    use framework::task::Row;
    use serde_json::{Value, json};

    use super::*;

    fn target(change: impl FnOnce(&mut Value)) -> Target {
        let mut row = json!({
            "instance_id": "Owner__Name-1", "repo": "a/b", "problem_statement": "",
            "test_patch": "diff --git a/t.py b/t.py\n", "FAIL_TO_PASS": ["a"],
            "responses_create_params": { "input": [] },
        });
        change(&mut row);
        Target::read(&Row::parse(&row.to_string()).unwrap()).unwrap()
    }

    fn container(engine: Engine) -> Container {
        // Its removal, when it is dropped, calls a program that does nothing.
        Container { engine, program: "true".into(), name: "r-1".to_owned() }
    }

    #[test]
    fn images_are_named_by_dataset_and_task() {
        let settings = ContainerSettings::default();
        let of = |change: fn(&mut Value)| image(&target(change), &settings);
        assert_eq!(
            of(|row| row["subset"] = json!("gym")).unwrap(),
            "xingyaoww/sweb.eval.x86_64.owner_s_name-1:latest"
        );
        assert_eq!(
            of(|row| row["subset"] = json!("verified")).unwrap(),
            "swebench/sweb.eval.x86_64.owner_1776_name-1:latest"
        );
        assert_eq!(of(|row| row["image_name"] = json!("x:1")).unwrap(), "x:1");
        let error = of(|row| row["subset"] = json!("lite")).unwrap_err().to_string();
        assert!(error.contains("subset `lite`") && error.contains("image_name"), "{error}");
        let settings =
            ContainerSettings { image: Some("/images/{instance_id}.sif".into()), ..settings };
        assert_eq!(image(&target(|_| {}), &settings).unwrap(), "/images/owner__name-1.sif");
    }

    #[test]
    fn docker_and_podman_are_called_without_a_network() {
        for engine in [Engine::Docker, Engine::Podman] {
            let container = container(engine);
            let mut settings =
                ContainerSettings { memory: Some("8g".into()), ..ContainerSettings::default() };
            let start = container.start_arguments(&settings, "image:1").join(" ");
            assert_eq!(
                start,
                "run -d --rm --init --name r-1 -w /testbed --network none --memory 8g image:1 sleep 14400"
            );
            settings.network = true;
            assert!(!container.start_arguments(&settings, "image:1").join(" ").contains("none"));
            let variables = BTreeMap::from([("PAGER".to_owned(), "cat".to_owned())]);
            let arguments =
                container.command_arguments("ls; pwd", &variables, Duration::from_secs(9));
            let expected =
                "exec|-i|-w|/testbed|-e|PAGER=cat|r-1|timeout|-s|KILL|9.000|bash|-lc|ls; pwd";
            assert_eq!(arguments.join("|"), expected);
            assert_eq!(container.remove_arguments().join(" "), "rm -f r-1");
        }
    }

    #[test]
    fn apptainer_runs_instances() {
        let container = container(Engine::Apptainer);
        let settings = ContainerSettings::default();
        let start = container.start_arguments(&settings, "image:1").join(" ");
        let before = "instance start --containall --cleanenv --writable-tmpfs --net --network none";
        assert_eq!(start, format!("{before} docker://image:1 r-1"));
        assert!(container.start_arguments(&settings, "/x.sif").contains(&"/x.sif".to_owned()));
        let arguments = container.command_arguments("ls", &BTreeMap::new(), Duration::from_secs(1));
        let expected = "exec|--pwd|/testbed|instance://r-1|timeout|-s|KILL|1.000|bash|-lc|ls";
        assert_eq!(arguments.join("|"), expected);
        assert_eq!(container.remove_arguments().join(" "), "instance stop r-1");
    }

    /// An engine whose containers are folders of this machine.
    const FAKE: &str = r#"#!/bin/bash
echo "$*" >> "$(dirname "$0")/calls"
case "$1" in
  run) [ "${*: -3:1}" != absent ] || { echo "no such image" >&2; exit 125; } ;;
  exec) while [ "$1" != timeout ]; do shift; done; exec "$@" ;;
esac
"#;

    fn fake() -> (tempfile::TempDir, ContainerSettings) {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("docker");
        std::fs::write(&program, FAKE).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let settings = ContainerSettings { program: Some(program), ..ContainerSettings::default() };
        (folder, settings)
    }

    #[tokio::test]
    async fn a_container_runs_commands_until_it_is_dropped() {
        let (folder, settings) = fake();
        let start = Container::start(Engine::Docker, &settings, "image", "r-2".to_owned());
        let container = start.await.unwrap();
        let bounds = Bounds { timeout: Duration::from_secs(20), output_max: 10 };
        let run = |script: &'static str, bounds| {
            let container = &container;
            async move { container.run(script, &BTreeMap::new(), bounds).await.unwrap() }
        };
        let done = run("echo a; echo b >&2; exit 3", bounds).await;
        assert_eq!((done.code, done.output.as_str(), done.dropped), (Some(3), "a\nb\n", 0));
        let done = run("printf 0123456789abcdef", bounds).await;
        assert_eq!((done.output.as_str(), done.dropped), ("01234bcdef", 6));
        let done =
            run("echo half; sleep 60", Bounds { timeout: Duration::from_secs(5), ..bounds }).await;
        assert_eq!((done.code, done.output.as_str()), (None, "half\n"));
        let path = folder.path().join("put").display().to_string();
        container.put(&path, "it's\n").await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "it's\n");
        drop(container);
        let is_removed =
            || std::fs::read_to_string(folder.path().join("calls")).unwrap().contains("rm -f r-2");
        while !is_removed() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_engine_that_is_absent_or_refuses_says_what_to_do() {
        let (_folder, settings) = fake();
        let start = Container::start(Engine::Docker, &settings, "absent", "r-3".to_owned());
        let error = start.await.unwrap_err().to_string();
        assert!(error.contains("does not start a container of `absent`: no such image"), "{error}");
        let settings =
            ContainerSettings { program: Some("/nonexistent/podman".into()), ..settings };
        let start = Container::start(Engine::Podman, &settings, "x", "r-4".to_owned());
        let error = start.await.unwrap_err().to_string();
        assert!(
            error.contains("`/nonexistent/podman` does not run")
                && error.contains("backend: native"),
            "{error}"
        );
    }
}
