// A rollout step by step, and the rollouts of a task side by side.

import { ask, bytes, count, counted, h, length, link, number, outcome, reward, seconds, shown } from "/dom.js";
import { columns, listTable } from "/lists.js";

/** A part of a record: the row's identity, what was cut from it, and where in it we are. */
class Part {
  constructor(id, cut, at = "") {
    Object.assign(this, { id, cut, at });
  }
  of(...names) {
    return new Part(this.id, this.cut, this.at + names.map((name) => "/" + String(name).replaceAll("~", "~0").replaceAll("/", "~1")).join(""));
  }
  /** How much there is of it, if it was cut. */
  get size() {
    return this.cut[this.at];
  }
  whole() {
    return ask(`row/${this.id}/value`, { at: this.at });
  }
}

/** Longer values are folded. */
const LONG = 200;

/** Puts a button behind an element that stands for a cut value, to show it whole. */
function withRest(element, part, unit, redraw) {
  if (part.size === undefined) return element;
  const label = `Show all ${unit === "text" ? bytes(part.size) : counted(part.size, "element")}`;
  return [element, restButton(label, element, part, redraw)];
}

function restButton(label, element, part, redraw) {
  const button = h("button", { type: "button", class: "more" }, label);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      element.replaceChildren(redraw(await part.whole()));
      button.remove();
    } catch (error) {
      button.replaceWith(alarm(error));
    }
  });
  return button;
}

const alarm = (error) => h("p", { class: "error", role: "alert" }, error.message);

const text = (value, part) => withRest(h("div", { class: "text", dir: "auto" }, shown(value)), part, "text", shown);
const code = (value, part) => withRest(h("pre", {}, shown(value)), part, "text", (whole) => shown(pretty(whole)));

/** JSON that a text holds, indented; other texts as they are. */
function pretty(value) {
  try {
    const parsed = JSON.parse(value);
    return typeof parsed === "object" ? JSON.stringify(parsed, null, 2) : value;
  } catch {
    return value;
  }
}

/** Any value: texts as texts, others as JSON, long ones folded. */
function json(value, part) {
  if (typeof value === "string") {
    const size = part.size ?? value.length;
    return size > LONG ? fold("text", text(value, part), counted(size, "character")) : text(value, part);
  }
  const write = (whole) => shown(JSON.stringify(whole, null, 2));
  if (value === null || typeof value !== "object") {
    return part.size === undefined ? shown(String(value)) : withRest(h("pre", {}, "…"), part, "text", write);
  }
  const isCut = Object.keys(part.cut).some((at) => at === part.at || at.startsWith(part.at + "/"));
  const element = h("pre", {}, write(value));
  if (!isCut && element.textContent.length <= LONG) return element;
  const name = Array.isArray(value) ? counted(part.size ?? value.length, "element") : "object";
  return fold(name, isCut ? [element, restButton("Show all of it", element, part, write)] : element);
}

function fold(label, children, detail = "", isOpen = false) {
  const summary = h("summary", {}, label, detail && h("span", { class: "faint" }, ` ${detail}`));
  return h("details", { open: isOpen }, summary, children);
}

function tokens(item, part) {
  const generated = item.generation_token_ids;
  if (!generated && !item.prompt_token_ids) return false;
  const size = (name) => part.of(name).size ?? item[name]?.length ?? 0;
  const probabilities = item.generation_log_probs ?? [];
  const isWhole = part.of("generation_log_probs").size === undefined;
  const sum = probabilities.reduce((a, b) => a + b, 0);
  const mean = isWhole && probabilities.length ? `, mean log-probability ${number(sum / probabilities.length)}` : "";
  const numbers = (name) => {
    if (!Array.isArray(item[name])) return false;
    const element = h("pre", { class: "ids" }, item[name].join(" "));
    return [h("h4", {}, name), withRest(element, part.of(name), "list", (all) => all.join(" "))];
  };
  const lists = ["prompt_token_ids", "generation_token_ids", "generation_log_probs"].map(numbers);
  const detail = `${count(size("prompt_token_ids"))} of the prompt, ${count(size("generation_token_ids"))} generated${mean}`;
  return fold("Tokens", lists, detail);
}

