//! The shape of a page, measured before it is read.
//!
//! Readers of HTML recurse over its tree: a few kilobytes of `<div>` overflow the stack, which ends the
//! process with every rollout in it. And some of their steps, as some of the parser's own, take time
//! that grows with the square of the depth. So a page is parsed once only to measure it, a few bytes at
//! a time, with a look at the tree after each; it is given up as soon as it has too many nodes, is
//! too deep, or has taken too long.

use std::time::{Duration, Instant};

use ego_tree::iter::Edge;
use html5ever::driver::{Parser, parse_document};
use html5ever::tendril::{StrTendril, TendrilSink as _};
use scraper::{Html, HtmlTreeSink};

use super::{NoText, split};

/// So many bytes are parsed between two looks. Few, since one tag can make as many nodes as there are
/// formatting elements open.
const STEP: usize = 128;
/// A deeper page is given up.
const DEPTH_MAX: usize = 256;
/// A page of more nodes is given up.
const NODES_MAX: usize = 500_000;
/// The sum of the depths of all nodes, which is what reading takes time by.
const PATHS_MAX: usize = 5_000_000;
/// A page that takes longer to parse is given up.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Whether a page can be read in reasonable time and without danger.
pub(super) fn check(html: &str) -> Result<(), NoText> {
    check_within(html, TIME_MAX)
}

/// The same, with so much time.
pub(super) fn check_within(html: &str, time_max: Duration) -> Result<(), NoText> {
    let started = Instant::now();
    let sink = HtmlTreeSink::new(Html::new_document());
    let mut parser = parse_document(sink, html5ever::ParseOpts::default());
    let mut rest = html;
    while !rest.is_empty() {
        let (step, later) = split(rest, STEP);
        parser.process(StrTendril::from_slice(step));
        rest = later;
        if started.elapsed() > time_max || is_too_large(&parser) {
            return Err(NoText::TooComplex);
        }
    }
    let tree = parser.finish().tree;
    let (mut depth, mut paths) = (0_usize, 0_usize);
    for edge in tree.root().traverse() {
        match edge {
            Edge::Open(_) => {
                depth += 1;
                paths += depth;
            }
            Edge::Close(_) => depth -= 1,
        }
        if depth > DEPTH_MAX || paths > PATHS_MAX {
            return Err(NoText::TooComplex);
        }
    }
    Ok(())
}

/// Whether the tree so far has too many nodes, or the last of them is too deep.
fn is_too_large(parser: &Parser<HtmlTreeSink>) -> bool {
    let html = parser.tokenizer.sink.sink.0.borrow();
    let nodes = html.tree.nodes();
    let depth = |node: ego_tree::NodeRef<'_, _>| node.ancestors().take(DEPTH_MAX + 1).count();
    let count = nodes.len();
    count > NODES_MAX || html.tree.nodes().next_back().is_some_and(|node| depth(node) > DEPTH_MAX)
}
