//! The full-text index over the documents.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use percent_encoding::percent_decode_str;
use reqwest::Url;
use tantivy::collector::{Count, TopDocs};
use tantivy::directory::MmapDirectory;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::document::Value as _;
use tantivy::schema::{
    Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::snippet::SnippetGenerator;
use tantivy::{
    DocAddress, IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyDocument, Term,
};

use super::super::failure::Failure;
use super::super::page::cut;
use super::super::results::{Hit, to_text};
use super::corpus::{Corpus, Source};

/// Memory of the one thread that writes the index.
const WRITER_BYTES: usize = 32 << 20;
/// A snippet is about so many characters long.
const SNIPPET_MAX: usize = 200;
/// A word in the title counts as much as so many in the text.
const TITLE_BOOST: f32 = 2.0;
/// No more words of a query are looked for.
const WORDS_MAX: usize = 64;

/// What an index can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    /// Something with the files.
    #[error(transparent)]
    Index(#[from] tantivy::TantivyError),
    /// Something with the documents in it.
    #[error(transparent)]
    Store(#[from] std::io::Error),
    /// The folder cannot be used.
    #[error("`settings.local.index`: `{0}`: {1}; give it another folder, or remove this one")]
    Folder(String, String),
}

/// The index.
pub(crate) struct Index {
    index: tantivy::Index,
    reader: IndexReader,
    fields: Fields,
    base_url: Url,
    hits_max: usize,
}

/// What is kept of a document.
#[derive(Clone, Copy)]
struct Fields {
    path: Field,
    stamp: Field,
    title: Field,
    text: Field,
}

impl Fields {
    fn schema() -> (Schema, Self) {
        let mut schema = Schema::builder();
        let indexing = TextFieldIndexing::default()
            .set_tokenizer("en_stem")
            .set_index_option(IndexRecordOption::WithFreqs);
        let text = TextOptions::default().set_indexing_options(indexing).set_stored();
        let fields = Self {
            path: schema.add_text_field("path", STRING | STORED),
            stamp: schema.add_text_field("stamp", STORED),
            title: schema.add_text_field("title", text.clone()),
            text: schema.add_text_field("text", text),
        };
        (schema.build(), fields)
    }
}

impl Index {
    /// Builds the index, or brings the one that is kept in a folder up to date.
    pub(super) fn build(
        corpus: &Corpus,
        kept_in: Option<&Path>,
        base_url: Url,
        hits_max: usize,
    ) -> Result<Self, IndexError> {
        let (schema, fields) = Fields::schema();
        let index = match kept_in {
            None => tantivy::Index::create_in_ram(schema),
            Some(folder) => open_folder(folder, schema)?,
        };
        update(&index, fields, corpus)?;
        let reader = reader(&index)?;
        Ok(Self { index, reader, fields, base_url, hits_max })
    }

    /// Searches: the text that a model reads.
    pub(crate) fn search(&self, query: &str) -> Result<String, Failure> {
        self.hits(query)
            .map(|(total, hits)| to_text(query, total, hits.into_iter()))
            .map_err(|error| Failure::outage(format_args!("the local index: {error}")))
    }

    /// A document, cut to what a model is shown; `None` if there is none at that URL.
    pub(crate) fn page(&self, url: &Url) -> Result<Option<String>, Failure> {
        let failed = |error| Failure::outage(format_args!("the local index: {error}"));
        let Some(path) = self.path(url) else { return Ok(None) };
        let searcher = self.reader.searcher();
        let term = Term::from_field_text(self.fields.path, &path);
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let found = searcher.search(&query, &TopDocs::with_limit(1).order_by_score());
        let Some((_, address)) = found.map_err(failed)?.into_iter().next() else { return Ok(None) };
        let document: TantivyDocument = searcher.doc(address).map_err(failed)?;
        Ok(Some(cut(text_of(&document, self.fields.text).to_owned())))
    }

    fn hits(&self, query: &str) -> tantivy::Result<(u64, Vec<Hit>)> {
        let Some(query) = self.query(query)? else { return Ok((0, Vec::new())) };
        let searcher = self.reader.searcher();
        let top = TopDocs::with_limit(self.hits_max).order_by_score();
        let (total, found) = searcher.search(&query, &(Count, top))?;
        let mut snippets = SnippetGenerator::create(&searcher, &query, self.fields.text)?;
        snippets.set_max_num_chars(SNIPPET_MAX);
        let hits = found.into_iter().map(|(_, address)| self.hit(&searcher, address, &snippets));
        Ok((total as u64, hits.collect::<tantivy::Result<_>>()?))
    }

    fn hit(
        &self,
        searcher: &Searcher,
        address: DocAddress,
        snippets: &SnippetGenerator,
    ) -> tantivy::Result<Hit> {
        let document: TantivyDocument = searcher.doc(address)?;
        let text = text_of(&document, self.fields.text);
        let snippet = snippets.snippet(text);
        let start = || text.chars().take(SNIPPET_MAX).collect::<String>();
        let snippet = if snippet.is_empty() { start() } else { snippet.fragment().to_owned() };
        let snippet = snippet.split_whitespace().collect::<Vec<_>>().join(" ");
        let title = text_of(&document, self.fields.title).to_owned();
        let link = self.link(text_of(&document, self.fields.path));
        Ok(Hit { title, link, snippet })
    }

    /// Any of the words, in title or text; `None` if there are no words. A query has no syntax: what a
    /// model writes into one is not meant for tantivy.
    fn query(&self, query: &str) -> tantivy::Result<Option<BooleanQuery>> {
        let mut analyzer = self.index.tokenizer_for_field(self.fields.text)?;
        let mut tokens = analyzer.token_stream(query);
        let mut words: Vec<String> = Vec::new();
        while let Some(token) = tokens.next() {
            if words.len() < WORDS_MAX && !words.contains(&token.text) {
                words.push(token.text.clone());
            }
        }
        let clause = |field, word: &str| -> Box<dyn Query> {
            Box::new(TermQuery::new(
                Term::from_field_text(field, word),
                IndexRecordOption::WithFreqs,
            ))
        };
        let clauses = words.iter().flat_map(|word| {
            let title = BoostQuery::new(clause(self.fields.title, word), TITLE_BOOST);
            [(Occur::Should, Box::new(title) as _), (Occur::Should, clause(self.fields.text, word))]
        });
        let clauses: Vec<_> = clauses.collect();
        Ok((!clauses.is_empty()).then(|| BooleanQuery::new(clauses)))
    }

    /// The URL of the document at a path.
    fn link(&self, path: &str) -> String {
        let mut url = self.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        url.into()
    }

    /// The path of the document at a URL, whatever its scheme, query and fragment.
    fn path(&self, url: &Url) -> Option<String> {
        let is_here = url.host() == self.base_url.host() && url.port() == self.base_url.port();
        let path = url.path().strip_prefix(self.base_url.path()).filter(|_| is_here)?;
        percent_decode_str(path).decode_utf8().ok().map(Into::into)
    }
}

fn text_of(document: &TantivyDocument, field: Field) -> &str {
    document.get_first(field).and_then(|value| value.as_str()).unwrap_or_default()
}

fn open_folder(folder: &Path, schema: Schema) -> Result<tantivy::Index, IndexError> {
    let failed = |error: &dyn std::fmt::Display| {
        IndexError::Folder(folder.display().to_string(), error.to_string())
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    let directory = MmapDirectory::open(folder).map_err(|error| failed(&error))?;
    tantivy::Index::open_or_create(directory, schema).map_err(|error| failed(&error))
}

/// A reader of what has been written so far; a watch for more would cost a thread.
fn reader(index: &tantivy::Index) -> tantivy::Result<IndexReader> {
    index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()
}

/// Reads the documents that have changed, and forgets those that are gone.
fn update(index: &tantivy::Index, fields: Fields, corpus: &Corpus) -> Result<(), IndexError> {
    let mut known = known(index, fields)?;
    let is_changed = |source: &&Source| {
        let stamp = known.remove(&source.path);
        stamp.as_deref() != Some(source.stamp.as_str())
    };
    let changed: Vec<_> = corpus.documents.iter().filter(is_changed).collect();
    if changed.is_empty() && known.is_empty() {
        return Ok(());
    }
    // One thread, so that the same documents make the same index, ties in the ranking included.
    let mut writer: IndexWriter = index.writer_with_num_threads(1, WRITER_BYTES)?;
    for path in known.keys() {
        writer.delete_term(Term::from_field_text(fields.path, path));
    }
    for source in changed {
        writer.delete_term(Term::from_field_text(fields.path, &source.path));
        // A document that its reader cannot stand costs itself alone.
        let document = catch_unwind(AssertUnwindSafe(|| source.read())).ok().flatten();
        let Some(document) = document else { continue };
        let mut entry = TantivyDocument::default();
        entry.add_text(fields.path, &source.path);
        entry.add_text(fields.stamp, &source.stamp);
        entry.add_text(fields.title, &document.title);
        entry.add_text(fields.text, &document.text);
        writer.add_document(entry)?;
    }
    writer.commit()?;
    writer.wait_merging_threads()?;
    Ok(())
}

/// The documents that the index holds: paths and stamps.
fn known(index: &tantivy::Index, fields: Fields) -> Result<HashMap<String, String>, IndexError> {
    let searcher = reader(index)?.searcher();
    let mut known = HashMap::new();
    for segment in searcher.segment_readers() {
        let store = segment.get_store_reader(1)?;
        for document in store.iter::<TantivyDocument>(segment.alive_bitset()) {
            let document = document?;
            let text = |field| text_of(&document, field).to_owned();
            known.insert(text(fields.path), text(fields.stamp));
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests;
