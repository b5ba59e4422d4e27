// The page's frame: session, navigation, and which view the address names.

import { onSessionLost, session } from "./api.js";
import { notice, problemText } from "./dialogs.js";
import { field, h } from "./dom.js";
import * as live from "./live.js";
import "./view-catalog.js";
import "./view-cluster.js";
import "./view-clusters.js";
import "./view-create.js";
import "./view-lists.js";
import "./view-log.js";
import "./view-service.js";

const main = document.getElementById("main");
let who = null;

const PLACES = [["clusters", "Clusters"], ["services", "Services"], ["hosts", "Hosts"], ["containers", "Containers"],
  ["catalog", "Catalog"], ["operations", "Operations"], ["events", "Events"], ["system", "System"]];

// Address, element, title; words behind a colon are given to the element.
const VIEWS = [
  ["clusters", "m-clusters", "Clusters"],
  ["new", "m-new-cluster", "New cluster"],
  ["clusters/:cluster", "m-cluster", null],
  ["clusters/:cluster/new-service", "m-new-service", "New service"],
  ["clusters/:cluster/services/:service", "m-service", null],
  ["services", "m-services", "Services"],
  ["hosts", "m-hosts", "Hosts"],
  ["containers", "m-containers", "Containers"],
  ["catalog", "m-catalog", "Catalog"],
  ["operations", "m-operations", "Operations"],
  ["events", "m-events", "Events"],
  ["system", "m-system", "System"],
];

function match(path) {
  const words = path.split("/");
  for (const [pattern, element, title] of VIEWS) {
    const parts = pattern.split("/");
    const fits = parts.length === words.length && parts.every((part, at) => part.startsWith(":") || part === words[at]);
    if (!fits) continue;
    const given = Object.fromEntries(parts.map((part, at) => [part, decodeURIComponent(words[at])])
      .filter(([part]) => part.startsWith(":")).map(([part, word]) => [part.slice(1), word]));
    return { element, given, title: title ?? Object.values(given).join(" / ") };
  }
  return null;
}

function show() {
  if (!who) return;
  const hash = location.hash;
  if (hash === "#main") { main.focus(); return; }
  const [path, query = ""] = (hash.replace(/^#\/?/, "") || "clusters").split("?");
  const found = match(path);
  notice();
  for (const link of document.querySelectorAll("#nav a")) {
    const isHere = link.hash === `#/${path.split("/")[0]}`;
    if (isHere) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  if (!found) {
    main.replaceChildren(h("h1", {}, "Nothing is here"), h("a", { href: "#/clusters" }, "To the clusters"));
    return;
  }
  document.title = `${found.title} – Muster`;
  const view = document.createElement(found.element);
  Object.assign(view, { who, query: new URLSearchParams(query), ...found.given });
  main.replaceChildren(view);
  main.focus({ preventScroll: true });
}

function frame() {
  const items = PLACES.map(([path, title]) => h("li", {}, h("a", { href: `#/${path}` }, title)));
  document.getElementById("nav").replaceChildren(h("ul", {}, items));
  const leave = h("button", { type: "button", onclick: async () => { await session.end(); login(); } }, "Sign out");
  document.getElementById("who").replaceChildren(h("span", {}, `${who.owner} (${who.role})`), leave);
}

function login(problem) {
  who = null;
  live.stop();
  document.title = "Sign in – Muster";
  document.getElementById("nav").replaceChildren();
  document.getElementById("who").replaceChildren();
  const token = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true });
  const trouble = h("div", {}, problem ? problemText(problem) : "");
  const form = h("form", { class: "card login" }, h("h1", {}, "Sign in"),
    field("Token", token, "An administrator makes one with: muster token create"), trouble,
    h("button", { type: "submit", class: "main" }, "Sign in"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      who = await session.begin(token.value.trim());
      token.value = "";
      begin();
    } catch (refused) {
      trouble.replaceChildren(problemText(refused));
    }
  });
  main.replaceChildren(form);
  token.focus();
}

function begin() {
  frame();
  live.start();
  show();
}

onSessionLost(() => login({ message: "The session has ended." }));
window.addEventListener("hashchange", show);
try {
  who = await session.find();
  if (who) begin(); else login();
} catch (problem) {
  login(problem);
}
