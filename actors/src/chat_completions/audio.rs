//! Sound that a task names in its `metadata`, for models that listen.
//!
//! | Key | Value |
//! |---|---|
//! | `audio_data` | a data URL |
//! | `audio_path` | a file: absolute, or below `settings.audio_root` |
//! | `audio_paths` | several, as a JSON list |
//!
//! One of them may be there; an empty value says nothing. The sound comes before the text of the last
//! message of a user. With an `audio_root`, files elsewhere are refused, whatever way leads to them.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::messages::Unsupported;
use super::parameters::Extras;

/// The keys.
pub(super) const KEYS: [&str; 3] = ["audio_data", "audio_path", "audio_paths"];
/// Larger files are refused.
const BYTES_MAX: u64 = 64 << 20;
/// Kinds of files by their extensions, and what they are called in a data URL.
const TYPES: [(&str, &str); 6] = [
    ("wav", "wav"),
    ("flac", "flac"),
    ("mp3", "mpeg"),
    ("m4a", "mp4"),
    ("ogg", "ogg"),
    ("opus", "opus"),
];

/// Sound as a task names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    Data(String),
    File(PathBuf),
}

/// The sounds that metadata names.
///
/// # Errors
/// Fails if two keys do, or a value is not what it should be.
pub(super) fn named(metadata: &Extras) -> Result<Vec<Sound>, Unsupported> {
    let text = |key: &str| metadata.get(key).and_then(Value::as_str).map(str::trim);
    let set = KEYS.into_iter().filter_map(|key| Some((key, text(key)?)));
    let set: Vec<_> = set.filter(|(_, value)| !value.is_empty()).collect();
    let [(key, value)] = set.as_slice() else {
        return match set.is_empty() {
            true => Ok(Vec::new()),
            false => Err(Unsupported(format!("`metadata` has several of `{}`", KEYS.join("`, `")))),
        };
    };
    match *key {
        "audio_data" if value.starts_with("data:audio/") => {
            Ok(vec![Sound::Data((*value).to_owned())])
        }
        "audio_data" => Err(Unsupported("`metadata.audio_data` is no `data:audio/…` URL".into())),
        "audio_path" => Ok(vec![Sound::File(value.into())]),
        _ => {
            let paths: Vec<PathBuf> = serde_json::from_str(value).map_err(|error| {
                Unsupported(format!("`metadata.audio_paths` is no list of paths: {error}"))
            })?;
            Ok(paths.into_iter().map(Sound::File).collect())
        }
    }
}

/// The sounds as data URLs. Reads files, so not for a shard's own thread.
///
/// # Errors
/// Fails if a file is not where it may be, cannot be read, is too large or of no known kind.
pub(super) fn read(sounds: Vec<Sound>, root: Option<&Path>) -> Result<Vec<String>, Unsupported> {
    let read = |sound| match sound {
        Sound::Data(url) => Ok(url),
        Sound::File(path) => file(&path, root)
            .map_err(|reason| Unsupported(format!("audio `{}`: {reason}", path.display()))),
    };
    sounds.into_iter().map(read).collect()
}

fn file(path: &Path, root: Option<&Path>) -> Result<String, String> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let tag = TYPES.iter().find(|(known, _)| *known == extension);
    let (_, tag) = tag.ok_or_else(|| {
        let known: Vec<_> = TYPES.iter().map(|(known, _)| *known).collect();
        format!("its extension is none of {}", known.join(", "))
    })?;
    let whole = match root {
        Some(root) => root.join(path),
        None if path.is_absolute() => path.to_owned(),
        None => return Err("a relative path needs `settings.audio_root`".to_owned()),
    };
    let real = |path: &Path| path.canonicalize().map_err(|error| error.to_string());
    let whole = real(&whole)?;
    if let Some(root) = root
        && !whole.starts_with(real(root)?)
    {
        return Err("it is not below `settings.audio_root`".to_owned());
    }
    let length = std::fs::metadata(&whole).map_err(|error| error.to_string())?.len();
    if length > BYTES_MAX {
        return Err(format!("it has {length} bytes, more than {BYTES_MAX}"));
    }
    let bytes = std::fs::read(&whole).map_err(|error| error.to_string())?;
    Ok(format!("data:audio/{tag};base64,{}", STANDARD.encode(bytes)))
}
