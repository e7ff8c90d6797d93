// Charts of what is filtered, drawn as SVG, each with its numbers as a table.

import { ask, count, counted, h, number, percent, s } from "/dom.js";
import { filterForm } from "/lists.js";

const [HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [240, 48, 40, 10, 14];
/** Letters keep their size, whatever the width of the window. */
let WIDTH = 480;
const short = new Intl.NumberFormat("en", { notation: "compact" });

/** Round values from low to high, three to six of them. */
function ticks(low, high) {
  const raw = (high - low) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw);
  const first = Math.ceil(low / step - 1e-9) * step;
  return Array.from({ length: Math.floor((high - first) / step + 1e-9) + 1 }, (_, index) => first + index * step);
}

const at = (value, low, high, from, to) => from + ((value - low) / (high - low || 1)) * (to - from);

/** Axes, and what `draw` puts between them with functions that place values. */
function plot(title, summary, x, y, draw, table) {
  const px = (value) => at(value, x.low, x.high, LEFT, WIDTH - RIGHT);
  const py = (value) => at(value, y.low, y.high, HEIGHT - BOTTOM, TOP);
  const across = (name, y) => s("line", { class: name, x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y });
  const tick = ({ format }, value) => (format ? format(value) : short.format(value));
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${summary}` });
  for (const value of ticks(y.low, y.high)) {
    svg.append(across("grid", py(value)), s("text", { x: LEFT - 6, y: py(value) + 4, "text-anchor": "end" }, tick(y, value)));
  }
  for (const value of ticks(x.low, x.high)) {
    svg.append(s("text", { x: px(value), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, tick(x, value)));
  }
  const middle = (LEFT + WIDTH - RIGHT) / 2;
  svg.append(across("axis", HEIGHT - BOTTOM), s("text", { class: "title", x: middle, y: HEIGHT - 6, "text-anchor": "middle" }, x.name));
  svg.append(...draw(px, py));
  const numbers = h("details", {}, h("summary", {}, "Numbers"), table);
  return h("figure", {}, h("h2", {}, title), svg, h("figcaption", {}, summary), numbers);
}

function table(names, rows) {
  const head = h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name))));
  return h("table", {}, head, h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell))))));
}

function histogram(title, noun, xName, { total, low, high, bins }, summary) {
  const width = (high - low) / bins.length;
  const most = Math.max(1, ...bins);
  const edges = (index) => `${number(low + index * width)} to ${number(low + (index + 1) * width)}`;
  const draw = (px, py) => bins.map((bin, index) => {
    const [x, wide] = [px(low + index * width) + 1, px(low + width) - px(low) - 2];
    const bar = { class: "mark", x, width: wide, y: py(bin), height: py(0) - py(bin) };
    return s("rect", bar, s("title", {}, `${edges(index)}: ${counted(bin, noun)}`));
  });
  const rows = bins.map((bin, index) => [edges(index), count(bin)]).filter((_, index) => bins[index] > 0);
  const x = { low, high, name: xName, format: number };
  return plot(title, `${counted(total, noun)}${summary}`, x, { low: 0, high: most * 1.05 }, draw, table([xName, `${noun}s`], rows));
}

function lengths({ are_bytes, total, dots, shorter, longer }) {
  const unit = are_bytes ? "bytes of output" : "tokens of output";
  const [xs, ys] = [dots.map((dot) => dot[0]), dots.map((dot) => dot[1])];
  const x = { low: 0, high: Math.max(1, ...xs), name: unit };
  const y = { low: Math.min(0, ...ys) - 0.05, high: Math.max(1, ...ys) + 0.05, format: number };
  const draw = (px, py) => dots.map(([length, value]) => s("circle", { class: "mark dot", cx: px(length), cy: py(value), r: 3 }));
  const means = `mean reward ${number(shorter)} of the shorter half, ${number(longer)} of the longer`;
  const thinned = total > dots.length ? ` (${count(dots.length)} are drawn)` : "";
  const halves = table(["half", "mean reward"], [["shorter", number(shorter)], ["longer", number(longer)]]);
  return plot("Length against reward", `${counted(total, "rollout")}${thinned}: ${means}`, x, y, draw, halves);
}

function rate({ start, width, bins }) {
  const span = bins.length * width;
  const units = [["days", 86400], ["hours", 3600], ["minutes", 60]];
  const [unit, size] = units.find(([, size]) => span >= 2 * size) ?? ["seconds", 1];
  const rates = bins.map((bin) => bin / width);
  const total = bins.reduce((sum, bin) => sum + bin, 0);
  const x = { low: 0, high: span / size, name: unit };
  const middle = (index) => ((index + 0.5) * width) / size;
  const draw = (px, py) => {
    const points = rates.map((value, index) => `${px(middle(index))},${py(value)}`).join(" ");
    return [s("polyline", { class: "line", points })];
  };
  const began = new Date(start * 1000).toLocaleString("en-GB");
  const rows = bins.map((bin, index) => [`${number((index * width) / size)} ${unit}`, number(bin / width)]);
  const y = { low: 0, high: Math.max(...rates) * 1.05, format: number };
  const summary = `${counted(total, "rollout")} from ${began}, ${number(total / span)} a second`;
  return plot("Rate over time", summary, x, y, draw, table(["after", "rollouts a second"], rows));
}

function bars(title, counts, total) {
  const rows = counts.map(({ name, count: value }) => {
    const bar = h("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", value / total);
    return h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, bar), h("td", { class: "n" }, count(value)),
      h("td", { class: "n faint" }, percent(value / total)));
  });
  return h("figure", {}, h("h2", {}, title), h("table", { class: "bars" }, h("tbody", {}, rows)));
}

export function chartsView(app) {
  let parameters = {};
  const status = h("p", { class: "status", role: "status" });
  const figures = h("div", { class: "figures" });
  const filter = filterForm(app, (values) => app.go("charts", values));
  const node = h("div", {}, h("h1", {}, "Charts"), filter.form, status, figures);
  let drawn;

  async function load() {
    try {
      const charts = await ask("charts", parameters);
      const key = JSON.stringify(charts);
      if (key === drawn) return;
      drawn = key;
      WIDTH = matchMedia("(max-width: 50rem)").matches ? 340 : 520;
      status.textContent = `${counted(charts.rows, "rollout")}${charts.mean === null ? "" : `, mean reward ${number(charts.mean)}`}`;
      figures.replaceChildren(...[
        charts.rows > 0 && bars("Outcomes", charts.outcomes, charts.rows),
        charts.reasons.length > 0 && bars("Culprits and limits", charts.reasons, charts.rows),
        charts.rewards.total > 0 && histogram("Rewards", "rollout", "reward", charts.rewards, `, mean ${number(charts.mean)}`),
        charts.tasks.total > 0 && histogram("Pass rates", "task", "mean reward of a task", charts.tasks,
          `: ${count(charts.tasks.bins[0])} in the lowest bin, ${count(charts.tasks.bins.at(-1))} in the highest`),
        charts.lengths.total > 0 && lengths(charts.lengths),
        charts.rate && rate(charts.rate),
      ].filter(Boolean));
    } catch (error) {
      drawn = undefined;
      figures.replaceChildren(h("p", { class: "error", role: "alert" }, error.message));
    }
  }

  return {
    node,
    update(values) {
      parameters = values;
      filter.show(values);
      load();
    },
    refresh() {
      filter.show(parameters);
      load();
    },
  };
}
