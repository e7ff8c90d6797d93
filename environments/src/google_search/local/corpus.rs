//! The documents of a folder: which there are, and what they say.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use framework::wiring::BuildError;

use super::super::page::{decode, read_html};
use super::LocalConfig;

/// A title taken from a text's first line is cut here, in characters.
const TITLE_MAX: usize = 120;

/// Pairs of a path and what stands there, below the example data.
macro_rules! documents {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../../data/google_search/corpus/", $path)))),*]
    };
}

/// What ships: the documents that the example tasks are about.
const BUILT_IN: [(&str, &str); 12] = documents![
    "almanac/tides.html",
    "almanac/winds.txt",
    "ferries/fares.md",
    "ferries/timetable.html",
    "lighthouses/fog-horn.md",
    "lighthouses/keepers.md",
    "lighthouses/tern-rock.html",
    "nature/puffins.md",
    "nature/seals.txt",
    "people/ingrid-vold.md",
    "people/jonas-arnet.html",
    "town/library.txt",
];

/// Documents, found but not read.
#[derive(Clone, Debug)]
pub(super) struct Corpus {
    pub(super) documents: Vec<Source>,
}

/// Where a document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// Its path below the folder, with `/` between the parts.
    pub(super) path: String,
    /// Changes when the document does.
    pub(super) stamp: String,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    BuiltIn(&'static str),
}

/// What a document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) title: String,
    pub(super) text: String,
}

/// How a document is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Html,
    Markdown,
    Text,
}

impl Format {
    fn of(path: &str) -> Option<Self> {
        let (_, extension) = path.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "html" | "htm" | "xhtml" => Some(Self::Html),
            "md" | "markdown" => Some(Self::Markdown),
            "txt" | "text" => Some(Self::Text),
            _ => None,
        }
    }
}

impl Corpus {
    /// Lists the documents, in the order of their paths.
    ///
    /// # Errors
    /// Fails if the folder cannot be listed, or holds no document or too many.
    pub(super) fn find(config: &LocalConfig) -> Result<Self, BuildError> {
        let Some(folder) = &config.folder else { return Ok(Self::built_in()) };
        let failed = |what: &dyn std::fmt::Display| {
            BuildError::new(format_args!("`settings.local.folder`: `{}`: {what}", folder.display()))
        };
        let mut walk = Walk { config, documents: Vec::new() };
        walk.folder(folder, "").map_err(|error| failed(&error))?;
        let mut documents = walk.documents;
        if documents.is_empty() {
            return Err(failed(&"it holds no `.html`, `.md` or `.txt` file"));
        }
        if documents.len() as u64 > config.documents_max.get() {
            let max = config.documents_max;
            return Err(failed(&format_args!(
                "it holds more than {max} documents; raise `settings.local.documents_max`"
            )));
        }
        documents.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { documents })
    }

    fn built_in() -> Self {
        let source = |(path, text): &(&str, &'static str)| Source {
            path: (*path).to_owned(),
            stamp: text.len().to_string(),
            place: Place::BuiltIn(text),
        };
        Self { documents: BUILT_IN.iter().map(source).collect() }
    }
}

/// A walk over a folder. Hidden files and links to folders are passed over.
struct Walk<'a> {
    config: &'a LocalConfig,
    documents: Vec<Source>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, above: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            let path = format!("{above}{name}");
            if entry.file_type()?.is_dir() {
                self.folder(&entry.path(), &format!("{path}/"))?;
            } else if Format::of(&path).is_some() {
                self.file(entry.path(), path)?;
            }
            if self.documents.len() as u64 > self.config.documents_max.get() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn file(&mut self, file: PathBuf, path: String) -> io::Result<()> {
        let metadata = fs::metadata(&file)?;
        if !metadata.is_file() {
            return Ok(());
        }
        if metadata.len() > self.config.document_max.bytes() {
            let max = self.config.document_max;
            tracing::warn!(path, %max, "longer than `settings.local.document_max`, left out");
            return Ok(());
        }
        let changed = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let stamp = format!("{}-{}", metadata.len(), changed.as_nanos());
        self.documents.push(Source { path, stamp, place: Place::File(file) });
        Ok(())
    }
}

impl Source {
    /// Reads the document; `None`, after a warning, if that is impossible.
    pub(super) fn read(&self) -> Option<Document> {
        let bytes: Cow<'_, [u8]> = match &self.place {
            Place::BuiltIn(text) => text.as_bytes().into(),
            Place::File(file) => match fs::read(file) {
                Ok(bytes) => bytes.into(),
                Err(error) => {
                    tracing::warn!(path = self.path, %error, "a document is left out");
                    return None;
                }
            },
        };
        let text = decode(&bytes, None);
        let format = Format::of(&self.path).unwrap_or(Format::Text);
        let document = match format {
            Format::Html => match read_html(&text) {
                Ok(reading) => Document { title: reading.title, text: reading.text },
                Err(reason) => {
                    tracing::warn!(path = self.path, %reason, "a document is left out");
                    return None;
                }
            },
            Format::Markdown | Format::Text => Document { title: title(&text, format), text },
        };
        Some(Document { title: self.or_name(document.title), ..document })
    }

    /// A title, or the name of the file where there is none.
    fn or_name(&self, title: String) -> String {
        if !title.is_empty() {
            return title;
        }
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.rsplit_once('.').map_or(name, |(stem, _)| stem).replace(['-', '_'], " ")
    }
}

/// The first heading of Markdown, or the first line of text.
fn title(text: &str, format: Format) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = match format {
        Format::Markdown => lines.find(|line| line.starts_with("# ")),
        Format::Html | Format::Text => lines.next(),
    };
    let line = line.unwrap_or_default().trim_start_matches('#').trim();
    line.chars().take(TITLE_MAX).collect()
}

#[cfg(test)]
mod tests;
