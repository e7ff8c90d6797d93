// Lists: rollouts under a filter, tasks, files.

import { address, ask, bytes, count, counted, h, length, link, number, outcome, percent, reward, seconds, shown } from "/dom.js";

const PAGE = 100;
const OUTCOMES = ["scored", "truncated", "failed", "unscored", "task"];
const SORTS = [
  ["", "as in the file"], ["-line", "last first"], ["-reward", "highest reward"], ["reward", "lowest reward"],
  ["-tokens", "longest output"], ["tokens", "shortest output"], ["-steps", "most steps"], ["-seconds", "slowest"],
  ["-created", "newest"],
];
const TASK_SORTS = [
  ["", "as in the file"], ["mean", "lowest mean"], ["-mean", "highest mean"], ["-spread", "widest spread"],
  ["-failed", "most failures"], ["-rows", "most rollouts"],
];

function select(name, label, options) {
  const element = h("select", { name, id: `filter-${name}` }, options.map(([key, text]) => h("option", { value: key }, text)));
  return h("div", { class: "field" }, h("label", { for: `filter-${name}` }, label), element);
}

/** Sets a control. A value that is not offered yet, since files are still being read, is kept. */
function set(control, value) {
  if (control === document.activeElement && control.matches("input")) return;
  const isOffered = !control.options || [...control.options].some((option) => option.value === value);
  if (!isOffered) control.append(h("option", { value }, value));
  control.value = value;
}

/** The filter that lists and charts share. `change` gets its values. */
export function filterForm(app, change, sorts = undefined, hasSearch = false) {
  const search = hasSearch && h("input", {
    type: "search", name: "q", id: "search", placeholder: "Search all text", "aria-label": "Search all text",
    autocomplete: "off", spellcheck: "false", maxlength: 1000,
  });
  const fields = h("div", { class: "fields" });
  const summary = h("summary", {}, "Filters");
  const isWide = matchMedia("(min-width: 50rem)").matches;
  let timer;
  const send = () => {
    clearTimeout(timer);
    change(Object.fromEntries(new FormData(form)));
  };
  const submit = (event) => {
    event.preventDefault();
    send();
  };
  const form = h("form", { role: "search", "aria-label": "Filter", onsubmit: submit, onchange: send },
    search && h("div", { class: "search" }, search), h("details", { class: "filters", open: isWide }, summary, fields));
  if (search) {
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(send, 300);
    });
  }

  const bound = (name, label, placeholder) =>
    h("input", { type: "number", step: "any", name, id: `filter-${name}`, "aria-label": label, placeholder });
  function build(values, files, environments, agents, reasons) {
    const any = (list) => [["", "any"], ...list.map((name) => [name, name])];
    fields.replaceChildren(...[
      (environments.length > 0 || values.environment) && select("environment", "Environment", any(environments)),
      (agents.length > 1 || values.agent) && select("agent", "Agent", any(agents)),
      (files.length > 1 || values.file) && select("file", "File", [["", "any"], ...files]),
      select("outcome", "Outcome", any(OUTCOMES)),
      (reasons.length > 0 || values.reason) && select("reason", "Because of", any(reasons)),
      h("fieldset", { class: "field" }, h("legend", {}, "Reward"),
        bound("reward_min", "Reward at least", "from"), " – ", bound("reward_max", "Reward at most", "to")),
      values.task && h("div", { class: "field" }, h("label", { for: "filter-task" }, "Task"), h("input", { name: "task", id: "filter-task" })),
      sorts && select("sort", "Order", sorts),
      h("button", { type: "button", onclick: () => change({}) }, "Clear"),
    ].filter(Boolean));
  }

  let built;
  return {
    form,
    /** Shows the values of an address. */
    show(values) {
      const { files = [], environments = [], agents = [], reasons = [] } = app.summary ?? {};
      const there = files.map((file, index) => [String(index), fileName(app, index), file.is_there])
        .filter(([, , isThere]) => isThere);
      const key = JSON.stringify([there, environments, agents, reasons, Object.keys(values)]);
      if (key !== built && (!built || !fields.contains(document.activeElement))) {
        build(values, there, environments, agents, reasons);
        built = key;
      }
      for (const control of form.elements) if (control.name) set(control, values[control.name] ?? "");
      const { q, from, sort, ...rest } = values;
      const active = Object.values(rest).filter(Boolean).length;
      summary.textContent = active ? `Filters (${active})` : "Filters";
    },
  };
}

