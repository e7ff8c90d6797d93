//! `rehearsal new environment`: what it writes, where, and what it leaves alone. That a checkout with a
//! generated environment builds and passes the catalog is seen by `.ci/run`.

use std::path::Path;

use rehearsal::prelude::*;

use crate::support::command::{Ended, Folder};

/// The file that is generated, with its own tests.
#[expect(unreachable_pub, reason = "it is written for a library")]
#[path = "../src/new/template/environment.rs"]
mod template;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// As much of a checkout as can be told from other packages.
fn checkout() -> Folder {
    let folder = Folder::new();
    for file in ["Cargo.toml", "environments/Cargo.toml", "environments/src/lib.rs", "rustfmt.toml"]
    {
        folder.write(file, &std::fs::read_to_string(repository().join(file)).unwrap());
    }
    folder
}

fn package(dependencies: &str) -> Folder {
    let folder = Folder::new();
    folder.write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"own\"\nversion = \"0.1.0\"\n\n[dependencies]\n{dependencies}"
        ),
    );
    folder.write("src/main.rs", "fn main() {}\n");
    folder
}

fn new(folder: &Folder, more: &[&str]) -> Ended {
    // `rustfmt` is found by its path.
    let mut command = folder.rehearsal(&[&["new", "environment"], more].concat());
    for name in ["PATH", "HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "CARGO_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    Ended::new(command.output().unwrap())
}

#[tokio::test]
async fn the_scripted_model_solves_the_generated_tasks() {
    let template = repository().join("src/new/template");
    let config = std::fs::read_to_string(template.join("config.yaml")).unwrap();
    let config = config.replace("data_path", template.to_str().unwrap());
    let config = Loader::new().text("config.yaml", &config).load().unwrap();
    let kinds = rehearsal::kinds().environment::<template::KindName>();
    let runtime = Runtime::start(config, &kinds).await.unwrap();
    let (collection, records) = (runtime.collection().unwrap(), Arc::new(MemoryRecorder::new()));
    let summary = runtime.collect(collection, records, Arc::default()).await.unwrap();
    runtime.stop().await;
    let rewards = &summary.environments["world"];
    assert_eq!((rewards.tasks, rewards.mean), (5, 1.0));
}

#[test]
fn a_checkout_gets_the_environment_its_configuration_its_tasks_and_its_registration() {
    let folder = checkout();
    let before = folder.read("environments/src/lib.rs");
    let dry = new(&folder, &["tea_shop", "--dry-run"]);
    dry.exits_with(0).says(&["nothing was written"]);
    assert_eq!(folder.read("environments/src/lib.rs"), before);
    assert!(!folder.path("configs").exists());

    let ended = new(&folder, &["tea_shop"]);
    ended.exits_with(0).says(&["cargo test --test behaviour catalog"]);
    assert_eq!(ended.stdout, dry.stdout, "what it says before and what it does");
    for (file, lines) in [
        ("environments/src/tea_shop.rs", 150),
        ("configs/tea_shop.yaml", 25),
        ("environments/data/tea_shop/example.jsonl", 5),
        ("environments/data/tea_shop/gold.jsonl", 5),
    ] {
        assert!(folder.read(file).lines().count() >= lines, "{file}");
        assert!(ended.stdout.contains(file), "{}", ended.stdout);
        for placeholder in
            ["kind_name", "KindName", "data_path", "facade_path", "run_line", "of the place"]
        {
            assert!(!folder.read(file).contains(placeholder), "{file}: {placeholder}");
        }
    }
    assert!(folder.read("environments/src/tea_shop.rs").contains("impl Environment for TeaShop {"));
    let library = folder.read("environments/src/lib.rs");
    let added: Vec<_> = library.lines().filter(|line| !before.contains(line)).collect();
    assert_eq!(added, ["pub mod tea_shop;", "        .environment::<tea_shop::TeaShop>()"]);
    assert_eq!(library.lines().count(), before.lines().count() + 2);

    let again = new(&folder, &["tea_shop"]);
    again.exits_with(1).says(&["has a module `tea_shop` already", "hint:"]);
}

#[test]
fn a_package_that_depends_on_rehearsal_gets_a_module_and_what_to_add() {
    let folder = package("rl = { package = \"rehearsal\", path = \"..\" }\nserde = \"1\"\n");
    std::fs::create_dir(folder.path("deep")).unwrap();
    let ended = new(&folder, &["tea_shop", "--path", "deep"]);
    ended.exits_with(0).says(&[
        "mod tea_shop;",
        "rl::kinds().environment::<tea_shop::TeaShop>()",
        "cargo add schemars",
        "cargo add tokio --dev",
    ]);
    assert!(!ended.stderr.contains("cargo add serde"), "it has that");
    let code = folder.read("src/tea_shop.rs");
    assert!(code.contains("use rl::framework::environment::"), "{code}");
    assert!(code.contains("rl::kinds().environment::<TeaShop>()"), "{code}");
    assert!(folder.read("tea_shop.yaml").contains("path: data/tea_shop/example.jsonl"));
    assert_eq!(folder.read("data/tea_shop/example.jsonl").lines().count(), 5);
    assert_eq!(folder.read("src/main.rs"), "fn main() {}\n");
}

#[test]
fn nothing_is_overwritten_and_nothing_is_left_behind() {
    let folder = checkout();
    let before = folder.read("environments/src/lib.rs");
    folder.write("configs/tea_shop.yaml", "precious\n");
    let ended = new(&folder, &["tea_shop"]);
    ended.exits_with(1).says(&["configs/tea_shop.yaml` exists already", "hint:"]);
    assert_eq!(folder.read("configs/tea_shop.yaml"), "precious\n");
    assert!(!folder.path("environments/src/tea_shop.rs").exists());

    // The third file cannot be written.
    folder.write("environments/data", "no folder");
    let ended = new(&folder, &["coffee_shop"]);
    ended.exits_with(1).says(&["cannot write `", "data/coffee_shop/example.jsonl`", "hint:"]);
    for file in ["environments/src/coffee_shop.rs", "configs/coffee_shop.yaml"] {
        assert!(!folder.path(file).exists(), "{file}");
    }
    assert_eq!(folder.read("environments/src/lib.rs"), before);
}

#[test]
fn a_place_or_a_name_that_will_not_do_says_what_would() {
    let nowhere = Folder::new();
    new(&nowhere, &["tea_shop"]).exits_with(1).says(&[
        "is in no Rust package",
        "hint: ",
        "cargo init",
    ]);
    let gone = new(&nowhere, &["tea_shop", "--path", "gone"]);
    gone.exits_with(1).says(&["cannot read `gone`", "hint:"]);
    let stranger = package("serde = \"1\"\n");
    let ended = new(&stranger, &["tea_shop"]);
    ended.exits_with(1).says(&["does not depend on `rehearsal`", "hint: add it with `cargo add"]);
    stranger.write("Cargo.toml", "[package\n");
    new(&stranger, &["tea_shop"]).exits_with(1).says(&["cannot read `", "Cargo.toml`", "hint:"]);
    let own = package("rehearsal = \"0.1\"\n");
    for (name, text) in [
        ("TeaShop", "single underscores: `tea_shop`"),
        ("match", "`match` is reserved"),
        ("workbench", "there is an environment `workbench` already"),
    ] {
        new(&own, &[name]).exits_with(1).says(&[text, "hint:"]);
    }
    new(&own, &[]).exits_with(2);
}