function image(url, part) {
  const source = typeof url === "object" ? url?.url : url;
  if (typeof source !== "string") return h("p", { class: "faint" }, "an image without an address");
  if (!source.startsWith("data:image/")) return h("p", { class: "faint" }, "image, not loaded: ", shown(source.slice(0, 300)));
  const button = h("button", { type: "button", class: "more" }, `Show the image (${bytes(part.size ?? source.length)})`);
  button.addEventListener("click", async () => {
    const whole = part.size === undefined ? source : await part.whole();
    button.replaceWith(h("img", { src: whole, alt: "image of the conversation" }));
  });
  return button;
}

function contentPart(content, part) {
  if (typeof content === "string") return text(content, part);
  if (typeof content?.text === "string") return text(content.text, part.of("text"));
  if (typeof content?.refusal === "string") return [h("h4", {}, "Refusal"), text(content.refusal, part.of("refusal"))];
  if (content?.image_url) {
    const names = typeof content.image_url === "object" ? ["image_url", "url"] : ["image_url"];
    return image(content.image_url, part.of(...names));
  }
  return json(content, part);
}

const nothing = (word) => h("p", { class: "faint" }, word);

function contents(content, part) {
  if (content === null || content === undefined || content.length === 0) return nothing("empty");
  if (!Array.isArray(content)) return contentPart(content, part);
  return [content.map((one, index) => contentPart(one, part.of(index))), cutNote(part)];
}

const SPEAKERS = { user: "User", assistant: "Assistant", system: "System", developer: "Developer", tool: "Tool" };

/** What kind of item it is: as it says, or by its shape. */
function kindOf(item) {
  if (item.type) return item.type;
  if (item.role) return "message";
  if (item.arguments !== undefined) return "function_call";
  if (item.output !== undefined) return "function_call_output";
  return item.summary ? "reasoning" : "item";
}

const isOfModel = (item) => !kindOf(item).endsWith("_output") && (item.role ?? "assistant") === "assistant";

const callName = (id) => id && h("span", { class: "faint" }, " ", shown(String(id)));

function call(name, id, written, part) {
  const title = h("h4", {}, "Calls ", h("code", {}, shown(String(name ?? "?"))), callName(id));
  return [title, typeof written === "object" ? json(written, part) : code(pretty(written ?? ""), part)];
}

/** An item: its class, and what it says. */
function itemCard(item, part) {
  if (item === null || typeof item !== "object") return h("article", { class: "item" }, json(item, part));
  const kind = kindOf(item);
  const card = (name, ...children) => h("article", { class: `item ${name}` }, children, tokens(item, part));
  switch (kind) {
    case "message": {
      const calls = (item.tool_calls ?? []).map(({ id, function: called }, index) =>
        call(called?.name, id, called?.arguments, part.of("tool_calls", index, "function", "arguments")));
      const speaker = h("h4", {}, SPEAKERS[item.role] ?? shown(String(item.role)));
      return card(`message ${SPEAKERS[item.role] ? item.role : ""}`, speaker, contents(item.content, part.of("content")), calls);
    }
    case "function_call":
      return card("call", call(item.name, item.call_id, item.arguments, part.of("arguments")));
    case "function_call_output": {
      const at = part.of("output");
      const body = typeof item.output === "string" ? code(pretty(item.output), at) : contents(item.output, at);
      return card("output", h("h4", {}, "Answers", callName(item.call_id)), body);
    }
    case "reasoning": {
      const given = ["summary", "content"].filter((name) => item[name]?.length);
      const parts = given.map((name) => contents(item[name], part.of(name)));
      const body = parts.length ? parts : nothing(item.encrypted_content ? "encrypted" : "empty");
      return card("reasoning", fold("Reasoning", body, "", true));
    }
    default:
      return card("hosted", h("h4", {}, shown(String(kind))), json(item, part));
  }
}

