// All clusters, live: a hundred at a time, so that thousands that change keep the page quick.

import { mayOperate } from "./api.js";
import { problemText } from "./dialogs.js";
import { field, h, phase, row, select } from "./dom.js";
import { Fleet } from "./live.js";

const COLUMNS = ["Name", "Phase", "Kind", "Control plane", "Workers", "Services", "Cause"];
const AT_ONCE = 100;
const PHASES = ["creating", "ready", "updating", "degraded", "deleting", "released"];

class Clusters extends HTMLElement {
  connectedCallback() {
    this.fleet = new Fleet((names) => this.changed(names));
    this.rows = new Map();
    this.page = 0;
    this.search = h("input", { type: "search", name: "search", autocomplete: "off" });
    this.phase = select("phase", [["", "all phases"], ...PHASES], "");
    this.search.addEventListener("input", () => this.again());
    this.phase.addEventListener("change", () => this.again());
    this.count = h("p", { class: "soft", role: "status", "aria-live": "polite" }, "Reading…");
    this.body = h("tbody", {});
    this.back = h("button", { type: "button", onclick: () => this.turn(-1) }, "Back");
    this.on = h("button", { type: "button", onclick: () => this.turn(1) }, "On");
    this.place = h("span", { class: "soft" });
    this.pages = h("nav", { class: "bar", "aria-label": "Pages", hidden: true }, this.back, this.place, this.on);
    this.table = h("div", { class: "card" }, h("table", { class: "stack" }, h("caption", {}, "Clusters by name"),
      h("thead", {}, h("tr", {}, COLUMNS.map((column) => h("th", { scope: "col" }, column)))), this.body));
    this.append(h("h1", {}, "Clusters"), h("div", { class: "bar" },
      h("div", { class: "grow" }, field("Search", this.search)), field("Phase", this.phase),
      mayOperate(this.who) && h("a", { href: "#/new", class: "button main" }, "New cluster")), this.count, this.table, this.pages);
    this.chosen = [];
    this.fleet.load().catch((problem) => this.count.replaceChildren(problemText(problem)));
  }

  disconnectedCallback() { this.fleet.close(); }

  again() {
    this.page = 0;
    this.changed([]);
  }

  turn(by) {
    this.page += by;
    this.show();
    this.table.scrollIntoView({ block: "start" });
  }

  changed(names) {
    const words = this.search.value.trim().toLowerCase();
    const wanted = (cluster) => (!words || cluster.name.includes(words) || cluster.orchestrator.includes(words)
      || cluster.infrastructure.includes(words)) && (!this.phase.value || cluster.phase === this.phase.value);
    this.chosen = [...this.fleet.clusters.values()].filter(wanted).sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const name of names) this.rows.delete(name);
    const of = this.fleet.clusters.size;
    this.count.replaceChildren(of === 0 ? "There is no cluster yet." : `${this.chosen.length} of ${of} clusters`);
    this.show();
  }

  // Rows of clusters that did not change stay the same elements.
  show() {
    const last = Math.max(0, Math.ceil(this.chosen.length / AT_ONCE) - 1);
    this.page = Math.min(this.page, last);
    this.pages.hidden = last === 0;
    this.back.disabled = this.page === 0;
    this.on.disabled = this.page === last;
    this.place.replaceChildren(`Page ${this.page + 1} of ${last + 1}`);
    const from = this.page * AT_ONCE;
    const shown = this.chosen.slice(from, from + AT_ONCE).map((cluster) => this.rowOf(cluster));
    const active = document.activeElement?.dataset?.key;
    shown.forEach((element, at) => {
      if (this.body.children[at] !== element) this.body.insertBefore(element, this.body.children[at] ?? null);
    });
    while (this.body.children.length > shown.length) this.body.lastElementChild.remove();
    if (active && document.activeElement === document.body) this.body.querySelector(`[data-key="${CSS.escape(active)}"]`)?.focus();
  }

  rowOf(cluster) {
    let made = this.rows.get(cluster.name);
    if (!made) {
      const tally = ({ ready, wanted }) => `${ready}/${wanted}`;
      made = row(COLUMNS, [
        h("a", { href: `#/clusters/${cluster.name}`, "data-key": cluster.name }, cluster.name), phase(cluster.phase),
        `${cluster.orchestrator} on ${cluster.infrastructure}`, tally(cluster.controlPlanes), tally(cluster.workers),
        String(cluster.services), cluster.cause ? `${cluster.cause.message} (${cluster.cause.code})` : ""]);
      this.rows.set(cluster.name, made);
    }
    return made;
  }
}

customElements.define("m-clusters", Clusters);
