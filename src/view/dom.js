// What all views share: elements, texts, numbers, requests. Texts of a model become text nodes, never HTML.

/** Makes an element: properties that begin with `on` are listeners, the others attributes. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** Makes an element of a drawing. */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Characters that steer terminals or turn text around, and halves of pairs: shown, not obeyed.
// Joiners, which emoji and some scripts need, are left alone.
const STEERING = /(?![\t\n\r\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Makes nodes of a text, with what cannot be seen made visible. */
export function shown(text) {
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(STEERING)) {
    const code = match[0].codePointAt(0);
    const name = "U+" + code.toString(16).toUpperCase().padStart(4, "0");
    const picture = code < 0x80 ? "^" + String.fromCodePoint(code ^ 0x40) : name;
    fragment.append(text.slice(end, match.index), h("span", { class: "steering", title: name }, picture));
    end = match.index + match[0].length;
  }
  fragment.append(text.slice(end));
  return fragment;
}

const grouped = new Intl.NumberFormat("en");
export const count = (number) => grouped.format(number);
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
export const number = (value) => (value === null || value === undefined ? "–" : String(Math.round(value * 1000) / 1000));
export const percent = (value) => `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 1) return `${Math.round(value * 1e6) / 1e3 < 10 ? number(value * 1000) : Math.round(value * 1000)} ms`;
  return value < 60 ? `${value.toFixed(1)} s` : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

export function bytes(value) {
  const unit = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]].find(([size]) => value >= size);
  return unit ? `${(value / unit[0]).toPrecision(3)} ${unit[1]}` : `${value} bytes`;
}

export const length = (row) =>
  row.tokens === null ? "–" : row.are_bytes ? bytes(row.tokens) : count(row.tokens);

/** Asks the server; an error says what is wrong. */
export async function ask(path, parameters = {}, signal = undefined) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  let answer;
  try {
    answer = await fetch(`/api/${path}${query ? "?" + query : ""}`, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server does not answer; is `rehearsal view` still running?");
  }
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
}

/** The address of a view with parameters. */
export function address(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  return `#/${path}${query ? "?" + query : ""}`;
}

export const link = (path, parameters, ...children) => h("a", { href: address(path, parameters) }, ...children);

/** A reward with a bar as long as it is high. */
export function reward(value) {
  if (value === null || value === undefined) return h("span", { class: "reward none" }, "–");
  const share = Math.max(0, Math.min(1, value));
  const bar = h("span", { class: "bar", "aria-hidden": "true" });
  bar.style.setProperty("--share", share);
  return h("span", { class: `reward ${value >= 1 ? "full" : value <= 0 ? "nil" : "part"}` }, bar, number(value));
}

const WORDS = { scored: "scored", truncated: "truncated", failed: "failed", unscored: "unscored", task: "task" };

export function outcome(row) {
  const word = WORDS[row.outcome] ?? row.outcome;
  return h("span", { class: `outcome ${word}` }, row.reason ? `${word}: ${row.reason}` : word);
}