/** Items in steps: what a model call made and the tool outputs that it caused. */
function steps(items, part) {
  const groups = [];
  let wasModel = false;
  items.forEach((item, index) => {
    const isModel = item !== null && typeof item === "object" && isOfModel(item);
    const isInput = !isModel && item?.role !== undefined;
    const isNew = groups.length === 0 || isInput || (isModel && !wasModel);
    if (isNew) groups.push({ isInput, cards: [] });
    wasModel = isModel;
    groups.at(-1).cards.push(itemCard(item, part.of(index)));
  });
  let step = 0;
  return groups.map(({ isInput, cards }) => {
    const name = isInput ? "Said to the model" : `Step ${++step}`;
    return h("section", { class: "step", tabindex: -1, "aria-label": name }, h("h3", {}, name), cards);
  });
}

function prompt(record, part) {
  const parameters = record.responses_create_params ?? {};
  const { input, instructions } = parameters;
  const [at, above] = ["input", "instructions"].map((name) => part.of("responses_create_params", name));
  const card = (name, title, value, at) => h("article", { class: `item ${name}` }, h("h4", {}, title), contents(value, at));
  const cards = Array.isArray(input) ? input.map((item, index) => itemCard(item, at.of(index))) : card("user", "User", input, at);
  return h("section", { class: "step", tabindex: -1, "aria-label": "Prompt" }, h("h3", {}, "Prompt"),
    instructions && card("system", "Instructions", instructions, above), cards, Array.isArray(input) && cutNote(at));
}

/** Says that only the first elements of a list are shown. */
const cutNote = (part) =>
  part.size !== undefined && h("p", { class: "faint" }, `${count(part.size)} elements in all; the first are shown. `, rawLink(part));

function rawLink(part) {
  const href = `/api/row/${part.id}/value?at=${encodeURIComponent(part.at)}`;
  return h("a", { href, target: "_blank", rel: "noreferrer" }, "as JSON");
}

function transcript(record, part) {
  const output = Array.isArray(record.response?.output) ? record.response.output : [];
  const at = part.of("response", "output");
  return [steps(output, at), cutNote(at)];
}

const OWN = ["responses_create_params", "response", "reward", "rehearsal"];

const isGiven = ([, value]) => value !== undefined && value !== null && value !== "";
const facts = (pairs) => h("dl", {}, pairs.filter(isGiven).map(([name, value]) => [h("dt", {}, shown(name)), h("dd", {}, value)]));

function timings(times) {
  if (!times) return false;
  const parts = ["model", "tools", "verify"].map((name) => [name, times[name] ?? 0]);
  const rest = Math.max(0, (times.total ?? 0) - parts.reduce((sum, [, value]) => sum + value, 0));
  parts.push(["rest", rest]);
  const all = parts.reduce((sum, [, value]) => sum + value, 0);
  const pieces = parts.map(([name, value]) => {
    const piece = h("span", { class: name });
    // Less than 1 together would leave the bar half empty.
    piece.style.flexGrow = all > 0 ? value / all : 0;
    return piece;
  });
  const named = [...parts, ["total", times.total]].map(([name, value]) => [name, h("span", { class: `key ${name}` }, seconds(value))]);
  return h("section", {}, h("h3", {}, "Time"), h("div", { class: "timings", "aria-hidden": "true" }, pieces), facts(named));
}

function side(detail, part) {
  const { row, record } = detail;
  const { input, tools, instructions, ...parameters } = record.responses_create_params ?? {};
  const { output, usage, ...response } = record.response ?? {};
  const { timings: times, failure, ...provenance } = record.rehearsal ?? {};
  const extras = Object.fromEntries(Object.entries(record).filter(([name]) => !OWN.includes(name)));
  const params = part.of("responses_create_params");
  const values = (object, at) => {
    const given = Object.entries(object ?? {}).filter(isGiven);
    return given.length > 0 && facts(given.map(([name, value]) => [name, json(value, at.of(name))]));
  };
  const section = (title, body) => body && h("section", {}, h("h3", {}, title), body);
  const folded = (title, body, detail) => body && fold(title, body, detail);
  const tool = (one, index) => section(shown(String(one?.name ?? one?.type)), json(one, params.of("tools", index)));
  return h("aside", { "aria-label": "About this rollout" },
    timings(times),
    section("Verifier and task", values(extras, part)),
    section("Usage", values(usage, part.of("response", "usage"))),
    section("Origin", values(provenance, part.of("rehearsal"))),
    folded("Parameters", values(parameters, params)),
    folded("Tools", tools?.length > 0 && tools.map(tool), String(tools?.length)),
    folded("Response", values(response, part.of("response"))),
    h("p", { class: "faint" }, `Line ${count(row.line)}, ${bytes(row.bytes)}, `, rawLink(part)));
}

