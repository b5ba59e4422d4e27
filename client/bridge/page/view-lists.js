// Lists over all clusters: services, hosts, containers, operations; and the daemon's own state.

import { all, change, get, mayOperate } from "./api.js";
import { notice, problemText } from "./dialogs.js";
import { cause, field, h, phase, renew, table, time } from "./dom.js";
import { lookAfter } from "./live.js";

const SHOWN = 500;

// An operation with its progress; it can be cancelled while it runs.
export function operationCard(operation, who) {
  const cancel = async () => {
    try {
      const { phase: ended } = await change("POST", `/v1/operations/${operation.id}/cancel`);
      notice(ended === "cancelled" ? "The operation is cancelled; what was asked for before is restored."
        : `The operation had ended already: ${ended}.`);
    } catch (problem) { notice(problemText(problem)); }
  };
  const title = `${operation.kind} ${operation.cluster}${operation.services.length > 0 ? `: ${operation.services.join(", ")}` : ""}`;
  const isRunning = operation.phase === "running";
  return h("div", { class: "card", role: "group", "aria-label": title },
    h("div", { class: "bar" }, h("span", { class: "grow" }, phase(operation.phase, isRunning), ` ${title}${operation.message ? `: ${operation.message}` : ""}`),
      isRunning && mayOperate(who) && h("button", { type: "button", "data-key": operation.id, onclick: cancel }, "Cancel")),
    isRunning && h("progress", { max: Math.max(operation.stepsTotal, 1), value: operation.stepsDone,
      "aria-label": `${operation.stepsDone} of ${operation.stepsTotal} steps` }),
    h("div", { class: "soft" }, `${operation.stepsDone} of ${operation.stepsTotal} steps, asked for by ${operation.requestedBy.name} `, time(operation.createdAt)),
    cause(operation.cause));
}

// A list that looks again when something happens.
class List extends HTMLElement {
  connectedCallback() {
    this.search = h("input", { type: "search", name: "search", autocomplete: "off" });
    this.search.addEventListener("input", () => this.show());
    this.list = h("div", {});
    this.items = [];
    this.append(h("h1", {}, this.heading), h("div", { class: "bar" }, h("div", { class: "grow" }, field("Search", this.search))), this.list);
    this.stopLooking = lookAfter(() => true, () => this.look());
    this.look();
  }

  disconnectedCallback() { this.stopLooking(); }

  async look() {
    try {
      this.items = await this.read();
      this.show();
    } catch (problem) { this.list.replaceChildren(problemText(problem)); }
  }

  show() {
    const words = this.search.value.trim().toLowerCase();
    const found = this.items.filter((item) => !words || JSON.stringify(item).toLowerCase().includes(words));
    const shown = found.slice(0, SHOWN);
    renew(this.list, [shown, found.length], () => [
      found.length > shown.length && h("p", { class: "soft" }, `The first ${SHOWN} of ${found.length}; search for the others.`),
      this.make(shown)]);
  }
}

const clusterLink = (name) => h("a", { href: `#/clusters/${name}` }, name);

customElements.define("m-services", class extends List {
  heading = "Services";
  read = () => all("/v1/services");
  make = (items) => h("div", { class: "card" }, table("Services of all clusters",
    ["Name", "Cluster", "Phase", "Copies", "Image", "Cause"], items.map((service) => [
      h("a", { href: `#/clusters/${service.cluster}/services/${service.spec.name}` }, service.spec.name), clusterLink(service.cluster),
      phase(service.phase), `${service.ready}/${service.wanted}`, service.spec.image, service.cause?.message ?? ""])));
});

customElements.define("m-hosts", class extends List {
  heading = "Hosts";
  read = () => all("/v1/hosts");
  make = (items) => h("div", { class: "card" }, table("Machines of all clusters",
    ["Name", "Cluster", "Phase", "Role", "Address", "Containers", "Cause"], items.map((host) => [host.name, clusterLink(host.cluster),
      phase(host.phase), host.role, host.address ?? "–", String(host.containers), host.cause?.message ?? ""])));
});

customElements.define("m-containers", class extends List {
  heading = "Containers";
  read = () => all("/v1/containers");
  make = (items) => h("div", { class: "card" }, table("Running copies of all services",
    ["Name", "Cluster", "Service", "Phase", "Host", "Image"], items.map((one) => [one.name, clusterLink(one.cluster), one.service,
      phase(one.phase), one.machine ?? "–", one.image])));
});

customElements.define("m-operations", class extends List {
  heading = "Operations";
  read = async () => (await get("/v1/operations?limit=200")).items;
  make = (items) => (items.length === 0 ? h("p", { class: "soft" }, "None.") : items.map((operation) => operationCard(operation, this.who)));
});

class System extends HTMLElement {
  async connectedCallback() {
    this.append(h("h1", {}, "System"));
    try {
      const [version, findings, accounts] = await Promise.all([get("/v1/version"), get("/v1/doctor"), get("/v1/accounts")]);
      this.append(h("p", {}, `musterd ${version.daemon}, muster-bridge ${version.bridge}, installation ${version.instance}. `,
        h("a", { href: "/page/api.html" }, "The API")),
        h("section", { class: "card" }, h("h2", {}, "Doctor"), table("What Muster needs", ["Subject", "State", "Found"],
          findings.map((finding) => [finding.subject, phase(finding.ok ? "ready" : "failed"), h("span", {}, finding.message, cause(finding.cause))]))),
        h("section", { class: "card" }, h("h2", {}, "Accounts"), table("Accounts at infrastructures",
          ["Name", "Infrastructure", "Clusters", "Endpoint"], accounts.map((account) => [account.name, account.infrastructure,
            String(account.clusters), account.endpoint ?? "–"]))));
    } catch (problem) { this.append(problemText(problem)); }
  }
}

customElements.define("m-system", System);
