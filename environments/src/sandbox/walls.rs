//! What keeps foreign code inside, told for the backends that a configuration uses: for `rehearsal check`.
//!
//! Natively that is what this machine's kernel gives, found out by trying. In containers it is what the engine is
//! told to do; whether the engine is there shows when the environment is built.

use framework::config::Config;
use serde::Deserialize;

use super::container::Engine;
use super::{Isolation, KINDS, Machine, Settings};

/// The kind whose containers are the images of its tasks, in which it works as their root.
const IN_IMAGES: &str = "mini_swe";

/// The part of an environment's settings that this is about.
#[derive(Deserialize)]
struct Sandboxed {
    #[serde(default)]
    sandbox: Settings,
}

/// Tells what keeps the foreign code of a checked configuration inside; nothing where none is run.
pub fn walls(config: &Config) -> String {
    let mut tables: Vec<String> = Vec::new();
    for (name, spec) in config.environments.iter().filter(|(_, spec)| KINDS.contains(&&*spec.kind))
    {
        // Settings that cannot be read were refused before.
        let Ok(Sandboxed { sandbox }) = serde_json::from_value(spec.settings.to_json()) else {
            continue;
        };
        let table = match (sandbox.backend.engine(), sandbox.isolation) {
            (None, Isolation::Full) => Machine::this().to_string(),
            (None, Isolation::None) => {
                format!("environment `{name}` keeps nothing inside: `sandbox.isolation: none`\n")
            }
            (Some(engine), isolation) => {
                let is_image = spec.kind == IN_IMAGES;
                let walls = Container { engine, isolation, is_image, settings: &sandbox };
                format!(
                    "environment `{name}`, in containers of `{}`\n{}",
                    engine.name(),
                    walls.table()
                )
            }
        };
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    tables.join("\n")
}

/// How containers are made.
struct Container<'a> {
    engine: Engine,
    isolation: Isolation,
    /// Whether each is an image that its task names, in which everything may be done.
    is_image: bool,
    settings: &'a Settings,
}

impl Container<'_> {
    fn table(&self) -> String {
        let rows = [
            ("containers", "no files but the image's; one kill ends all", self.files()),
            ("user", "no rights on the host", self.user().to_owned()),
            ("network", "no network", self.network().to_owned()),
            ("control groups", "limits for all processes together", self.limits()),
            ("system call filters", "little kernel to attack", self.filters().to_owned()),
        ];
        let row = |(name, purpose, here)| format!("{name:<22}{purpose:<45}{here}\n");
        let head = row(("isolation", "for", "here".to_owned()));
        rows.into_iter().map(row).fold(head, |table, row| table + &row)
    }

    fn files(&self) -> String {
        let image = self.settings.image.as_deref().unwrap_or("the task's image");
        let access = if self.is_image { "writable, thrown away" } else { "read-only" };
        format!("one for each execution, {access}: {image}")
    }

    fn user(&self) -> &'static str {
        match (self.engine, self.is_image) {
            (Engine::Docker | Engine::Podman, false) => "65534, without capabilities",
            (Engine::Docker | Engine::Podman, true) => "the image's, with capabilities for files",
            (Engine::Apptainer, false) => "yours, without privileges",
            (Engine::Apptainer, true) => "yours",
        }
    }

    fn network(&self) -> &'static str {
        match self.settings.container.network {
            true => "no: `container.network` gives it the network",
            false => "yes",
        }
    }

    fn limits(&self) -> String {
        match self.settings.container.control_groups {
            true => format!("memory, processes; processors: {}", self.settings.container.cpus),
            false => "no: `container.control_groups` is off; each process is limited".to_owned(),
        }
    }

    fn filters(&self) -> &'static str {
        let has_ours = self.isolation == Isolation::Full && !self.is_image;
        match (has_ours, self.engine) {
            (true, Engine::Docker | Engine::Podman) => "ours, inside the engine's",
            (true, Engine::Apptainer) => "ours",
            (false, Engine::Docker | Engine::Podman) => "the engine's",
            (false, Engine::Apptainer) => "no",
        }
    }
}

#[cfg(test)]
mod tests {
    use framework::config::Loader;

    use super::*;

    fn told(environments: &str) -> String {
        let yaml = format!("environments: {{ {environments} }}");
        walls(&Loader::new().text("a.yaml", &yaml).load().unwrap())
    }

    #[test]
    fn where_no_foreign_code_runs_there_is_nothing_to_tell() {
        assert_eq!(told("a: { kind: multineedle }"), "");
    }

    #[test]
    fn the_kernel_is_told_of_once_and_only_where_it_is_the_wall() {
        let native = told("a: { kind: comp_coding }, b: { kind: python_math_exec }");
        assert_eq!(native, Machine::this().to_string());
        let open = told("a: { kind: comp_coding, settings: { sandbox: { isolation: none } } }");
        assert_eq!(open, "environment `a` keeps nothing inside: `sandbox.isolation: none`\n");
        let docker =
            "b: { kind: comp_coding, settings: { sandbox: { backend: docker, image: i } } }";
        assert!(!told(docker).contains("user namespaces"));
        let both = told(&format!("a: {{ kind: comp_coding }}, {docker}"));
        assert_eq!(both, format!("{native}\n{}", told(docker)));
    }

    #[test]
    fn containers_are_told_of_as_their_engine_is_told_to_make_them() {
        let sandbox = |kind: &str, sandbox: &str| {
            told(&format!("a: {{ kind: {kind}, settings: {{ sandbox: {{ {sandbox} }} }} }}"))
        };
        let docker = sandbox("comp_coding", "backend: docker, image: 'python:3.13'");
        let expected = "\
environment `a`, in containers of `docker`
isolation             for                                          here
containers            no files but the image's; one kill ends all  one for each execution, read-only: python:3.13
user                  no rights on the host                        65534, without capabilities
network               no network                                   yes
control groups        limits for all processes together            memory, processes; processors: 1
system call filters   little kernel to attack                      ours, inside the engine's
";
        assert_eq!(docker, expected);
        let open = "backend: apptainer, container: { network: true, control_groups: false }";
        let swe = sandbox("mini_swe", open);
        for told in [
            "writable, thrown away: the task's image",
            "yours\n",
            "no: `container.network`",
            "no: `container.control_groups`",
            "attack                      no\n",
        ] {
            assert!(swe.contains(told), "{told}\n{swe}");
        }
    }
}
