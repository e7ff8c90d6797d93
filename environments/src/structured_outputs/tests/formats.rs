//! Each format, read as the Python library that NeMo Gym takes for it.

use super::*;

async fn format_table(format: &str, schema: &str, rows: &[(&str, Option<&str>)]) {
    for (text, expected) in rows {
        let found = error_type(&target(format, schema), text).await;
        assert_eq!(found.as_deref(), *expected, "{format} {schema}: {text:?}");
    }
}

#[tokio::test]
async fn yaml_is_1_1() {
    let good = "name: Ada\nage: 36\nhome:\n  city: London\n";
    format_table(
        "yaml",
        PERSON,
        &[
            (good, OK),
            (r#"{"name":"Ada","age":36,"home":{"city":"x"}}"#, OK),
            ("name: [", UNPARSED),
            ("name: Ada\nage: 36\n", INVALID),
            (&format!("{good}more: 1\n"), INVALID),
            (&good.replace("36", "old"), INVALID),
            (&format!("{good}  zip: 1\n"), INVALID),
            (&good.replace("Ada", "yes"), INVALID),
            (&good.replace("Ada", "2024-05-01"), INVALID),
            (&good.replace("Ada", "'2024-05-01'"), OK),
            (&good.replace("Ada", "1e3"), OK),
            (&good.replace("Ada", "1.0e+3"), INVALID),
            (&good.replace("36", "1:30"), OK),
            (&good.replace("36", "017"), OK),
            (&good.replace("36", "1_000"), OK),
            (&good.replace("36", "0x1F"), OK),
            (&good.replace("36", "2024-13-01"), UNPARSED),
            (&format!("name: x\n{good}"), OK),
            (&format!("---\n{good}---\n{good}"), UNPARSED),
            (&good.replace("name: Ada", "<<: {name: Ada}"), OK),
            (&good.replace("Ada", "&x Ada").replace("London", "*x"), OK),
            (&good.replace("Ada", "*x"), UNPARSED),
            (&good.replace("Ada", "!!int x"), UNPARSED),
            (&good.replace("Ada", "!!str 5"), OK),
            (&good.replace("Ada", "!mine 5"), UNPARSED),
            (&good.replace("Ada", "="), UNPARSED),
            (&good.replace("name: Ada", "name:\tAda"), UNPARSED),
            (&good.replace("Ada", "&a \t'x'"), UNPARSED),
            (&good.replace("Ada", "!!str &a '\t'"), OK),
            (&good.replace("Ada", "\"a\tb\" # \t"), OK),
            ("```yaml\nname: Ada\n```", UNPARSED),
            (" \n", Some("empty_response")),
        ],
    )
    .await;
    let range = r#"{"properties":{"a":{"minimum":90,"maximum":90}}}"#;
    format_table(
        "yaml",
        range,
        &[("a: 1:30", OK), ("a: 0x5a", OK), ("a: 0132", OK), ("a: 91", INVALID)],
    )
    .await;
    format_table("yaml", r#"{"properties":{"1":{}}}"#, &[("1: x", INVALID), ("'1': x", OK)]).await;
    format_table("yaml", r#"{"type":"null"}"#, &[("# nothing", OK), ("~", OK), ("null", OK)]).await;
}

#[tokio::test]
async fn xml_is_folded_and_given_types() {
    let schema = format!(r#"{{"type":"object","properties":{{"p":{PERSON}}}}}"#);
    let good = "<p><name>Ada</name><age>36</age><home><city>x</city></home></p>";
    format_table(
        "xml",
        &schema,
        &[
            (good, OK),
            (&format!("\n{good}\n"), OK),
            (&format!("<?xml version=\"1.0\"?>\n{good}"), OK),
            (&format!("\n<?xml version=\"1.0\"?>{good}"), UNPARSED),
            (&good.replace("</p>", ""), UNPARSED),
            (&good.replace("</name>", "</nam>"), UNPARSED),
            (&format!("{good}{good}"), UNPARSED),
            (&good.replace("<age>36</age>", ""), INVALID),
            (&good.replace("<age>", "<more/><age>"), INVALID),
            (&good.replace("36", "old"), INVALID),
            (&good.replace("36", " 3_6 "), OK),
            (&good.replace("36", "36.0"), INVALID),
            (&good.replace("Ada", ""), OK),
            (&good.replace("Ada", "A &amp; B &#65;<!-- x --><![CDATA[<]]>"), OK),
            (&good.replace("Ada", "&x;"), UNPARSED),
            (&good.replace("Ada", "a & b"), UNPARSED),
            (&good.replace("<name>", "<name a='1'>"), INVALID),
            (&good.replace("<name>", "<name a='1' a='2'>"), UNPARSED),
            ("<!DOCTYPE p [<!ENTITY x 'y'>]><p/>", UNPARSED),
            ("plain", UNPARSED),
        ],
    )
    .await;
    let settings = r#"{"xml_coerce_types":false}"#;
    let message = vec![Item::output_message("m", good)];
    let uncoerced = verdict(settings, &target("xml", &schema), message).await;
    assert_eq!(uncoerced.1.as_deref(), INVALID);
    for (kind, inside, expected) in [
        (r#""array","items":{"type":"integer"}"#, "<a><i>1</i><i>2</i></a>", OK),
        (r#""array","items":{"type":"integer"}"#, "<a><i>1</i></a>", OK),
        (r#""array","items":{"type":"integer"}"#, "<a>1</a><a>2</a>", OK),
        (r#""array","items":{"type":"integer"}"#, "<a/>", OK),
        (r#""array","items":{"type":"integer"}"#, "<a>x</a>", INVALID),
        (r#"["integer","null"]"#, "<a>1</a>", INVALID),
        (r#"["integer","null"]"#, "<a/>", OK),
        (r#""number""#, "<a>nan</a>", OK),
        (r#""boolean""#, "<a>TRUE</a>", OK),
        (r#""boolean""#, "<a>0</a>", OK),
        (r#""boolean""#, "<a>yes</a>", INVALID),
        (r#""string""#, "<a> </a>", OK),
        (r#""object""#, "<a b='1'>t</a>", OK),
    ] {
        let schema = format!(r#"{{"type":"object","properties":{{"r":{}}}}}"#, property(kind));
        format_table("xml", &schema, &[(&format!("<r>{inside}</r>"), expected)]).await;
    }
}

#[tokio::test]
async fn toml_is_1_0() {
    let good = "name = \"Ada\"\nage = 36\n[home]\ncity = 'x'\n";
    format_table(
        "toml",
        PERSON,
        &[
            (good, OK),
            ("name = ", UNPARSED),
            ("name = 'a'\n", INVALID),
            (&good.replace("age = 36", "age = 36\nmore = 1"), INVALID),
            (&good.replace("36", "'36'"), INVALID),
            (&format!("{good}zip = 1\n"), INVALID),
            (&good.replace("\"Ada\"", "2024-05-01"), INVALID),
            (&good.replace("age = 36", "age = 36\nage = 37"), UNPARSED),
            (&good.replace("36", "0x1F"), OK),
            (&good.replace("\"Ada\"", "\"\\e\""), UNPARSED),
        ],
    )
    .await;
    format_table("toml", &property(r#""number""#), &[("a = nan", OK), ("a = -inf", OK)]).await;
    format_table(
        "toml",
        &property(r#""object""#),
        &[("a = {b = 1,}", UNPARSED), ("a = {b = 1}", OK)],
    )
    .await;
}

#[tokio::test]
async fn csv_rows_are_objects_whose_cells_have_types() {
    let schema = r#"{"type":"array","items":{"type":"object","properties":
        {"name":{"type":"string"},"age":{"type":["integer","null"]},"ok":{"type":"boolean"}}}}"#;
    format_table(
        "csv",
        schema,
        &[
            ("name,age,ok\nAda,36,true\n\nBo,,0\n", OK),
            ("name,age,ok\r\n\"A, \"\"B\"\"\",36,TRUE\r\n", OK),
            ("name,age,ok\n\"A\nB\",36,1", OK),
            ("name,age,ok\n", OK),
            (" \n", Some("empty_response")),
            ("name,age\nAda,36\n", INVALID),
            ("name,age,ok,more\nAda,36,1,x\n", INVALID),
            ("name,age,ok\nAda,36,1,x\n", INVALID),
            ("name,age,ok\nAda,36\n", INVALID),
            ("name,age,ok\nAda,old,1\n", INVALID),
            ("name,age,ok\nAda,36,maybe\n", INVALID),
            ("name, age,ok\nAda,36,1\n", INVALID),
            ("\nname,age,ok\nAda,36,1\n", INVALID),
            ("name,age,ok\rAda,36,1\n", UNPARSED),
        ],
    )
    .await;
    let cell = "x".repeat(131_073);
    format_table("csv", "{}", &[(&format!("a\n{cell}\n"), UNPARSED)]).await;
}
