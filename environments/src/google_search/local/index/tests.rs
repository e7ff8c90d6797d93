use std::path::PathBuf;

use serde_json::Value;

use super::super::LocalConfig;
use super::*;

struct Library {
    folder: tempfile::TempDir,
}

impl Library {
    fn new(documents: &[(&str, &str)]) -> Self {
        let library = Self { folder: tempfile::tempdir().unwrap() };
        for (path, text) in documents {
            library.write(path, text);
        }
        library
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join("documents").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn kept_in(&self) -> PathBuf {
        self.folder.path().join("index")
    }

    fn open(&self, kept_in: Option<&Path>) -> Index {
        let folder = Some(self.folder.path().join("documents"));
        let config = LocalConfig { folder, ..LocalConfig::default() };
        let corpus = Corpus::find(&config).unwrap();
        let base_url = Url::parse("https://library.example/docs/").unwrap();
        Index::build(&corpus, kept_in, base_url, 10).unwrap()
    }
}

fn links(index: &Index, query: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(&index.search(query).unwrap()).unwrap();
    let items = answer["items"].as_array().into_iter().flatten();
    items.map(|item| item["link"].as_str().unwrap().to_owned()).collect()
}

fn page(index: &Index, url: &str) -> Option<String> {
    index.page(&Url::parse(url).unwrap()).unwrap()
}

#[test]
fn words_are_found_in_any_form_and_titles_count_more() {
    let library = Library::new(&[
        ("a.md", "# Terns\n\nThey nest here."),
        ("b.md", "# Rocks\n\nOne tern nested here, beside gulls and many other birds."),
        ("c.md", "# Weather\n\nIt rains."),
    ]);
    let index = library.open(None);
    let (a, b) = ("https://library.example/docs/a.md", "https://library.example/docs/b.md");
    assert_eq!(links(&index, "TERN"), [a, b]);
    assert_eq!(links(&index, "nesting terns"), [a, b]);
    assert_eq!(links(&index, "snow"), [] as [&str; 0]);
}

#[test]
fn a_query_has_no_syntax() {
    let library = Library::new(&[("a.md", "# Terns\n\nThey nest here: title, \"quoted\".")]);
    let index = library.open(None);
    for query in [
        "title:terns",
        "\"terns nest\"",
        "+terns -nest",
        "terns AND (",
        "[a TO b] terns^",
        "terns~2 *",
        "/terns/ \\",
        "terns\0\u{1f600}",
    ] {
        assert_eq!(links(&index, query).len(), 1, "{query}");
    }
    for query in ["", " ", "\"", "***", "\u{1f600}"] {
        assert_eq!(links(&index, query).len(), 0, "{query}");
    }
    assert_eq!(links(&index, &"terns ".repeat(100_000)).len(), 1);
}

#[test]
fn at_most_ten_results_are_shown_and_the_total_is_told_in_the_same_order_every_time() {
    let documents: Vec<_> = (0..25).map(|i| (format!("{i:02}.txt"), "a tern")).collect();
    let documents: Vec<_> = documents.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let library = Library::new(&documents);
    let first = library.open(None).search("tern").unwrap();
    let answer: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(answer["items"].as_array().unwrap().len(), 10);
    assert_eq!(answer["searchInformation"]["totalResults"], "25");
    for _ in 0..3 {
        assert_eq!(library.open(None).search("tern").unwrap(), first);
    }
}

#[test]
fn a_document_is_read_at_the_url_that_the_results_show() {
    let library = Library::new(&[("a b/ü%#?.txt", "a tern"), ("c.txt", "gulls, all of them")]);
    let index = library.open(None);
    let link = links(&index, "tern").remove(0);
    assert_eq!(link, "https://library.example/docs/a%20b/%C3%BC%25%23%3F.txt");
    assert_eq!(page(&index, &link).as_deref(), Some("a tern"));
    assert!(page(&index, "http://library.example/docs/c.txt").is_some());
    for url in [
        "https://library.example/c.txt",
        "https://library.example:444/docs/c.txt",
        "https://other.example/docs/c.txt",
        "https://library.example/docs/",
        "https://library.example/docs/../c.txt",
        "https://library.example/docs/%FF",
        "data:text/plain,docs/c.txt",
    ] {
        assert_eq!(page(&index, url), None, "{url}");
    }
}

#[test]
fn an_index_that_is_kept_follows_its_documents() {
    let library = Library::new(&[("a.txt", "a tern"), ("b.txt", "a gull"), ("c.txt", "a gannet")]);
    let kept_in = library.kept_in();
    let open = || library.open(Some(&kept_in));
    assert_eq!(links(&open(), "tern gull gannet").len(), 3);
    let documents = library.folder.path().join("documents");
    std::fs::remove_file(documents.join("b.txt")).unwrap();
    library.write("c.txt", "a puffin now");
    library.write("d.txt", "another tern");
    let index = open();
    assert_eq!(links(&index, "gull gannet").len(), 0);
    assert_eq!(links(&index, "puffin").len(), 1);
    assert_eq!(links(&index, "tern").len(), 2);
    drop(index);
    let written = || {
        let files = std::fs::read_dir(&kept_in).unwrap().map(|entry| entry.unwrap().file_name());
        files.collect::<std::collections::BTreeSet<_>>()
    };
    let before = written();
    assert_eq!(links(&open(), "tern").len(), 2);
    assert_eq!(written(), before, "nothing has changed, so nothing is written");
}

#[test]
fn a_folder_that_holds_something_else_is_an_error_with_a_hint() {
    let library = Library::new(&[("a.txt", "a tern")]);
    std::fs::write(library.kept_in(), "a file").unwrap();
    let (corpus, url) = (Corpus::find(&LocalConfig::default()).unwrap(), "https://a.example/");
    let built = Index::build(&corpus, Some(&library.kept_in()), Url::parse(url).unwrap(), 10);
    let error = built.err().unwrap().to_string();
    assert!(error.contains("`settings.local.index`") && error.contains("remove this"), "{error}");
}
