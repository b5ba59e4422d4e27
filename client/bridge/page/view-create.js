// Forms for a new cluster and a new service; what will be done is shown before it is confirmed.

import { change, get } from "./api.js";
import { confirm, notice, problemText, steps } from "./dialogs.js";
import { field, h, select } from "./dom.js";

const NAME = { pattern: "[a-z]([a-z0-9\\-]*[a-z0-9])?", maxlength: 40, required: true, autocomplete: "off" };
const NAME_ABOUT = "Lower-case letters, digits and inner hyphens; it starts with a letter.";

// `a=b` lines as an object.
function pairs(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return Object.fromEntries(lines.map((line) => {
    const at = line.indexOf("=");
    return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
  }));
}

// Only what was filled in.
function given(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && !Number.isNaN(value)));
}

class NewCluster extends HTMLElement {
  async connectedCallback() {
    const input = (name, properties = {}) => h("input", { name, autocomplete: "off", ...properties });
    const fields = {
      name: input("name", NAME),
      orchestrator: select("orchestrator", ["kubernetes", "swarm", "mesos", "sim"], "swarm"),
      infrastructure: select("infrastructure", ["local", "hosts", "ec2", "cloudit-vm", "cloudit-baremetal", "sim"], "local"),
      account: h("select", { name: "account" }, h("option", { value: "" }, "the infrastructure's default")),
      controlPlanes: input("controlPlanes", { type: "number", min: 1, max: 7, step: 2, value: 1 }),
      workers: input("workers", { type: "number", min: 0, max: 500, value: 1 }),
      version: input("version"), cpu: input("cpu"), memory: input("memory"), disk: input("disk"), image: input("image"),
      labels: h("textarea", { name: "labels", rows: 3 }), options: h("textarea", { name: "options", rows: 3 }),
    };
    this.trouble = h("div", {});
    const form = h("form", { class: "card" },
      h("div", { class: "fields" }, field("Name", fields.name, NAME_ABOUT), field("Orchestrator", fields.orchestrator),
        field("Infrastructure", fields.infrastructure), field("Account", fields.account),
        field("Control planes", fields.controlPlanes, "Odd, at most 7."), field("Workers", fields.workers)),
      h("details", {}, h("summary", {}, "Machines, version and labels"), h("div", { class: "fields" },
        field("Version", fields.version, "Of the orchestrator."), field("Processor", fields.cpu, "Such as 2 or 500m."),
        field("Memory", fields.memory, "Such as 2Gi."), field("Disk", fields.disk, "Such as 20Gi."),
        field("Machine image", fields.image), field("Labels", fields.labels, "One NAME=VALUE a line."),
        field("Options", fields.options, "Of the orchestrator and the infrastructure; one NAME=VALUE a line."))),
      this.trouble, h("button", { type: "submit", class: "main" }, "Show the plan"));
    form.addEventListener("submit", (event) => { event.preventDefault(); this.plan(fields); });
    this.append(h("h1", {}, "New cluster"), form);
    fields.name.focus();
    const accounts = await get("/v1/accounts").catch(() => []);
    fields.account.append(...accounts.map(({ name, infrastructure }) => h("option", { value: name }, `${name} (${infrastructure})`)));
  }

  async plan(fields) {
    const value = (name) => fields[name].value.trim();
    const machine = given({ cpu: value("cpu"), memory: value("memory"), disk: value("disk"), image: value("image") });
    const spec = { ...given({ name: value("name"), orchestrator: value("orchestrator"), infrastructure: value("infrastructure"),
      account: value("account"), version: value("version"), controlPlanes: fields.controlPlanes.valueAsNumber,
      workers: fields.workers.valueAsNumber }), machine, labels: pairs(fields.labels.value),
      options: pairs(fields.options.value) };
    this.trouble.replaceChildren();
    try {
      const plan = await change("POST", "/v1/orchestrators?dryRun=true", spec);
      const content = h("div", {}, h("p", {}, `${plan.steps.length} steps will be done:`), steps(plan));
      const done = await confirm({ title: `Create ${spec.name}`, content, action: "Create",
        act: () => change("POST", "/v1/orchestrators", spec) });
      if (done) location.hash = `#/clusters/${spec.name}`;
    } catch (problem) { this.trouble.replaceChildren(problemText(problem)); }
  }
}

