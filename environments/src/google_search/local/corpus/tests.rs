use std::path::Path;

use super::*;

fn find(folder: &Path, settings: &str) -> Result<Corpus, BuildError> {
    let config: LocalConfig = serde_json::from_str(settings).unwrap();
    Corpus::find(&LocalConfig { folder: Some(folder.to_owned()), ..config })
}

fn paths(corpus: &Corpus) -> Vec<&str> {
    corpus.documents.iter().map(|source| source.path.as_str()).collect()
}

#[test]
fn what_is_built_in_is_what_stands_in_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/google_search/corpus");
    let (built_in, found) = (Corpus::built_in(), find(&folder, "{}").unwrap());
    assert_eq!(paths(&built_in), paths(&found));
    for (built_in, found) in built_in.documents.iter().zip(&found.documents) {
        assert_eq!(built_in.read(), found.read());
    }
}

#[test]
fn documents_are_found_in_folders_of_any_depth_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &[u8]| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("b.md", b"intro\n\n# Title of b #\n\n# Not this\n");
    write("a/deep/er/x.TXT", b"\n\n  First line \nsecond\n");
    write("a/no title.markdown", b"no heading");
    write("a/latin.txt", b"M\xf6wen \xfcber dem Flu\xdf und anderswo");
    write("a/page.htm", b"<html><head><title>T</title></head><body><p>Terns nest on the rock in May.</p></body></html>");
    write("a/empty.html", b"<html></html>");
    write(".hidden/c.md", b"# no");
    write("a/.d.md", b"# no");
    write("image.png", b"no");
    write("long.txt", &[b'x'; 100]);
    std::os::unix::fs::symlink("..", folder.path().join("a/loop")).unwrap();
    let corpus = find(folder.path(), r#"{"document_max":"99B"}"#).unwrap();
    let expected = [
        "a/deep/er/x.TXT",
        "a/empty.html",
        "a/latin.txt",
        "a/no title.markdown",
        "a/page.htm",
        "b.md",
    ];
    assert_eq!(paths(&corpus), expected);
    let read: Vec<_> = corpus.documents.iter().map(Source::read).collect();
    let title = |index: usize| read[index].as_ref().map(|document| document.title.as_str());
    assert_eq!(title(0), Some("First line"));
    assert_eq!(title(1), None, "there is nothing to read");
    assert!(read[2].as_ref().unwrap().text.starts_with("Möwen über"));
    assert_eq!(title(3), Some("no title"));
    assert_eq!(title(4), Some("T"));
    assert_eq!(title(5), Some("Title of b #"));
}

#[test]
fn a_folder_without_documents_or_with_too_many_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let error = |settings| find(folder.path(), settings).unwrap_err().to_string();
    assert!(error("{}").contains("holds no `.html`"), "{}", error("{}"));
    for name in ["a.md", "b.md"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    let error = error(r#"{"documents_max":1}"#);
    assert!(error.contains("raise `settings.local.documents_max`"), "{error}");
}
