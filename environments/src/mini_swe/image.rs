//! The images of SWE-bench's and SWE-Gym's tasks, for backends that run containers.

use framework::environment::EnvironmentError;

use super::row::Target;
use crate::sandbox::Settings;

/// The image of a task.
///
/// # Errors
/// Fails if neither row nor settings name one.
pub(super) fn image(target: &Target, settings: &Settings) -> Result<String, EnvironmentError> {
    if let Some(image) = &target.image_name {
        return Ok(image.clone());
    }
    let id = target.instance_id.to_lowercase();
    if let Some(template) = &settings.image {
        let named = |id: &str| template.replace("{instance_id}", id);
        let file = || spellings(&target.instance_id).iter().map(|id| named(id)).find(is_file);
        return Ok(file().unwrap_or_else(|| named(&id)));
    }
    match target.subset.as_deref() {
        Some("gym") => Ok(format!("xingyaoww/sweb.eval.x86_64.{}:latest", id.replace("__", "_s_"))),
        Some("verified") => {
            Ok(format!("swebench/sweb.eval.x86_64.{}:latest", id.replace("__", "_1776_")))
        }
        other => Err(EnvironmentError::permanent(format_args!(
            "no image is known for subset `{}` of `{}`; name it in the row's `image_name` or in \
             `settings.sandbox.image`",
            other.unwrap_or_default(),
            target.instance_id
        ))),
    }
}

/// How files of images may spell a task's id: with what registries have for `__`, which names there may not
/// hold, in either case.
fn spellings(id: &str) -> Vec<String> {
    let in_case = |id: &str| ["_1776_", "_s_", "__"].map(|it| id.replace("__", it));
    [in_case(id), in_case(&id.to_lowercase())].concat()
}

fn is_file(path: &String) -> bool {
    std::path::Path::new(path).is_file()
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

    #[test]
    fn images_are_named_by_dataset_and_task() {
        let settings = Settings::default();
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
        let settings = Settings { image: Some("/images/{instance_id}.sif".into()), ..settings };
        assert_eq!(image(&target(|_| {}), &settings).unwrap(), "/images/owner__name-1.sif");
    }

    #[test]
    fn a_file_of_an_image_is_found_however_it_spells_the_task() {
        let folder = tempfile::tempdir().unwrap();
        let template = folder.path().join("x.{instance_id}.sif").display().to_string();
        let settings = Settings { image: Some(template.clone()), ..Settings::default() };
        let found = || image(&target(|_| {}), &settings).unwrap();
        assert_eq!(found(), template.replace("{instance_id}", "owner__name-1"));
        for spelling in ["owner__name-1", "Owner__Name-1", "owner_s_name-1", "Owner_1776_Name-1"] {
            let file = template.replace("{instance_id}", spelling);
            std::fs::write(&file, "").unwrap();
            assert_eq!(found(), file);
            std::fs::remove_file(&file).unwrap();
        }
    }
}
