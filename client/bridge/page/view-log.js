// The event log: the last events, and new ones as they come.

import { get, latestEvent } from "./api.js";
import { problemText } from "./dialogs.js";
import { cause, h, row, time } from "./dom.js";
import { follow } from "./live.js";

const COLUMNS = ["Number", "When", "Kind", "Cluster", "What"];
const BEFORE = 200;
const MOST = 1000;

class Events extends HTMLElement {
  async connectedCallback() {
    this.body = h("tbody", {});
    this.last = 0;
    this.append(h("h1", {}, "Events"), h("div", { class: "card" }, h("table", { class: "stack" },
      h("caption", {}, "What happened, newest first"),
      h("thead", {}, h("tr", {}, COLUMNS.map((column) => h("th", { scope: "col" }, column)))), this.body)));
    const early = [];
    this.stopFollowing = follow((event) => { if (event) (this.isRead ? this.add(event) : early.push(event)); });
    try {
      const since = Math.max(0, (await latestEvent()) - BEFORE);
      const page = await this.read(since);
      page.items.forEach((event) => this.add(event));
      this.isRead = true;
      early.forEach((event) => this.add(event));
    } catch (problem) { this.append(problemText(problem)); }
  }

  disconnectedCallback() { this.stopFollowing(); }

  // Old events are no longer kept: from the first that is.
  async read(since) {
    try {
      return await get(`/v1/events?since=${since}&limit=${BEFORE}`);
    } catch (problem) {
      const first = Number(problem.details?.firstAvailable);
      if (!first) throw problem;
      return get(`/v1/events?since=${first - 1}&limit=${BEFORE}`);
    }
  }

  add(event) {
    if (event.number <= this.last) return;
    this.last = event.number;
    const cluster = event.cluster ? h("a", { href: `#/clusters/${event.cluster}` }, event.cluster) : "–";
    this.body.prepend(row(COLUMNS, [String(event.number), time(event.at), event.kind, cluster,
      h("span", {}, event.message, cause(event.cause))]));
    while (this.body.children.length > MOST) this.body.lastElementChild.remove();
  }
}

customElements.define("m-events", Events);
