// The page: which view is shown, its address, progress, keys, theme.

import { address, ask, bytes, count, counted, h } from "/dom.js";
import { filesView, rowsView, tasksView } from "/lists.js";
import { rowView, taskView } from "/transcript.js";
import { chartsView } from "/charts.js";

const views = { rows: rowsView, tasks: tasksView, charts: chartsView, files: filesView, row: rowView, task: taskView };
const main = document.getElementById("main");

/** What views know of each other. */
const app = {
  summary: undefined,
  /** The identities of the rows of the list that was seen last, and which of them was opened. */
  list: [],
  opened: undefined,
  /** Goes to an address, in place of the present one if it is only a refinement of it. */
  go(path, parameters, isRefinement = false) {
    const target = address(path, parameters);
    if (target === location.hash) return;
    if (isRefinement) history.replaceState(null, "", target);
    else history.pushState(null, "", target);
    show();
  },
};

let current = { name: undefined, subject: undefined, view: undefined };

function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, subject = ""] = path.split("/");
  const parameters = Object.fromEntries(new URLSearchParams(query));
  return { name: name in views ? name : "rows", subject: decodeURIComponent(subject), parameters };
}

function show() {
  const { name, subject, parameters } = place();
  for (const link of document.querySelectorAll("header [data-view]")) {
    const { view } = link.dataset;
    if (view === ({ row: "rows", task: "tasks" }[name] ?? name)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    const { q, from, sort, pick, ...filter } = parameters;
    link.href = address(view, { rows: { q, ...filter }, files: {} }[view] ?? filter);
  }
  if (name !== current.name || subject !== current.subject) {
    current.view?.leave?.();
    current = { name, subject, view: views[name](app, subject) };
    main.replaceChildren(current.view.node);
    window.scrollTo(0, 0);
    if (document.activeElement === document.body) main.focus({ preventScroll: true });
  }
  const titles = { rows: "Rollouts", tasks: "Tasks", charts: "Charts", files: "Files" };
  document.title = titles[name] ?? `${name === "row" ? "Rollout" : "Task"} ${subject}`;
  current.view.update(parameters);
}

// How far reading is, again and again.

const progress = document.getElementById("progress");

function say(text) {
  if (progress.textContent !== text) progress.textContent = text;
}

function describe(summary) {
  const there = summary.files.filter((file) => file.is_there || file.error);
  const errors = there.filter((file) => file.error).length;
  const malformed = there.reduce((sum, file) => sum + file.malformed, 0);
  const parts = [counted(summary.rows, "row")];
  if (!summary.is_settled) {
    const [done, total] = ["indexed", "bytes"].map((key) => there.reduce((sum, file) => sum + file[key], 0));
    parts.push(`reading: ${bytes(done)} of ${bytes(total)}`);
  }
  if (malformed) parts.push(`${count(malformed)} malformed`);
  if (errors) parts.push(counted(errors, "unreadable file"));
  return parts.join(" · ");
}

async function poll() {
  let pause = 1000;
  try {
    if (!document.hidden || !app.summary) {
      const summary = await ask("summary");
      const isNew = summary.version !== app.summary?.version;
      app.summary = summary;
      say(describe(summary));
      if (isNew) current.view?.refresh?.();
      if (summary.is_settled) pause = 2000;
    }
  } catch (error) {
    say(error.message);
    pause = 3000;
  }
  setTimeout(poll, pause);
}

// Light and dark.

const theme = document.getElementById("theme");
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (prefersDark.matches ? "dark" : "light")) === "dark";

function labelTheme() {
  theme.textContent = isDark() ? "Light" : "Dark";
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  localStorage.setItem("theme", name);
  labelTheme();
}

const stored = localStorage.getItem("theme");
if (stored) document.documentElement.dataset.theme = stored;
theme.addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
prefersDark.addEventListener("change", labelTheme);
labelTheme();

// Keys.

const keys = document.getElementById("keys");
const singleKeys = document.getElementById("single-keys");
singleKeys.checked = localStorage.getItem("single-keys") !== "off";
singleKeys.addEventListener("change", () => localStorage.setItem("single-keys", singleKeys.checked ? "on" : "off"));
document.getElementById("help").addEventListener("click", () => keys.showModal());

/** Moves the focus within elements that take it. */
function move(elements, step) {
  const list = [...elements];
  const at = list.indexOf(document.activeElement);
  const next = list[at < 0 ? (step > 0 ? 0 : list.length - 1) : Math.max(0, Math.min(list.length - 1, at + step))];
  next?.focus();
  next?.scrollIntoView({ block: next.matches("section") ? "start" : "nearest" });
}

const filterOf = () => place().parameters;

function backToList() {
  const { pick, ...filter } = filterOf();
  if (current.name === "row" || current.name === "task") app.go(current.name === "task" ? "tasks" : "rows", filter);
  else if (current.name !== "rows") app.go("rows", filter);
  else document.activeElement.blur();
}

const actions = {
  "/": () => {
    if (current.name !== "rows") app.go("rows", filterOf());
    document.getElementById("search")?.focus();
  },
  "?": () => keys.showModal(),
  j: () => (current.view.neighbour ? current.view.neighbour(1) : move(main.querySelectorAll("[data-row]"), 1)),
  k: () => (current.view.neighbour ? current.view.neighbour(-1) : move(main.querySelectorAll("[data-row]"), -1)),
  n: () => move(main.querySelectorAll(".step"), 1),
  p: () => move(main.querySelectorAll(".step"), -1),
  t: () => current.view.task?.(),
  c: () => app.go("charts", (({ q, from, sort, pick, ...filter }) => filter)(filterOf())),
  d: () => setTheme(isDark() ? "light" : "dark"),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
  const isTyping = event.target.closest("input:not([type=checkbox]), select, textarea");
  if (event.key === "Escape") {
    if (isTyping) event.target.blur();
    else backToList();
    return;
  }
  if (isTyping) return;
  const isArrow = event.key === "ArrowDown" || event.key === "ArrowUp";
  if (isArrow && event.target.matches("[data-row]")) {
    event.preventDefault();
    move(main.querySelectorAll("[data-row]"), event.key === "ArrowDown" ? 1 : -1);
  } else if (actions[event.key] && singleKeys.checked) {
    event.preventDefault();
    actions[event.key]();
  }
});

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("popstate", show);
main.replaceChildren(h("p", {}, "Reading …"));
poll();
show();