/** What a file is called: its name, with its folder's where several have the same. */
function fileName(app, index) {
  const parts = (app.summary?.files ?? []).map((file) => file.path.split("/"));
  const own = parts[index] ?? [];
  const isShared = parts.filter((other) => other.at(-1) === own.at(-1)).length > 1;
  return own.slice(isShared ? -2 : -1).join("/");
}

/** A status line that is read out when it changes. */
function statusLine() {
  return h("p", { class: "status", role: "status" });
}

const failed = (error) => h("p", { class: "error", role: "alert" }, error.message);

function pager(view, parameters, from, next) {
  const go = (start) => ({ ...parameters, from: start || undefined });
  return h("nav", { class: "pager", "aria-label": "Pages" },
    from > 0 && link(view, go(0), "First"),
    from > 0 && !parameters.q && link(view, go(Math.max(0, from - PAGE)), "Previous"),
    next !== null && link(view, go(next), "Next"));
}

export function listTable(title, name, columns, rows) {
  return h("table", { class: `rows ${name}` }, h("caption", { class: "hidden" }, title),
    h("thead", {}, h("tr", {}, columns)), h("tbody", {}, rows));
}

const range = (from, shownCount, total, noun) =>
  total ? `${count(from + 1)}–${count(from + shownCount)} of ${counted(total, noun)}` : "none";

/** Heads of columns: a name, what they sort by, and whether they are of numbers. */
export function columns(view, parameters, names) {
  return names.map(([name, key, isNumber = key && names[0][1] !== key]) => {
    if (!key) return h("th", { scope: "col", class: isNumber && "n" }, name);
    const { from, sort = "", ...rest } = parameters;
    const [isUp, isDown] = [sort === key, sort === `-${key}`];
    const target = { ...rest, sort: isDown ? key : `-${key}` };
    return h("th", { scope: "col", class: isNumber && "n", "aria-sort": isUp ? "ascending" : isDown ? "descending" : undefined },
      link(view, target, name, isUp ? " ↑" : isDown ? " ↓" : ""));
  });
}

function line(app, row, parameters) {
  const { from, ...filter } = parameters;
  const title = row.prompt || row.answer || `line ${row.line}`;
  return h("tr", {},
    h("td", {}, reward(row.reward)),
    h("td", {}, outcome(row)),
    h("td", { class: "what" },
      h("a", { href: address(`row/${row.id}`, filter), "data-row": row.id }, shown(title)),
      row.prompt && row.answer && h("div", { class: "faint" }, shown(row.answer))),
    h("td", { class: "name" }, row.environment || row.agent || fileName(app, row.file)),
    h("td", { class: "name" }, link(`task/${encodeURIComponent(row.task)}`, filter, shown(row.task)),
      row.repeat === null ? "" : ` · ${row.repeat}`),
    h("td", { class: "n", "data-label": "steps" }, row.steps ?? "–"),
    h("td", { class: "n", "data-label": "tokens" }, length(row)),
    h("td", { class: "n" }, seconds(row.seconds)));
}

export function rowsView(app) {
  let parameters = {};
  let search = new AbortController();
  const status = statusLine();
  const results = h("div", { class: "results" });
  const filter = filterForm(app, (values) => app.go("rows", values, (values.q ?? "") !== (parameters.q ?? "")), SORTS, true);
  const node = h("div", {}, h("h1", {}, "Rollouts"), filter.form, status, results);

  function draw(rows, from, next) {
    app.list = rows.map((row) => row.id);
    const { activeElement } = document;
    const focused = activeElement?.dataset?.row ?? (activeElement?.id === "main" ? app.opened : undefined);
    if (rows.length === 0) {
      const nothing = h("p", { class: "empty" }, next === null ? "No rollout is like this." : "");
      results.replaceChildren(nothing, pager("rows", parameters, from, null));
      return;
    }
    const names = [
      ["Reward", "reward"], ["Outcome"], ["Prompt and answer"], ["Environment"], ["Task · repeat"],
      ["Steps", "steps"], ["Tokens", "tokens"], ["Time", "seconds"],
    ];
    const body = rows.map((row) => line(app, row, parameters));
    results.replaceChildren(listTable("Rollouts", "", columns("rows", parameters, names), body), pager("rows", parameters, from, next));
    if (focused) results.querySelector(`[data-row="${CSS.escape(focused)}"]`)?.focus();
  }

  async function load() {
    search.abort();
    search = new AbortController();
    const { signal } = search;
    const from = Number(parameters.from ?? 0);
    const rows = [];
    let next = from;
    results.setAttribute("aria-busy", "true");
    try {
      do {
        const part = await ask("rows", { ...parameters, from: next, limit: PAGE - rows.length }, signal);
        rows.push(...part.rows);
        next = part.next;
        draw(rows, from, next);
        const place = next ?? part.total;
        if (parameters.q) {
          const share = part.total ? percent(place / part.total) : "all";
          status.textContent = `${counted(rows.length, "rollout")} found, ${share} of ${count(part.total)} searched`;
        } else {
          status.textContent = range(from, rows.length, part.total, "rollout");
        }
      } while (parameters.q && next !== null && rows.length < PAGE);
    } catch (error) {
      if (error.name !== "AbortError") results.replaceChildren(failed(error));
      else return;
    }
    results.removeAttribute("aria-busy");
  }

  return {
    node,
    update(values) {
      const isPage = (values.from ?? "") !== (parameters.from ?? "");
      parameters = values;
      filter.show(values);
      if (isPage) window.scrollTo(0, 0);
      load();
    },
    refresh() {
      filter.show(parameters);
      if (!parameters.q) load();
    },
    leave: () => search.abort(),
  };
}

