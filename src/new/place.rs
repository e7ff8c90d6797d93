//! Where a new kind goes: a checkout of Rehearsal, or a package that depends on it.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Change;
use super::name::Name;
use crate::Fatal;

/// The package in a checkout that holds the environments.
const ENVIRONMENTS: &str = "rehearsal-environments";
/// What a package depends on, and what generated files need besides.
const FACADE: &str = "rehearsal";
const NEEDED: [(&str, &str); 3] = [
    ("schemars", "schemars --features derive"),
    ("serde", "serde --features derive"),
    ("tokio", "tokio --dev --features macros,rt"),
];

/// Where a new kind goes.
#[derive(Debug)]
pub(super) enum Place {
    /// A checkout of Rehearsal.
    Workspace { root: PathBuf },
    /// A package that depends on Rehearsal.
    Package {
        root: PathBuf,
        /// The name by which it knows Rehearsal.
        facade: String,
        /// `cargo add` of what generated files need and it has not.
        lacking: Vec<&'static str>,
    },
}

impl Place {
    /// The place that a folder belongs to.
    ///
    /// # Errors
    /// Fails if there is none, or its manifest cannot be read.
    pub(super) fn around(start: &Path) -> Result<Self, Fatal> {
        let folder = std::fs::canonicalize(start).map_err(|error| Fatal {
            message: format!("cannot read `{}`: {error}", start.display()),
            hint: Some("`--path` takes the folder of a package".into()),
        })?;
        let has_manifest = |folder: &&Path| folder.join("Cargo.toml").is_file();
        let root = folder.ancestors().find(has_manifest).ok_or_else(|| Fatal {
            message: format!("`{}` is in no Rust package", start.display()),
            hint: Some(
                "make one with `cargo init` and `cargo add rehearsal`, or name one with `--path`"
                    .into(),
            ),
        })?;
        let manifest = root.join("Cargo.toml");
        let table = manifest_of(&manifest).map_err(|error| Fatal {
            message: format!("cannot read `{}`: {error}", manifest.display()),
            hint: Some("`cargo metadata` says more about it".into()),
        })?;
        if let Some(facade) = facade(&table) {
            let has = |name: &str| dependencies(&table).any(|(known, _)| known == name);
            let lacking = NEEDED.iter().filter(|(name, _)| !has(name)).map(|(_, add)| *add);
            return Ok(Self::Package { root: root.to_owned(), facade, lacking: lacking.collect() });
        }
        match root.ancestors().find(|folder| is_checkout(folder)) {
            Some(root) => Ok(Self::Workspace { root: root.to_owned() }),
            None => Err(Fatal {
                message: format!("`{}` does not depend on `{FACADE}`", manifest.display()),
                hint: Some(
                    "add it with `cargo add rehearsal`, or name a package that does with `--path`"
                        .into(),
                ),
            }),
        }
    }

    pub(super) fn root(&self) -> &Path {
        match self {
            Self::Workspace { root } | Self::Package { root, .. } => root,
        }
    }

    /// What its author does next.
    pub(super) fn next_steps(&self, name: &Name) -> String {
        let (kind, of_type) = (name.kind(), name.of_type());
        match self {
            Self::Workspace { .. } => format!(
                "next:\n  cargo test -p {ENVIRONMENTS} {kind}\n  cargo test --test behaviour catalog\n  \
                 cargo run -- collect --config configs/{kind}.yaml"
            ),
            Self::Package { facade, lacking, .. } => {
                let adding: String =
                    lacking.iter().map(|add| format!("  cargo add {add}\n")).collect();
                format!(
                    "next:\n{adding}  add to your `src/main.rs` or `src/lib.rs`:  mod {kind};\n  \
                     and where your program makes its kinds:  \
                     {facade}::kinds().environment::<{kind}::{of_type}>()\n  cargo test {kind}"
                )
            }
        }
    }
}

fn manifest_of(path: &Path) -> Result<Table, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    text.parse::<Table>().map_err(|error| error.to_string().trim_end().to_owned())
}

fn is_checkout(folder: &Path) -> bool {
    let manifest = manifest_of(&folder.join("environments/Cargo.toml"));
    let name = manifest
        .ok()
        .and_then(|manifest| Some(manifest.get("package")?.get("name")?.as_str()? == ENVIRONMENTS));
    name == Some(true) && folder.join("Cargo.toml").is_file()
}

/// A package's dependencies, of whichever sort.
fn dependencies(manifest: &Table) -> impl Iterator<Item = (&String, &Value)> {
    let sections = ["dependencies", "dev-dependencies"].into_iter();
    let sections = sections.filter_map(|section| manifest.get(section)?.as_table());
    sections.flat_map(|section| section.iter())
}

/// The name by which a package knows Rehearsal, as its code writes it.
fn facade(manifest: &Table) -> Option<String> {
    let is_it = |(name, value): &(&String, &Value)| {
        let package = value.get("package").and_then(Value::as_str);
        package.unwrap_or(name) == FACADE
    };
    let own = manifest.get("dependencies")?.as_table()?;
    own.iter().find(is_it).map(|(name, _)| name.replace('-', "_"))
}