// The input for a parameter of a template.
function parameterInput(parameter) {
  const common = { name: parameter.name, required: parameter.required, autocomplete: "off" };
  if (parameter.oneOf.length > 0) return select(parameter.name, parameter.oneOf, parameter.default);
  if (parameter.kind === "boolean") return select(parameter.name, ["true", "false"], parameter.default ?? "false");
  if (parameter.kind === "integer") {
    return h("input", { ...common, type: "number", min: parameter.minimum, max: parameter.maximum, value: parameter.default });
  }
  if (parameter.kind === "secret") return h("input", { ...common, type: "password", autocomplete: "new-password" });
  return h("input", { ...common, value: parameter.default });
}

function parameterAbout(parameter) {
  const made = parameter.kind === "secret" && !parameter.required ? " Made up at random if left empty." : "";
  const unit = { bytes: " Such as 512Mi.", cpu: " Such as 500m." }[parameter.kind] ?? "";
  return `${parameter.description}${unit}${made}`;
}

class NewService extends HTMLElement {
  async connectedCallback() {
    this.path = `/v1/orchestrators/${this.cluster}/services`;
    this.form = h("div", {});
    this.append(h("h1", {}, `New service on ${this.cluster}`), this.form);
    try {
      const { templates } = await get("/v1/catalog/templates");
      const source = select("source", [["", "spelt out here"], ...templates.map(({ name, title }) => [name, `${name}: ${title}`])],
        this.query.get("template") ?? "");
      const show = () => {
        const template = templates.find(({ name }) => name === source.value);
        this.body.replaceChildren(template ? this.ofTemplate(template) : this.speltOut());
      };
      this.body = h("div", {});
      source.addEventListener("change", show);
      this.form.append(field("From", source), this.body);
      show();
    } catch (problem) { this.form.append(problemText(problem)); }
  }

  formOf(fields, make) {
    const trouble = h("div", {});
    const form = h("form", { class: "card" }, fields, trouble, h("button", { type: "submit", class: "main" }, "Show what will be made"));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const { title, lines, body } = make();
      const content = h("ul", {}, lines.map((line) => h("li", {}, line)));
      const done = await confirm({ title, content, action: "Create", act: () => change("POST", this.path, body) });
      if (done) {
        notice("The service is being deployed.");
        location.hash = `#/clusters/${this.cluster}`;
      }
    });
    return form;
  }

  ofTemplate(template) {
    const name = h("input", { ...NAME, name: "name", value: template.name });
    const inputs = template.parameters.map((parameter) => [parameter, parameterInput(parameter)]);
    const fields = [h("p", {}, template.description), h("div", { class: "fields" }, field("Name", name, NAME_ABOUT),
      inputs.map(([parameter, input]) => field(parameter.name, input, parameterAbout(parameter))))];
    return this.formOf(fields, () => {
      const values = Object.fromEntries(inputs.filter(([, input]) => input.value !== "").map(([{ name: key }, input]) => [key, input.value]));
      const lines = Object.entries(template.services).map(([suffix, image]) =>
        `service ${suffix ? `${name.value}-${suffix}` : name.value} from image ${image}`);
      return { title: `Create ${name.value} from ${template.name}`, lines,
        body: { template: { template: template.name, name: name.value, values } } };
    });
  }

  speltOut() {
    const name = h("input", { ...NAME, name: "name" });
    const image = h("input", { name: "image", required: true, autocomplete: "off" });
    const replicas = h("input", { name: "replicas", type: "number", min: 0, value: 1 });
    const mode = select("mode", ["replicated", "global", "job"], "replicated");
    const ports = h("input", { name: "ports", autocomplete: "off" });
    const env = h("textarea", { name: "env", rows: 3 });
    const fields = h("div", { class: "fields" }, field("Name", name, NAME_ABOUT), field("Image", image), field("Mode", mode),
      field("Copies", replicas), field("Ports", ports, "Numbers in the container, with commas; published on every host."),
      field("Environment", env, "One NAME=VALUE a line. Not for secrets."));
    return this.formOf(fields, () => {
      const numbers = ports.value.split(",").map((text) => Number(text.trim())).filter((port) => port > 0);
      const spec = { name: name.value, image: image.value, mode: mode.value, replicas: replicas.valueAsNumber,
        ports: numbers.map((port) => ({ port, exposure: "ingress" })), env: pairs(env.value) };
      const lines = [`service ${spec.name} from image ${spec.image}`, `${spec.mode}, ${spec.replicas} copies`,
        ...numbers.map((port) => `port ${port}, published on every host`)];
      return { title: `Create ${spec.name}`, lines, body: { spec } };
    });
  }
}

customElements.define("m-new-cluster", NewCluster);
customElements.define("m-new-service", NewService);

