// One cluster: how it is, what is being done, what it has, and what can be done with it.

import { all, change, get, mayOperate } from "./api.js";
import { confirm, notice, problemText, steps } from "./dialogs.js";
import { cause, facts, field, h, phase, renew, table, time } from "./dom.js";
import { lookAfter } from "./live.js";
import { operationCard } from "./view-lists.js";

class Cluster extends HTMLElement {
  connectedCallback() {
    this.path = `/v1/orchestrators/${this.cluster}`;
    const part = () => h("div", {});
    Object.assign(this, { head: part(), work: part(), services: part(), hosts: part(), containers: part() });
    this.append(h("h1", {}, this.cluster), this.head, this.work, this.services, this.hosts, this.containers);
    this.stopLooking = lookAfter((event) => event.cluster === this.cluster, () => this.look());
    this.look();
  }

  disconnectedCallback() { this.stopLooking(); }

  async look() {
    try {
      const name = encodeURIComponent(this.cluster);
      const [info, services, hosts, containers] = await Promise.all([get(this.path), all(`${this.path}/services`),
        all(`/v1/hosts?cluster=${name}`), all(`/v1/containers?cluster=${name}`)]);
      const operations = await Promise.all(info.operations.map((id) => get(`/v1/operations/${id}`)));
      this.show(info, services, hosts, containers, operations);
    } catch (problem) {
      const isGone = problem.status === 404;
      this.head.madeOf = null;
      for (const part of [this.work, this.services, this.hosts, this.containers]) part.replaceChildren();
      this.head.replaceChildren(isGone ? h("p", {}, "There is no such cluster (any more). ",
        h("a", { href: "#/clusters" }, "To the clusters")) : problemText(problem));
    }
  }

  show(info, services, hosts, containers, operations) {
    renew(this.head, [info, services.length], () => this.headOf(info, services, hosts));
    renew(this.work, [info.steps, operations], () => this.workOf(info, operations));
    renew(this.services, services, () => this.servicesOf(services));
    renew(this.hosts, hosts, () => h("section", { class: "card" }, h("h2", {}, "Hosts"), table("Machines of the cluster",
      ["Name", "Phase", "Role", "Address", "Containers", "Cause"], hosts.map((host) => [host.name, phase(host.phase), host.role,
        host.address ?? "–", String(host.containers), host.cause?.message ?? ""]))));
    renew(this.containers, containers, () => h("section", { class: "card" }, h("h2", {}, "Containers"), table("Running copies",
      ["Name", "Phase", "Service", "Host", "Image"], containers.map((one) => [one.name, phase(one.phase), one.service,
        one.machine ?? "–", one.image]))));
  }

  headOf(info, services, hosts) {
    const { summary, spec } = info;
    const kind = `${summary.orchestrator}${info.version ? ` ${info.version}` : ""} on ${summary.infrastructure}`;
    const tally = ({ ready, wanted }) => `${ready} of ${wanted} ready`;
    const buttons = mayOperate(this.who) && h("div", { class: "bar" },
      h("a", { class: "button main", href: `#/clusters/${this.cluster}/new-service` }, "New service"),
      h("button", { type: "button", "data-key": "scale", onclick: () => this.scale(spec) }, "Scale"),
      info.causes.length > 0 && h("button", { type: "button", "data-key": "retry", onclick: () => this.retry() }, "Try again now"),
      h("button", { type: "button", class: "danger", "data-key": "delete", onclick: () => this.remove(services, hosts) }, "Delete"));
    return [buttons, h("section", { class: "card", "aria-label": "State" }, info.causes.map(cause), facts([
      ["Phase", h("span", {}, phase(summary.phase), " since ", time(info.phaseSince))], ["Kind", kind],
      ["Control plane", tally(summary.controlPlanes)], ["Workers", tally(summary.workers)],
      ["Endpoints", info.endpoints.join(", ")], ["Account", spec.account], ["Created", time(summary.createdAt)],
      ["Last seen", time(info.observedAt)],
      ["Labels", Object.entries(spec.labels).map(([name, value]) => `${name}=${value}`).join(", ")]]),
      info.leftovers.length > 0 && h("div", {}, h("h2", {}, "May be left"), h("ul", {}, info.leftovers.map((left) =>
        h("li", {}, `${left.key} ${left.providerId ?? ""}`, cause(left.cause))))))];
  }

  workOf(info, operations) {
    if (info.steps.length === 0 && operations.length === 0) return h("div", {});
    const columns = ["Step", "State", "Tried", "Waits for"];
    const rows = info.steps.map((step) => [step.name, phase(step.status, step.status === "running"), String(step.attempts),
      h("span", {}, step.waitsFor ?? step.after.join(", "), cause(step.cause))]);
    return h("section", { class: "card" }, h("h2", {}, "What is being done"),
      operations.map((operation) => operationCard(operation, this.who)),
      table("The plan, as it is performed", columns, rows, "No step is left."));
  }

  servicesOf(services) {
    return h("section", { class: "card" }, h("h2", {}, "Services"), table("Services of the cluster",
      ["Name", "Phase", "Copies", "Image", "Reached at", "Cause"], services.map((service) => [
        h("a", { href: `#/clusters/${this.cluster}/services/${service.spec.name}`, "data-key": `service-${service.spec.name}` },
          service.spec.name), phase(service.phase), `${service.ready}/${service.wanted}`, service.spec.image,
        service.endpoints.map((at) => `${at.address}:${at.published}`).join(", "), service.cause?.message ?? ""])));
  }

  async scale(spec) {
    const number = (name, value) => h("input", { type: "number", name, min: name === "workers" ? 0 : 1, max: name === "workers" ? 500 : 7, value });
    const planes = number("controlPlanes", spec.controlPlanes);
    const workers = number("workers", spec.workers);
    const wanted = await confirm({ title: `Scale ${this.cluster}`, action: "Show the plan",
      content: h("div", { class: "fields" }, field("Control planes", planes, "Odd."), field("Workers", workers)),
      act: async () => {
        const body = { controlPlanes: planes.valueAsNumber, workers: workers.valueAsNumber };
        return { body, plan: await change("POST", `${this.path}/scale?dryRun=true`, body) };
      } });
    if (!wanted) return;
    await confirm({ title: `Scale ${this.cluster}`, content: h("div", {}, h("p", {}, "This will be done:"), steps(wanted.plan)),
      action: "Scale", act: () => change("POST", `${this.path}/scale`, wanted.body) });
    this.look();
  }

  async retry() {
    try {
      await change("POST", `${this.path}/retry`);
      notice("What failed is tried again now.");
    } catch (problem) { notice(problemText(problem)); }
  }

  async remove(services, hosts) {
    try {
      const plan = await change("DELETE", `${this.path}?dryRun=true`);
      const content = h("div", {}, h("p", {}, `${services.length} services, ${hosts.length} hosts and all that is on them go for good:`),
        h("ul", {}, services.map((service) => h("li", {}, `service ${service.spec.name}`))), steps(plan));
      const done = await confirm({ title: `Delete ${this.cluster}`, content, action: "Delete", danger: true,
        mustType: this.cluster, act: () => change("DELETE", this.path) });
      if (done) this.look();
    } catch (problem) { notice(problemText(problem)); }
  }
}

customElements.define("m-cluster", Cluster);