/// The library of environments with one more: its module, and its line in `register`.
///
/// # Errors
/// Fails if it has a module of that name, or does not look as expected.
pub(super) fn register(library: &Path, name: &Name) -> Result<Change, Fatal> {
    let text = std::fs::read_to_string(library).map_err(|error| Fatal {
        message: format!("cannot read `{}`: {error}", library.display()),
        hint: Some("`new environment` needs a whole checkout".into()),
    })?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let kind = name.kind();
    if lines.iter().filter_map(|line| module(line)).any(|known| known == kind) {
        return Err(Fatal {
            message: format!("`{}` has a module `{kind}` already", library.display()),
            hint: Some("choose another name".into()),
        });
    }
    let declaration = format!("pub mod {kind};");
    let registration = format!("        .environment::<{kind}::{}>()", name.of_type());
    let put = |lines: &mut Vec<String>, line: &str, name_of: fn(&str) -> Option<&str>| {
        let place = place_of(lines, kind, name_of)?;
        lines.insert(place, line.to_owned());
        Some(())
    };
    let is_put = put(&mut lines, &declaration, module)
        .and_then(|()| put(&mut lines, &registration, registered));
    if is_put.is_none() {
        return Err(Fatal {
            message: format!(
                "`{}` registers no kinds, as far as it can be read",
                library.display()
            ),
            hint: Some("compare it with the one in Rehearsal's repository".into()),
        });
    }
    let text = lines.join("\n") + "\n";
    Ok(Change::Extend { text, added: vec![declaration, registration] })
}

/// The module that a line declares.
fn module(line: &str) -> Option<&str> {
    let declared = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "))?;
    declared.strip_suffix(';')
}

/// The module whose kind a line registers.
fn registered(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix(".environment::<")?.split("::").next()
}

/// Where a line belongs among those that `name_of` knows, in the order of the alphabet; an attribute
/// stays with its line.
fn place_of(lines: &[String], name: &str, name_of: fn(&str) -> Option<&str>) -> Option<usize> {
    let known = lines.iter().enumerate();
    let known: Vec<_> = known.filter_map(|(index, line)| Some((index, name_of(line)?))).collect();
    let after = known.iter().find(|(_, other)| *other > name);
    match after {
        Some((index, _)) => {
            let attributes = lines[..*index].iter().rev().take_while(|line| line.starts_with("#["));
            Some(index - attributes.count())
        }
        None => known.last().map(|(index, _)| index + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: &str = "\
//! Worlds.

pub mod apples;
mod pears;
#[cfg(test)]
mod trials;

pub fn register(kinds: Kinds) -> Kinds {
    kinds
        .environment::<apples::Apples>()
        .environment::<pears::Pears>()
}
";

    fn registered_in(text: &str, name: &str) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let name = Name::parse(name).map_err(|fatal| fatal.message)?;
        match register(file.path(), &name) {
            Ok(Change::Extend { text, .. }) => Ok(text),
            Ok(Change::Create(_)) => panic!("it is there"),
            Err(fatal) => Err(fatal.message),
        }
    }

    #[test]
    fn a_kind_is_registered_in_its_place() {
        for (name, before, after) in [
            (
                "aardvarks",
                "\n\npub mod aardvarks;\npub mod apples;",
                "kinds\n        .environment::<aardvarks::Aardvarks>()\n",
            ),
            (
                "plums",
                "mod pears;\npub mod plums;\n#[cfg(test)]\n",
                "Pears>()\n        .environment::<plums::Plums>()\n}",
            ),
            (
                "zebras",
                "mod trials;\npub mod zebras;\n\n",
                "Pears>()\n        .environment::<zebras::Zebras>()\n}",
            ),
        ] {
            let text = registered_in(LIBRARY, name).unwrap();
            assert!(text.contains(before) && text.contains(after), "{text}");
            assert_eq!(text.lines().count(), LIBRARY.lines().count() + 2);
        }
    }

    #[test]
    fn a_library_that_has_the_module_or_registers_nothing_is_left_alone() {
        assert!(registered_in(LIBRARY, "trials").unwrap_err().contains("a module `trials`"));
        assert!(
            registered_in("pub mod apples;\n", "plums").unwrap_err().contains("registers no kinds")
        );
    }

    #[test]
    fn a_package_knows_rehearsal_by_any_name() {
        for (manifest, expected) in [
            ("[dependencies]\nrehearsal = \"0.1\"", Some("rehearsal")),
            ("[dependencies]\nrehearsal = { path = \"..\" }", Some("rehearsal")),
            (
                "[dependencies]\nmy-rl = { package = \"rehearsal\", version = \"0.1\" }",
                Some("my_rl"),
            ),
            ("[dependencies]\nserde = \"1\"", None),
            ("[package]\nname = \"rehearsal\"", None),
        ] {
            assert_eq!(facade(&manifest.parse().unwrap()).as_deref(), expected, "{manifest}");
        }
    }
}
