use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn page(media: Option<&str>, body: impl AsRef<[u8]>) -> RawPage {
    let media = Media::of(media).unwrap();
    let body = body.as_ref().to_vec();
    RawPage { body, media, coding: Coding::Identity, length_max: 20_000_000 }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const HTML: Option<&str> = Some("text/html");

#[test]
fn wrong_charsets_do_no_harm() {
    let german = "<html><body><p>Müllers Möwen fressen süße Brötchen über dem grünen Fluß, und das täglich.</p></body></html>";
    let (latin, ..) = encoding_rs::WINDOWS_1252.encode(german);
    let japanese = "<html><body><p>アジサシは五月に岩の上に巣を作り、八月に飛び去る。灯台はその上に立っている。</p></body></html>";
    let (shift_jis, ..) = encoding_rs::SHIFT_JIS.encode(japanese);
    let with_meta = format!("<meta charset=\"shift_jis\">{japanese}");
    let (with_meta, ..) = encoding_rs::SHIFT_JIS.encode(&with_meta);
    let utf_16: Vec<u8> =
        [0xfeff_u16].into_iter().chain(german.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for (charset, bytes, expected) in [
        ("utf-8", german.as_bytes(), "Möwen"),
        ("iso-8859-1", german.as_bytes(), "Möwen"),
        ("utf-16", german.as_bytes(), "Möwen"),
        ("nonsense", german.as_bytes(), "Möwen"),
        ("utf-8", &*latin, "Möwen"),
        ("iso-8859-1", &*latin, "Möwen"),
        ("nonsense", &*latin, "Möwen"),
        ("shift_jis", &*shift_jis, "アジサシ"),
        ("utf-8", &*shift_jis, "アジサシ"),
        ("utf-8", &utf_16, "Möwen"),
    ] {
        let kind = format!("text/html; charset=\"{charset}\"");
        let text = page(Some(&kind), bytes).text().unwrap();
        assert!(text.contains(expected), "{charset}: {text}");
    }
    assert!(page(HTML, with_meta).text().unwrap().contains("アジサシ"));
    let broken = [b"<p>Terns nest on the rock ", &[0xff, 0xfe, 0x80][..], b" in May</p>"].concat();
    assert!(page(HTML, broken).text().unwrap().contains("Terns nest"));
}

#[test]
fn what_is_compressed_is_read_and_a_bomb_is_not() {
    let plain =
        b"<html><body><p>Terns nest on the rock in May and leave it in August.</p></body></html>";
    let packed = |body| RawPage { coding: Coding::Gzip, ..page(HTML, body) };
    assert!(packed(gzip(plain)).text().unwrap().starts_with("Terns nest"));
    let bomb = gzip(&vec![b'a'; 50_000_000]);
    assert!(bomb.len() < 100_000);
    assert_eq!(packed(bomb).text(), Err(NoText::NoPage));
    let members: Vec<u8> = (0..3).flat_map(|_| gzip(&[b'a'; 9_000_000])).collect();
    assert_eq!(packed(members).text(), Err(NoText::NoPage), "members count together");
    let mut cut = gzip(plain);
    cut.truncate(cut.len() / 2);
    assert_eq!(packed(cut).text(), Err(NoText::NoPage));
    assert_eq!(packed(plain.to_vec()).text(), Err(NoText::NoPage), "it is not compressed");
}

#[test]
fn what_is_no_text_is_no_page_and_a_page_may_have_nothing_to_read() {
    assert_eq!(page(None, "short").text(), Err(NoText::NoPage));
    assert_eq!(page(None, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0").text(), Err(NoText::NoPage));
    assert_eq!(page(HTML, [0; 4096]).text(), Err(NoText::NoPage));
    assert_eq!(page(HTML, "<html><body></body></html>").text(), Err(NoText::Empty));
    assert_eq!(page(Some("text/plain"), " ".repeat(50)).text(), Err(NoText::Empty));
    let script = "<html><head><script>let a = 'x < y';</script></head><body></body></html>";
    assert_eq!(page(HTML, script).text(), Err(NoText::Empty));
}

#[test]
fn plain_text_is_shown_as_it_is_and_html_in_disguise_is_not() {
    let text = "  1 < 2 && <b>\n\tno  HTML  at all\n";
    assert_eq!(page(Some("text/plain"), text).text().unwrap(), text);
    assert_eq!(
        page(Some("text/markdown; charset=x"), "# Terns\n\n*nest*").text().unwrap(),
        "# Terns\n\n*nest*"
    );
    let disguised =
        "\n<!DOCTYPE html><html><body><p>Terns nest on the rock in May.</p></body></html>";
    assert_eq!(
        page(Some("text/plain"), disguised).text().unwrap(),
        "Terns nest on the rock in May."
    );
}

#[test]
fn a_text_of_too_many_words_is_cut_by_characters() {
    let words = |count: usize| vec!["wörd"; count].join(" ");
    assert_eq!(cut(words(10_000)), words(10_000));
    let long = words(10_001);
    let cut_text = cut(long.clone());
    assert_eq!(cut_text.chars().count(), 10_003);
    let start: String = long.chars().take(5_000).collect();
    let end: String = long.chars().skip(long.chars().count() - 5_000).collect();
    assert_eq!(cut_text, format!("{start}...{end}"));
    let single = "x".repeat(50_000);
    assert_eq!(cut(single.clone()), single);
    // The separators U+001C to U+001F are spaces to Python.
    assert_eq!(cut(vec!["ab"; 10_001].join("\u{1f}")).chars().count(), 10_003);
}

#[test]
fn the_lines_of_a_page_are_those_of_its_blocks() {
    let html = "<html><head><title> The  Rock </title></head><body>
        <nav><a href='/'>Home</a></nav>
        <article><h1>Terns</h1>
        <p>They nest on the <b>rock</b> in May and leave it again in August with their young ones.</p>
        <ul><li>one egg, or two</li><li>three <i>rarely</i></li></ul>
        <table><tr><th>Year</th><th>Pairs</th></tr><tr><td>2019</td><td>42</td></tr></table>
        <p>First line<br>second line of a paragraph that says something else about the birds.</p>
        </article><footer>Imprint</footer></body></html>";
    let reading = read_html(html).unwrap();
    assert_eq!(reading.title, "The Rock");
    let expected = "Terns
They nest on the rock in May and leave it again in August with their young ones.
- one egg, or two
- three rarely
| Year | Pairs |
|---|---|
| 2019 | 42 |
First line
second line of a paragraph that says something else about the birds.";
    assert_eq!(reading.text, expected);
}

#[test]
fn a_hostile_page_is_given_up_and_ends_nothing() {
    let formats = |count: usize| (0..count).map(|i| format!("<b id={i}>")).collect::<String>();
    for (name, html) in [
        ("nested", "<div>".repeat(200_000)),
        (
            "nested, then shallow",
            format!("{}x{}<p>y", "<div>".repeat(5_000), "</div>".repeat(5_000)),
        ),
        ("tables", "<table><tr><td>".repeat(20_000)),
        ("lists", "<ul><li>".repeat(50_000)),
        ("foreign", "<svg><foreignObject>".repeat(20_000)),
        ("formats", formats(50_000)),
        ("formats, then paragraphs", format!("{}{}", formats(200), "<p>x".repeat(200_000))),
        (
            "hidden formats",
            format!("<div>{}</div>", formats(200)).repeat(100) + &"<p>x".repeat(50_000),
        ),
        ("many", "<p>x".repeat(600_000)),
    ] {
        let started = std::time::Instant::now();
        let read = read_html(&html);
        assert_eq!(read, Err(NoText::TooComplex), "{name}");
        assert!(started.elapsed() < std::time::Duration::from_secs(60), "{name}");
    }
}

#[test]
fn a_page_that_takes_too_long_to_parse_is_given_up() {
    // The parser compares each attribute with those before it.
    let attributes: String = (0..2_000_000).map(|i| format!(" a{i}=1")).collect();
    let time_max = std::time::Duration::from_millis(200);
    let checked = shape::check_within(&format!("<p{attributes}>x</p>"), time_max);
    assert_eq!(checked, Err(NoText::TooComplex));
}

#[test]
fn a_page_as_deep_as_allowed_is_read_on_a_small_stack() {
    let deep = format!("{}<p>Terns nest on the rock.</p>", "<div>".repeat(250));
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let read = thread.spawn(move || read_html(&deep)).unwrap().join().unwrap();
    assert!(!matches!(read, Err(NoText::TooComplex)), "{read:?}");
}