function headline(row, filter) {
  const { from, q, ...rest } = filter;
  const task = link(`task/${encodeURIComponent(row.task)}`, rest, "Task ", shown(row.task));
  return h("p", { class: "headline" }, reward(row.reward), outcome(row),
    row.environment && h("span", {}, shown(row.environment)),
    row.agent && row.agent !== row.environment && h("span", {}, shown(row.agent)),
    h("span", {}, task, row.repeat === null ? "" : ` · repeat ${row.repeat}`), effort(row),
    row.tokens !== null && h("span", {}, row.are_bytes ? bytes(row.tokens) : counted(row.tokens, "token")));
}

const effort = (row) => [
  row.steps !== null && h("span", {}, counted(row.steps, "step")),
  row.seconds !== null && h("span", {}, seconds(row.seconds)),
];

function failure(record) {
  const about = record.rehearsal?.failure;
  const isFinal = about?.retryable === false;
  return about ? h("div", { class: "failure", role: "note" }, h("strong", {}, `Failed: ${about.culprit ?? "unknown"}. `),
    shown(String(about.error ?? "")), isFinal && " Another attempt would meet it again.") : "";
}

export function rowView(app, id) {
  const node = h("div", {}, h("p", {}, "Reading …"));
  const leaving = new AbortController();
  let [parameters, detail] = [{}, undefined];
  app.opened = id;

  function neighbours() {
    const at = app.list.indexOf(id);
    return at < 0 ? [detail.previous, detail.next] : [app.list[at - 1], app.list[at + 1]];
  }

  function draw() {
    const part = new Part(id, detail.cut);
    const { record, row } = detail;
    const [before, after] = neighbours();
    const pager = h("nav", { class: "pager", "aria-label": "Rollouts" }, link("rows", parameters, "List"),
      before && link(`row/${before}`, parameters, "Previous"), after && link(`row/${after}`, parameters, "Next"));
    const told = h("div", { class: "transcript" }, prompt(record, part), transcript(record, part));
    node.replaceChildren(pager, h("h1", {}, `Rollout ${id}`), headline(row, parameters), failure(record),
      h("div", { class: "rollout" }, told, side(detail, part)));
  }

  return {
    node,
    async update(values) {
      parameters = values;
      if (detail) return draw();
      try {
        detail = await ask(`row/${id}`, {}, leaving.signal);
        draw();
      } catch (error) {
        if (error.name === "AbortError") return;
        node.replaceChildren(h("h1", {}, `Rollout ${id}`), alarm(error), link("rows", parameters, "List"));
      }
    },
    /** While files are being read, the row may still come. */
    refresh() {
      if (!detail) this.update(parameters);
    },
    neighbour(step) {
      if (!detail) return;
      const other = neighbours()[step < 0 ? 0 : 1];
      if (other) app.go(`row/${other}`, parameters);
    },
    task() {
      const { from, q, ...rest } = parameters;
      if (detail) app.go(`task/${encodeURIComponent(detail.row.task)}`, rest);
    },
    leave: () => leaving.abort(),
  };
}

/** Rollouts that are shown side by side at most. */
const COLUMNS = 8;

/** The best and the worst, if they differ; otherwise the first two. */
function mostTelling(rows) {
  const scored = rows.filter((row) => row.reward !== null).sort((a, b) => b.reward - a.reward);
  const isTelling = scored.length > 1 && scored[0].reward > scored.at(-1).reward;
  return (isTelling ? [scored[0], scored.at(-1)] : rows.slice(0, 2)).map((row) => row.id);
}

