//! Sound that a task names in its metadata.

use super::*;

/// The messages of a request that a model sends, or why it sends none.
async fn messages(settings: &Value, params: &Value) -> Result<Value, ModelError> {
    let said = completion(json!({ "content": "hi" })).to_string();
    let endpoint = Endpoint::start(vec![Answer::http(200, "", &said)]).await;
    let model = model_at(endpoint.url(), settings).unwrap();
    model.generate(generate(params, &json!([]))).await?;
    let request = endpoint.requests().remove(0);
    let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert!(body["metadata"].get("audio_path").is_none(), "{body}");
    Ok(json!([body["messages"], body["metadata"]]))
}

fn block(url: &str) -> Value {
    json!({ "type": "audio_url", "audio_url": { "url": url } })
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sounds")).unwrap();
    for name in ["sounds/a.wav", "sounds/b.MP3", "outside.wav", "sounds/text.txt"] {
        std::fs::write(folder.path().join(name), "RIFF").unwrap();
    }
    folder
}

#[tokio::test]
async fn sounds_come_before_the_text_of_the_last_user() {
    let folder = folder();
    let root = folder.path().join("sounds");
    let settings = json!({ "audio_root": root });
    let (wav, mp3) = ("data:audio/wav;base64,UklGRg==", "data:audio/mpeg;base64,UklGRg==");
    let text = |text: &str| json!({ "type": "text", "text": text });
    let user = |content: Value| json!({ "role": "user", "content": content });
    for (metadata, input, expected) in [
        (
            json!({ "audio_data": wav }),
            json!("q"),
            json!([[user(json!([block(wav), text("q")]))], null]),
        ),
        (
            json!({ "audio_path": "a.wav", "k": "v" }),
            json!("q"),
            json!([[user(json!([block(wav), text("q")]))], { "k": "v" }]),
        ),
        (
            json!({ "audio_path": root.join("a.wav") }),
            json!("q"),
            json!([[user(json!([block(wav), text("q")]))], null]),
        ),
        (
            json!({ "audio_paths": "[\"a.wav\", \"b.MP3\"]" }),
            json!([user(json!([{ "type": "input_text", "text": "a" }])), { "role": "assistant", "content": "b" }, user(json!([{ "type": "input_text", "text": "c" }]))]),
            json!([[user(json!([text("a")])), { "role": "assistant", "content": "b" }, user(json!([block(wav), block(mp3), text("c")]))], null]),
        ),
        (
            json!({ "audio_data": wav }),
            json!([{ "role": "system", "content": "s" }]),
            json!([[{ "role": "system", "content": "s" }, user(json!([block(wav)]))], null]),
        ),
        (
            json!({ "audio_path": "", "audio_data": " " }),
            json!("q"),
            json!([[user(json!("q"))], null]),
        ),
    ] {
        let params = json!({ "input": input, "metadata": metadata });
        assert_eq!(messages(&settings, &params).await.unwrap(), expected, "{params}");
    }
}

#[tokio::test]
async fn sounds_that_cannot_be_sent_are_errors() {
    let folder = folder();
    let root = folder.path().join("sounds");
    let rooted = json!({ "audio_root": root });
    let texts = json!({ "use_completions_api": true });
    let data = "data:audio/wav;base64,AA==";
    for (settings, metadata, expected) in [
        (&rooted, json!({ "audio_data": data, "audio_path": "a.wav" }), "several of `audio_data`"),
        (&rooted, json!({ "audio_data": "AAAA" }), "no `data:audio/…` URL"),
        (&rooted, json!({ "audio_path": "../outside.wav" }), "not below `settings.audio_root`"),
        (&rooted, json!({ "audio_path": folder.path().join("outside.wav") }), "not below"),
        (&rooted, json!({ "audio_path": "none.wav" }), "No such file"),
        (&rooted, json!({ "audio_path": "text.txt" }), "its extension is none of wav, flac"),
        (&rooted, json!({ "audio_paths": "a.wav" }), "no list of paths"),
        (&json!({}), json!({ "audio_path": "a.wav" }), "needs `settings.audio_root`"),
        (&texts, json!({ "audio_data": data }), "sound, in a prompt that is text"),
    ] {
        let params = json!({ "input": "q", "metadata": metadata });
        let error = messages(settings, &params).await.unwrap_err();
        assert_eq!(error.status(), "unsupported", "{metadata}: {error}");
        assert!(error.to_string().contains(expected), "{metadata}: {error}");
    }
    // Without a root, absolute paths are the task's own business.
    let params =
        json!({ "input": "q", "metadata": { "audio_path": folder.path().join("outside.wav") } });
    messages(&json!({}), &params).await.unwrap();
}
