//! Repositories as folders of this machine, and what of them goes into a workspace.

use std::path::Path;

use framework::environment::EnvironmentError;

/// A folder as an archive, with its links and the permissions of its files.
///
/// # Errors
/// Fails if it is not there or cannot be read.
pub(super) fn pack(folder: &Path) -> Result<Vec<u8>, EnvironmentError> {
    let shown = folder.display();
    if !folder.is_dir() {
        return Err(EnvironmentError::permanent(format_args!(
            "there is no repository `{shown}`; `settings.snapshots` says where they are"
        )));
    }
    let mut archive = tar::Builder::new(Vec::new());
    archive.follow_symlinks(false);
    let packed = archive.append_dir_all(".", folder).and_then(|()| archive.into_inner());
    packed.map_err(|error| {
        EnvironmentError::permanent(format_args!("cannot read `{shown}`: {error}"))
    })
}
