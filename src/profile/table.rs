//! The tables of `rehearsal profile`.

use rehearsal::framework::profile::repeats::RepeatMetrics;
use rehearsal::framework::profile::spread::Interval;
use rehearsal::framework::profile::{AgentComparison, AgentProfile};

/// How tables look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Columns aligned by spaces.
    Text,
    /// Columns between bars.
    Markdown,
}

/// A table: the first column is text, the others are numbers.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) title: String,
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    fn new<const N: usize>(title: String, header: [&str; N]) -> Self {
        Self { title, header: header.map(str::to_owned).into(), rows: Vec::new() }
    }

    /// Takes out the columns in which no row has anything.
    fn without_empty_columns(mut self) -> Self {
        let has = |column: usize| self.rows.iter().any(|row| !row[column].is_empty());
        let kept: Vec<bool> = (0..self.header.len()).map(has).collect();
        for row in self.rows.iter_mut().chain([&mut self.header]) {
            let mut kept = kept.iter();
            row.retain(|_| *kept.next().expect("a row has as many cells as the header"));
        }
        self
    }

    /// The table as text, with a line break at its end.
    pub(super) fn render(&self, style: Style) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&self.header]).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if column == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
            });
            let cells: Vec<_> = cells.collect();
            match style {
                Style::Text => format!("  {}", cells.join("  ").trim_end()),
                Style::Markdown => format!("| {} |", cells.join(" | ")),
            }
        };
        let mut lines = match style {
            Style::Text => vec![self.title.clone(), line(&self.header)],
            Style::Markdown => {
                let rule = widths.iter().enumerate().map(|(column, width)| match column {
                    0 => "-".repeat(width.max(&3) + 2),
                    _ => format!("{}:", "-".repeat(width.max(&2) + 1)),
                });
                let rule = format!("|{}|", rule.collect::<Vec<_>>().join("|"));
                vec![format!("### {}\n", self.title), line(&self.header), rule]
            }
        };
        lines.extend(self.rows.iter().map(line));
        lines.join("\n") + "\n"
    }
}

/// What each field of an agent's rollouts came to.
pub(super) fn fields(name: &str, agent: &AgentProfile) -> Table {
    let completion = &agent.completion;
    let mut title =
        format!("{name}: {} rollouts of {} tasks", completion.completed, completion.tasks);
    if completion.missing > 0 {
        title.push_str(&format!(
            ", {} of {} missing ({:.1} % there)",
            completion.missing,
            completion.expected,
            completion.percent()
        ));
    }
    let header = ["field", "mean", "95 %", "std", "min", "median", "max"];
    let mut table = Table::new(title, header);
    for (key, mean) in agent.key_metrics() {
        let field = key.trim_start_matches("mean/");
        let metric = |kind: &str| {
            agent.metrics.get(&format!("{kind}/{field}")).map_or_else(String::new, |v| number(*v))
        };
        let interval = agent.intervals.get(key).map_or_else(String::new, between);
        let [std, min, median, max] = ["std", "min", "median", "max"].map(metric);
        table.rows.push(vec![field.to_owned(), number(mean), interval, std, min, median, max]);
    }
    table
}

/// pass@k and its relatives, a line for each score and k.
pub(super) fn repeats(title: &str, repeats: &RepeatMetrics) -> Table {
    let header =
        ["score", "k", "pass@k", "95 %", "avg-of-k", "95 %", "majority@k", "std across runs"];
    let mut table = Table::new(title.to_owned(), header);
    for score in repeats.scores() {
        let ks = (1..).take_while(|k| repeats.metrics.contains_key(&format!("pass@{k}/{score}")));
        let ks: Vec<u32> = ks.collect();
        for k in ks.iter().copied().filter(|k| shown(*k, ks.len())) {
            let average = format!("pass@1[avg-of-{k}]/{score}");
            let metric = |name: &str| {
                repeats.metrics.get(name).map_or_else(String::new, |value| format!("{value:.1}"))
            };
            let interval = |name: &str| {
                let interval = repeats.intervals.get(name);
                interval.map_or_else(String::new, |Interval { low, high }| {
                    format!("[{low:.1}, {high:.1}]")
                })
            };
            let pass = format!("pass@{k}/{score}");
            table.rows.push(vec![
                score.to_owned(),
                k.to_string(),
                metric(&pass),
                interval(&pass),
                metric(&average),
                interval(&average),
                metric(&format!("majority@{k}/{score}")),
                metric(&format!("{average}/std_dev_across_runs")),
            ]);
        }
    }
    table.without_empty_columns()
}

/// Of many values of k, the powers of two and the last are shown.
fn shown(k: u32, last: usize) -> bool {
    k.is_power_of_two() || k as usize == last
}

/// Who is to blame for what was given up.
pub(super) fn failures(agent: &AgentProfile) -> Table {
    let mut table = Table::new("given up".to_owned(), ["culprit", "rollouts"]);
    let rows = agent.failed.iter().map(|(culprit, count)| vec![culprit.clone(), count.to_string()]);
    table.rows.extend(rows);
    table
}

/// The difference between two runs.
pub(super) fn compared(name: &str, agent: &AgentComparison) -> Table {
    let verdict = match agent.is_significant() {
        true => "more than noise",
        false => "not more than noise",
    };
    let title = format!(
        "{name}: {} tasks in both runs, {} only before, {} only now: the difference is {verdict}",
        agent.tasks, agent.only_before, agent.only_after
    );
    let header = ["reward", "before", "now", "difference", "95 %", "p", "better", "worse"];
    let mut table = Table::new(title, header);
    table.rows.push(vec![
        "mean of tasks".to_owned(),
        number(agent.before),
        number(agent.after),
        format!("{:+.4}", agent.difference),
        agent.interval.as_ref().map_or_else(String::new, between),
        format!("{:.4}", agent.p_value),
        agent.better.to_string(),
        agent.worse.to_string(),
    ]);
    table
}

/// The tasks that changed most.
pub(super) fn changes(agent: &AgentComparison, count_max: usize) -> Table {
    let more = agent.changes.len().saturating_sub(count_max);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let title = format!("tasks that changed most{more}");
    let mut table = Table::new(title, ["task", "before", "rollouts", "now", "rollouts"]);
    for change in agent.changes.iter().take(count_max) {
        let (before, after) = (change.before, change.after);
        table.rows.push(vec![
            change.task.clone(),
            number(before.0),
            before.1.to_string(),
            number(after.0),
            after.1.to_string(),
        ]);
    }
    table
}

fn between(interval: &Interval) -> String {
    format!("[{}, {}]", number(interval.low), number(interval.high))
}

/// A number for people: four places, no trailing zeros; a huge one by its exponent.
fn number(value: f64) -> String {
    if value.abs() >= 1e12 {
        return format!("{value:.4e}");
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
