//! The page in a real browser, driven by its keys and looked at in light, dark and phone width.
//!
//! Needs Chromium and its driver (Debian: `chromium`, `chromium-driver`). Pictures of what was seen are
//! left in `target/tmp/view`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use super::{Viewer, failure, lines, rollout, sample};
use crate::support::command::Folder;

/// Browsers are heavy: one at a time.
static TURN: Mutex<()> = Mutex::const_new(());
const PATIENCE: Duration = Duration::from_secs(60);
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

/// The driver's process.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _status = self.0.wait();
    }
}

/// A browser with the page of a viewer.
struct Browser {
    client: Client,
    viewer: Viewer,
    _driver: Driver,
    _profile: TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// Starts the driver on a free port, which it says.
fn driver() -> Option<(Driver, u16)> {
    let mut command = Command::new("chromedriver");
    command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut driver = Driver(command.spawn().ok()?);
    let mut lines = BufReader::new(driver.0.stdout.take()?).lines().map_while(Result::ok);
    let port = lines.find_map(|line| {
        let rest = line.split_once("started successfully on port ")?.1;
        rest.trim_end_matches('.').parse().ok()
    })?;
    std::thread::spawn(move || lines.count());
    Some((driver, port))
}

/// A command of the browser's own protocol.
#[derive(Debug)]
struct Devtools(&'static str, Value);

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (hyper::Method, Option<String>) {
        let Self(command, parameters) = self;
        let body = json!({ "cmd": command, "params": parameters });
        (hyper::Method::POST, Some(body.to_string()))
    }
}

impl Browser {
    /// Opens the page of these files; nothing where there is no browser.
    #[expect(clippy::print_stdout, reason = "who runs the tests is to read that one was skipped")]
    async fn open(folder: &Folder, files: &[&str], rows: u64) -> Option<Self> {
        let turn = TURN.lock().await;
        let Some((driver, port)) = driver() else {
            println!("skipped: there is no chromedriver on this machine");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let mut flags: Vec<_> = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let options = json!({ "args": flags });
        let capabilities = [("goog:chromeOptions".to_owned(), options)].into_iter().collect();
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        let viewer = Viewer::start(folder, files);
        viewer.has(rows);
        let browser = Self { client, viewer, _driver: driver, _profile: profile, _turn: turn };
        browser.dress(1280, "light").await;
        Some(browser)
    }

    async fn close(self) {
        self.client.close().await.unwrap();
    }

    /// Sets the width of the window and what the user prefers, light or dark.
    async fn dress(&self, width: u32, scheme: &str) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        for (command, parameters) in
            [("Emulation.setDeviceMetricsOverride", size), ("Emulation.setEmulatedMedia", media)]
        {
            self.client.issue_cmd(Devtools(command, parameters)).await.unwrap();
        }
    }

    /// Goes to an address of the page, and waits until what it is about is there.
    async fn go(&self, address: &str, awaited: &str) {
        let url = format!("http://{}/{address}", self.viewer.address);
        self.client.goto("about:blank").await.unwrap();
        self.client.goto(&url).await.unwrap();
        self.sees(awaited).await;
    }