export function taskView(app, task) {
  const status = h("p", { class: "status", role: "status" });
  const list = h("div", { class: "results" });
  const shared = h("div", {});
  const compared = h("div", { class: "columns" });
  const node = h("div", {}, h("h1", {}, "Task ", shown(task)), status, list, shared, compared);
  const details = new Map();
  let [parameters, rows, picks] = [{}, [], []];

  function pick(id, isPicked) {
    const chosen = isPicked ? [...picks, id].slice(-COLUMNS) : picks.filter((other) => other !== id);
    app.go(`task/${encodeURIComponent(task)}`, { ...parameters, pick: chosen.join(",") || "none" }, true);
  }

  const label = (row) => (row.repeat === null ? `line ${row.line}` : `repeat ${row.repeat}`);

  function drawList() {
    const box = (row) => h("input", {
      type: "checkbox", checked: picks.includes(row.id), "data-pick": row.id,
      onchange: (event) => pick(row.id, event.target.checked),
    });
    const body = rows.map((row) => h("tr", {},
      h("td", { class: "nowrap" }, h("label", {}, box(row), ` ${label(row)}`)),
      h("td", {}, reward(row.reward)), h("td", {}, outcome(row)),
      h("td", { class: "what" }, h("a", { href: `#/row/${row.id}`, "data-row": row.id }, shown(row.answer || `line ${row.line}`))),
      h("td", { class: "n", "data-label": "steps" }, row.steps ?? "–"),
      h("td", { class: "n", "data-label": "tokens" }, length(row)), h("td", { class: "n" }, seconds(row.seconds))));
    const names = [["Show"], ["Reward"], ["Outcome"], ["Answer"], ["Steps", , true], ["Tokens", , true], ["Time", , true]];
    const focused = document.activeElement?.dataset?.pick;
    list.replaceChildren(listTable("Rollouts of this task", "repeats", columns("task", {}, names), body));
    if (focused) list.querySelector(`[data-pick="${CSS.escape(focused)}"]`)?.focus();
  }

  async function drawColumns() {
    const wanted = picks.join();
    await Promise.all(picks.filter((id) => !details.has(id)).map(async (id) => details.set(id, await ask(`row/${id}`))));
    if (wanted !== picks.join()) return;
    const first = details.get(picks[0]);
    shared.replaceChildren(...(first ? [fold("The prompt", prompt(first.record, new Part(picks[0], first.cut)))] : []));
    compared.replaceChildren(...picks.map((id) => {
      const { row, record, cut } = details.get(id);
      const name = label(row);
      const title = h("h2", {}, h("a", { href: `#/row/${id}` }, name[0].toUpperCase() + name.slice(1)));
      return h("section", { class: "column", "aria-label": name, tabindex: 0 }, title,
        h("p", { class: "headline" }, reward(row.reward), outcome(row), effort(row)),
        failure(record), transcript(record, new Part(id, cut)));
    }));
  }

  async function load() {
    try {
      const part = await ask("rows", { task, limit: 200 });
      rows = part.rows;
      const scored = rows.filter((row) => row.reward !== null);
      const sum = scored.reduce((sum, row) => sum + row.reward, 0);
      const mean = scored.length ? `, mean reward ${number(sum / scored.length)}` : "";
      const first = part.total > rows.length ? `, the first ${rows.length} are listed` : "";
      status.textContent = `${counted(part.total, "rollout")}${first}${mean}; up to ${COLUMNS} stand side by side`;
      const asked = parameters.pick === "none" ? [] : parameters.pick?.split(",");
      picks = (asked ?? mostTelling(rows)).filter((id) => rows.some((row) => row.id === id)).slice(0, COLUMNS);
      drawList();
      await drawColumns();
    } catch (error) {
      compared.replaceChildren(alarm(error));
    }
  }

  return {
    node,
    update(values) {
      parameters = values;
      load();
    },
    refresh() {
      if (rows.length === 0) load();
    },
  };
}
