// The catalog: what each template makes and takes.

import { all, get, mayOperate } from "./api.js";
import { problemText } from "./dialogs.js";
import { field, h, select, table } from "./dom.js";

class Catalog extends HTMLElement {
  async connectedCallback() {
    this.append(h("h1", {}, "Catalog"));
    try {
      const [{ templates, broken }, clusters] = await Promise.all([get("/v1/catalog/templates"), all("/v1/orchestrators?fields=name")]);
      this.append(h("div", { class: "grid" }, templates.map((template) => this.card(template, clusters))));
      if (broken.length > 0) {
        this.append(h("section", { class: "card" }, h("h2", {}, "Files that cannot be used"),
          table("Broken templates", ["File", "What is wrong"], broken.map(({ file, message }) => [file, message]))));
      }
    } catch (problem) { this.append(problemText(problem)); }
  }

  card(template, clusters) {
    const images = Object.values(template.services);
    const parameters = template.parameters.map((parameter) => h("li", {}, h("b", {}, parameter.name),
      ` (${parameter.kind}${parameter.required ? ", needed" : parameter.default ? `, else ${parameter.default}` : ""}) ${parameter.description}`));
    const cluster = select("cluster", clusters.map(({ name }) => name), clusters[0]?.name);
    const use = () => { location.hash = `#/clusters/${cluster.value}/new-service?template=${template.name}`; };
    return h("section", { class: "card", "aria-label": template.name }, h("h2", {}, template.title),
      h("p", { class: "soft" }, `${template.name} ${template.version}, ${template.origin}`), h("p", {}, template.description),
      h("p", {}, `Images: ${images.join(", ")}`), h("details", {}, h("summary", {}, `${parameters.length} parameters`), h("ul", {}, parameters)),
      mayOperate(this.who) && clusters.length > 0 && h("div", { class: "bar" }, field(`Cluster for ${template.name}`, cluster),
        h("button", { type: "button", onclick: use }, "Use")));
  }
}

customElements.define("m-catalog", Catalog);