export function tasksView(app) {
  let parameters = {};
  const status = statusLine();
  const results = h("div", { class: "results" });
  const filter = filterForm(app, (values) => app.go("tasks", values), TASK_SORTS);
  const node = h("div", {}, h("h1", {}, "Tasks"), filter.form, status, results);

  function row(task) {
    const { from, sort, ...rest } = parameters;
    const isOne = task.low === task.high;
    const href = address(`task/${encodeURIComponent(task.name)}`, rest);
    return h("tr", {}, h("td", {}, reward(task.mean)),
      h("td", { class: "what" }, h("a", { href, "data-row": task.name }, shown(task.name))),
      h("td", { class: "n", "data-label": "rewards" }, isOne ? number(task.low) : `${number(task.low)} to ${number(task.high)}`),
      h("td", { class: "n", "data-label": "rollouts" }, count(task.rows)),
      h("td", { class: "n", "data-label": "failed" }, count(task.failed)));
  }

  async function load() {
    try {
      const from = Number(parameters.from ?? 0);
      const part = await ask("tasks", { ...parameters, limit: PAGE });
      const names = [["Mean reward", "mean"], ["Task"], ["Rewards", "spread"], ["Rollouts", "rows"], ["Failed", "failed"]];
      status.textContent = range(from, part.tasks.length, part.total, "task");
      const table = listTable("Tasks", "tasks", columns("tasks", parameters, names), part.tasks.map(row));
      results.replaceChildren(table, pager("tasks", parameters, from, part.next));
    } catch (error) {
      results.replaceChildren(failed(error));
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
      if (!results.contains(document.activeElement)) load();
    },
  };
}

export function filesView(app) {
  const files = h("div", {});
  const malformed = h("div", {});
  const node = h("div", {}, h("h1", {}, "Files"), files, malformed);

  function describe(file) {
    const rest = file.bytes - file.indexed;
    const state = file.error ? h("strong", { class: "error" }, file.error)
      : rest === 0 ? "read"
      : app.summary.is_settled ? `${bytes(rest)} of a line that is not whole yet` : `${percent(file.indexed / file.bytes)} read`;
    return h("tr", {}, h("td", { class: "what" }, shown(file.path)),
      h("td", { class: "n", "data-label": "rows" }, count(file.rows)),
      h("td", { class: "n", "data-label": "malformed" }, count(file.malformed)),
      h("td", { class: "n" }, bytes(file.bytes)), h("td", {}, state));
  }

  const wrong = ({ line, reason, start }) =>
    h("li", {}, h("strong", {}, `Line ${count(line)}: `), shown(reason), start && h("pre", {}, shown(start)));

  async function load() {
    if (!app.summary) return;
    const there = app.summary.files.filter((file) => file.is_there || file.error);
    const names = [["File"], ["Rows", , true], ["Malformed", , true], ["Size", , true], ["State"]];
    files.replaceChildren(listTable("Files", "files", columns("files", {}, names), there.map(describe)));
    try {
      const lists = await ask("malformed");
      malformed.replaceChildren(...lists.map((list) => h("section", {},
        h("h2", {}, `${counted(list.total, "malformed line")} of ${list.path.split("/").pop()}`),
        list.total > list.lines.length && h("p", {}, `The first ${count(list.lines.length)}:`),
        h("ul", { class: "malformed" }, list.lines.map(wrong)))));
    } catch (error) {
      malformed.replaceChildren(failed(error));
    }
  }

  return { node, update: load, refresh: load };
}
