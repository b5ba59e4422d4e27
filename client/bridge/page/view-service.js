// One service: its state, its containers, and its output as it comes.

import { all, change, get, mayOperate } from "./api.js";
import { confirm, problemText } from "./dialogs.js";
import { cause, facts, field, h, phase, renew, table, time } from "./dom.js";
import { lookAfter } from "./live.js";

const MOST_LINES = 2000;

class Service extends HTMLElement {
  connectedCallback() {
    this.path = `/v1/orchestrators/${this.cluster}/services/${this.service}`;
    this.head = h("div", {});
    this.containers = h("div", {});
    this.lines = h("pre", { class: "logs", tabindex: "0", role: "log", "aria-label": `Output of ${this.service}` });
    this.follows = h("button", { type: "button", "aria-pressed": "false", onclick: () => this.toggle() }, "Follow");
    this.append(h("h1", {}, h("a", { href: `#/clusters/${this.cluster}` }, this.cluster), ` / ${this.service}`), this.head,
      this.containers, h("section", { class: "card" }, h("div", { class: "bar" }, h("h2", {}, "Output"), this.follows), this.lines));
    this.stopLooking = lookAfter((event) => event.cluster === this.cluster, () => this.look());
    this.look();
    this.toggle();
  }

  disconnectedCallback() {
    this.stopLooking();
    this.source?.close();
  }

  async look() {
    try {
      const query = `cluster=${encodeURIComponent(this.cluster)}&service=${encodeURIComponent(this.service)}`;
      const [info, containers] = await Promise.all([get(this.path), all(`/v1/containers?${query}`)]);
      renew(this.head, info, () => this.headOf(info));
      renew(this.containers, containers, () => h("section", { class: "card" }, h("h2", {}, "Containers"), table("Running copies",
        ["Name", "Phase", "Healthy", "Host", "Since", "Message"], containers.map((one) => [one.name, phase(one.phase),
          one.healthy === null ? "–" : one.healthy ? "yes" : "no", one.machine ?? "–", time(one.since), one.message ?? ""]))));
    } catch (problem) {
      this.head.madeOf = null;
      this.head.replaceChildren(problem.status === 404 ? h("p", {}, "There is no such service (any more).") : problemText(problem));
    }
  }

  headOf(info) {
    const { spec } = info;
    const buttons = mayOperate(this.who) && h("div", { class: "bar" },
      spec.mode === "replicated" && h("button", { type: "button", "data-key": "scale", onclick: () => this.scale(spec.replicas) }, "Scale"),
      h("button", { type: "button", class: "danger", "data-key": "delete", onclick: () => this.remove(info) }, "Delete"));
    return [buttons, h("section", { class: "card", "aria-label": "State" }, cause(info.cause), facts([
      ["Phase", phase(info.phase)], ["Copies", `${info.ready} of ${info.wanted} ready`], ["Image", spec.image],
      ["Mode", spec.mode], ["Template", info.template], ["Generation", String(info.generation)],
      ["Reached at", info.endpoints.map((at) => `${at.address}:${at.published} → ${at.port}/${at.protocol}`).join(", ")],
      ["Environment", Object.entries(spec.env).map(([name, value]) => `${name}=${value}`).join(", ")],
      ["Changed", time(info.updatedAt)]]))];
  }

  // The browser comes again by itself with the id of the last line.
  toggle() {
    if (this.source) {
      this.source.close();
      this.source = null;
    } else {
      this.lines.replaceChildren();
      this.source = new EventSource(`${this.path}/logs?follow=true&tail=200`);
      this.source.addEventListener("log", (message) => this.line(JSON.parse(message.data)));
      for (const over of ["problem", "end"]) this.source.addEventListener(over, () => this.source && this.toggle());
    }
    this.follows.setAttribute("aria-pressed", String(Boolean(this.source)));
    this.follows.replaceChildren(this.source ? "Stop following" : "Follow");
  }

  line(line) {
    const isAtEnd = this.lines.scrollTop + this.lines.clientHeight >= this.lines.scrollHeight - 20;
    this.lines.append(`${line.name} ${line.text}\n`);
    while (this.lines.childNodes.length > MOST_LINES) this.lines.firstChild.remove();
    if (isAtEnd) this.lines.scrollTop = this.lines.scrollHeight;
  }

  async scale(replicas) {
    const input = h("input", { type: "number", name: "replicas", min: 0, value: replicas });
    await confirm({ title: `Scale ${this.service}`, content: field("Copies", input), action: "Scale",
      act: () => change("POST", `${this.path}/scale`, { replicas: input.valueAsNumber }) });
    this.look();
  }

  async remove(info) {
    const content = h("p", {}, `Its ${info.wanted} copies go. Volumes that it used stay on their hosts.`);
    const done = await confirm({ title: `Delete ${this.service}`, content, action: "Delete", danger: true,
      mustType: this.service, act: () => change("DELETE", this.path) });
    if (done) location.hash = `#/clusters/${this.cluster}`;
  }
}

customElements.define("m-service", Service);