    async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Waits until a script says something true.
    async fn until(&self, script: &str) {
        let started = Instant::now();
        while self.run(&format!("return Boolean({script})")).await != true {
            if started.elapsed() > PATIENCE {
                let page = self.run("return document.body.innerText").await;
                panic!("waited in vain until {script}:\n{page}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until an element is there.
    async fn sees(&self, selector: &str) {
        self.until(&format!("document.querySelector({selector:?})")).await;
    }

    /// Waits until the page's text has this in it.
    async fn reads(&self, text: &str) {
        self.until(&format!("document.body.innerText.includes({text:?})")).await;
    }

    /// Presses keys where the focus is.
    async fn press(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    async fn hash(&self) -> String {
        self.run("return location.hash").await.as_str().unwrap().to_owned()
    }

    /// Leaves a picture for people.
    async fn picture(&self, name: &str) {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("view");
        std::fs::create_dir_all(&folder).unwrap();
        let picture = self.client.screenshot().await.unwrap();
        std::fs::write(folder.join(name).with_extension("png"), picture).unwrap();
    }
}

const ESCAPE: &str = "\u{e00c}";
const ENTER: &str = "\u{e007}";
const DOWN: &str = "\u{e015}";
const TAB: &str = "\u{e004}";

#[tokio::test]
async fn everything_can_be_reached_by_keyboard() {
    let folder = sample();
    let Some(browser) = Browser::open(&folder, &["run.jsonl"], 16).await else { return };
    browser.go("", "[data-row]").await;
    for (key, focused) in [("j", "0-1"), ("j", "0-2"), (DOWN, "0-3"), ("k", "0-2")] {
        browser.press(key).await;
        browser.until(&format!("document.activeElement.dataset.row === '{focused}'")).await;
    }
    let outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle").await;
    assert_eq!(outline, "solid", "the focus is seen");
    browser.press(ENTER).await;
    browser.reads("Rollout 0-2").await;
    browser.press("j").await;
    browser.reads("Rollout 0-3").await;
    browser.sees(".step").await;
    let filled = "[...document.querySelectorAll('.timings span')].reduce((sum, piece) => sum + piece.offsetWidth, 0)";
    browser
        .until(&format!("{filled} > 0.9 * document.querySelector('.timings').clientWidth"))
        .await;
    for step in ["Prompt", "Step 1", "Step 2"] {
        browser.press("n").await;
        browser
            .until(&format!("document.activeElement.getAttribute('aria-label') === '{step}'"))
            .await;
    }
    browser.press("t").await;
    browser.sees(".column").await;
    browser.press(ESCAPE).await;
    browser.until("location.hash.startsWith('#/tasks')").await;
    browser.press("/").await;
    browser.until("document.activeElement.id === 'search'").await;
    browser.press("town 3").await;
    browser.until("document.querySelectorAll('[data-row]').length === 3").await;
    assert!(browser.hash().await.contains("q=town+3"), "a link leads here again");
    browser.press(ESCAPE).await;
    browser.press("?").await;
    browser.until("document.getElementById('keys').open").await;
    browser.press(ESCAPE).await;
    browser.until("!document.getElementById('keys').open").await;
    browser.press("c").await;
    browser.sees("figure svg").await;
    browser.press("d").await;
    browser.until("document.documentElement.dataset.theme === 'dark'").await;
    browser.close().await;
}

#[tokio::test]
async fn filters_make_an_address_that_can_be_shared_and_left_again() {
    let folder = sample();
    let Some(browser) = Browser::open(&folder, &["run.jsonl"], 16).await else { return };
    browser.go("", "[data-row]").await;
    let outcome = browser.client.find(Locator::Css("#filter-outcome")).await.unwrap();
    outcome.select_by_value("failed").await.unwrap();
    browser.until("document.querySelectorAll('[data-row]').length === 1").await;
    assert_eq!(browser.hash().await, "#/rows?outcome=failed");
    browser.reads("the endpoint is down").await;
    browser.client.back().await.unwrap();
    browser.until("document.querySelectorAll('[data-row]').length === 16").await;
    browser.go("#/rows?reward_min=1&sort=-tokens", "[data-row]").await;
    browser.until("document.querySelector('[data-row]').dataset.row === '0-14'").await;
    assert_eq!(browser.run("return document.querySelector('[name=reward_min]').value").await, "1");
    browser.go("#/row/1-1", ".failure").await;
    browser.reads("Failed: model. the endpoint is down").await;
    browser.go("#/row/0-99", ".error").await;
    browser.reads("there is no row `0-99`, or not yet").await;
    browser.go("#/files", ".malformed").await;
    browser.reads("Line 16: not a JSON object").await;
    browser.close().await;
}

#[tokio::test]
async fn what_a_model_wrote_is_shown_and_never_run() {
    let folder = sample();
    let Some(browser) = Browser::open(&folder, &["run.jsonl"], 16).await else { return };
    browser.go("#/row/0-1", ".item.assistant").await;
    browser
        .reads("<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>")
        .await;
    let steering =
        "return [...document.querySelectorAll('.item .steering')].map((e) => e.textContent)";
    assert_eq!(browser.run(steering).await, json!(["U+202E", "^[", "^@"]));
    for address in ["#/row/0-1", "#/rows", "#/task/solver%2Fdata%2F0"] {
        browser.go(address, "[data-row], .item").await;
        assert_eq!(browser.run("return window.hacked ?? 'safe'").await, "safe");
        assert_eq!(
            browser.run("return document.querySelectorAll('main script, main img').length").await,
            0
        );
    }
    // Were it put into the page by mistake, the page's policy would not let it run either.
    browser.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked = 1\">')").await;
    browser.until("document.querySelector('body > img').complete").await;
    assert_eq!(browser.run("return window.hacked ?? 'safe'").await, "safe");
    browser.close().await;
}

#[tokio::test]
async fn a_long_text_is_cut_until_all_of_it_is_asked_for_and_a_growing_file_is_followed() {
    let folder = Folder::new();
    let first = rollout(0, 0, 1.0, &format!("{} the very end", "long ".repeat(10_000)));
    folder.write("run.jsonl", &lines(std::slice::from_ref(&first)));
    let Some(browser) = Browser::open(&folder, &["run.jsonl"], 1).await else { return };
    browser.go("#/row/0-1", ".item.assistant .more").await;
    assert_eq!(browser.run("return document.body.innerText.includes('the very end')").await, false);
    browser
        .client
        .find(Locator::Css(".item.assistant .more"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    browser.reads("the very end").await;
    browser.go("#/rows", "[data-row]").await;
    folder.write("run.jsonl", &lines(&[first, rollout(0, 1, 0.0, "another")]));
    browser.until("document.querySelectorAll('[data-row]').length === 2").await;
    browser.close().await;
}

#[tokio::test]
async fn repeats_of_a_task_stand_side_by_side() {
    let folder = sample();
    let Some(browser) = Browser::open(&folder, &["run.jsonl"], 16).await else { return };
    browser.go("#/task/solver%2Fdata%2F1", ".column").await;
    let columns =
        "return [...document.querySelectorAll('.column')].map((e) => e.getAttribute('aria-label'))";
    assert_eq!(
        browser.run(columns).await,
        json!(["repeat 1", "repeat 0"]),
        "the best and the worst"
    );
    let tops =
        "return new Set([...document.querySelectorAll('.column')].map((e) => e.offsetTop)).size";
    assert_eq!(browser.run(tops).await, 1);
    browser.client.find(Locator::Css("[data-pick='0-8']")).await.unwrap().click().await.unwrap();
    browser.until("document.querySelectorAll('.column').length === 3").await;
    assert!(browser.hash().await.contains("pick="));
    browser.close().await;
}

/// The ratio of WCAG 2.2 between each text and what is behind it, at least 4.5.
const LOW_CONTRAST: &str = r#"
    const rgb = (text) => text.match(/[\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = rgb(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
        }
        return [255, 255, 255];
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const low = [];
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.textContent.trim() || !element.checkVisibility() || element.closest('noscript, option, :disabled')) continue;
        const style = getComputedStyle(element);
        const color = rgb(element.closest('svg') ? style.fill : style.color);
        const [a, b] = [luminance(color), luminance(behind(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${element.tagName}.${element.className}: ${walker.currentNode.textContent.trim().slice(0, 40)}`);
    }
    return low;"#;

/// What can be operated and has no name for who cannot see it.
const NAMELESS: &str = r#"
    return [...document.querySelectorAll('a[href], button, input, select, summary, svg[role=img]')]
        .filter((e) => e.checkVisibility() && !e.textContent.trim() && !e.getAttribute('aria-label') && !e.labels?.length)
        .map((e) => e.outerHTML.slice(0, 100));"#;

/// Elements that make the page scroll sideways.
const TOO_WIDE: &str = r#"
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > width + 1)
        .map((e) => `${e.tagName}.${e.className}`).slice(0, 5);"#;

#[tokio::test]
async fn all_views_are_readable_in_light_and_dark_and_at_phone_width() {
    let folder = sample();
    let text = folder.read("run_failures.jsonl");
    folder.write("run_failures.jsonl", &format!("{text}{}", lines(&[failure(2, 9)])));
    let Some(browser) = Browser::open(&folder, &["run.jsonl"], 17).await else { return };
    let views = [
        ("list", "#/rows", "[data-row]"),
        ("transcript", "#/row/0-1", ".item.assistant"),
        ("failure", "#/row/1-1", ".failure"),
        ("repeats", "#/task/solver%2Fdata%2F1", ".column"),
        ("tasks", "#/tasks", "[data-row]"),
        ("charts", "#/charts", "figure svg"),
        ("files", "#/files", ".malformed"),
    ];
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")] {
        browser.dress(width, scheme).await;
        for (name, address, awaited) in views {
            browser.go(address, awaited).await;
            browser.run("document.querySelectorAll('details').forEach((e) => e.open = true)").await;
            let what = format!("{name} {scheme} {width}");
            assert_eq!(browser.run(LOW_CONTRAST).await, json!([]), "{what}");
            assert_eq!(browser.run(NAMELESS).await, json!([]), "{what}");
            assert_eq!(browser.run(TOO_WIDE).await, json!([]), "{what}");
            assert_eq!(
                browser.run("return document.querySelectorAll('h1').length").await,
                1,
                "{what}"
            );
            let dark = browser.run("return getComputedStyle(document.body).backgroundColor").await;
            assert_eq!(dark == "rgb(13, 17, 23)", scheme == "dark", "{what}");
            browser.picture(&what.replace(' ', "-")).await;
        }
    }
    browser.close().await;
}

#[tokio::test]
async fn tab_leads_through_the_page_in_order() {
    let folder = sample();
    let Some(browser) = Browser::open(&folder, &["run.jsonl"], 16).await else { return };
    browser.go("#/rows", "[data-row]").await;
    browser.run("document.activeElement.blur(); document.body.focus()").await;
    browser.press(TAB).await;
    let mut visited = Vec::new();
    for _ in 0..26 {
        let name = "const e = document.activeElement; return e.id || e.name || e.dataset.row || e.textContent.trim()";
        visited.push(browser.run(name).await.as_str().unwrap().to_owned());
        browser.press(TAB).await;
    }
    let mut rest = visited.iter();
    for name in ["search", "filter-outcome", "filter-reward_min", "filter-sort", "0-1", "0-2"] {
        assert!(rest.any(|visited| visited == name), "{name} does not come in {visited:?}");
    }
    browser.close().await;
}
