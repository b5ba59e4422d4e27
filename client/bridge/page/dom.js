// Makes elements. Text is always text: nothing here reads HTML, and the page's policy would not let it.

export function h(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...shown(children));
  return node;
}

// What is left of children when those that are not to be there are taken out.
function shown(children) {
  return children.flat(4).filter((child) => child !== null && child !== undefined && child !== false);
}

// Puts children in place of what is there, if the data that they are made of changed. The focus stays where it was.
export function renew(node, data, make) {
  const text = JSON.stringify(data);
  if (node.madeOf === text) return;
  node.madeOf = text;
  const key = node.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  node.replaceChildren(...shown([make(data)]));
  if (key) [...node.querySelectorAll("[data-key]")].find((other) => other.dataset.key === key)?.focus();
}

const GOOD = ["ready", "running", "succeeded", "complete", "done"];
const BUSY = ["creating", "updating", "deploying", "preparing", "starting", "pending", "waiting", "retrying"];
const WARN = ["deleting", "removing", "not-ready", "cancelled", "superseded", "released", "stopped"];

// A state as a word with a mark; the word alone says all.
export function phase(word, busy = false) {
  const kind = busy || BUSY.includes(word) ? "busy" : GOOD.includes(word) ? "good" : WARN.includes(word) ? "warn" : "bad";
  return h("span", { class: `phase ${kind}` }, word);
}

export function cause(it) {
  if (!it) return null;
  const provider = [it.providerCode, it.providerRequestId].filter(Boolean).join(", ");
  return h("div", { class: "cause" },
    h("div", {}, `${it.step}: ${it.message} (${it.code})`, provider ? ` [${provider}]` : ""),
    it.remedy && h("div", { class: "remedy" }, it.remedy),
    h("div", { class: "soft" }, it.retry === "later" ? "Muster goes on trying." : "This needs somebody."));
}

export function time(text) {
  if (!text) return h("span", { class: "soft" }, "–");
  return h("time", { datetime: text, title: text }, new Date(text).toLocaleString());
}

// A table; on a phone each row is a block, so each cell knows its column.
export function table(caption, columns, rows, empty = "None.") {
  if (rows.length === 0) return h("p", { class: "soft" }, empty);
  return h("table", { class: "stack" },
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col" }, column)))),
    h("tbody", {}, rows.map((cells) => row(columns, cells))));
}

export function row(columns, cells) {
  return h("tr", {}, cells.map((cell, at) => h("td", { "data-label": columns[at], class: at === columns.length - 1 ? "wide" : null }, cell)));
}

export function facts(pairs) {
  return h("dl", {}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

let fieldNumber = 0;

// A labelled input. `about` is read with it.
export function field(label, input, about) {
  fieldNumber += 1;
  const id = `field-${fieldNumber}`;
  input.id = id;
  if (about) input.setAttribute("aria-describedby", `${id}-about`);
  return h("div", { class: "field" }, h("label", { for: id }, label), input,
    about && h("div", { class: "soft", id: `${id}-about` }, about));
}

export function select(name, words, chosen) {
  return h("select", { name }, words.map((word) => {
    const [value, text] = Array.isArray(word) ? word : [word, word];
    return h("option", { value, selected: value === chosen }, text);
  }));
}
