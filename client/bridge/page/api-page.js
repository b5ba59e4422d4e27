// The API, made readable from its own description.

import { h, table } from "./dom.js";

const main = document.getElementById("main");
const response = await fetch("/v1/openapi.json");
const api = await response.json();

function resolve(schema) {
  const at = schema?.$ref?.split("/").slice(1);
  return at ? at.reduce((value, key) => value?.[key], api) : schema;
}

// A schema in a few words; a named one leads to its table.
function words(schema) {
  if (!schema) return "";
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return h("a", { href: `#schema-${name}` }, name);
  }
  const some = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (some) return h("span", {}, some.flatMap((one, at) => [at > 0 ? " or " : "", words(one)]));
  if (schema.enum) return schema.enum.map((word) => JSON.stringify(word)).join(", ");
  const type = [schema.type].flat().filter(Boolean).join(" or ") || "anything";
  if (schema.items && schema.items !== false) return h("span", {}, "list of ", words(schema.items));
  if (schema.additionalProperties && typeof schema.additionalProperties === "object") return h("span", {}, "map to ", words(schema.additionalProperties));
  return schema.format ? `${type} (${schema.format})` : type;
}

function bodies(content) {
  return Object.entries(content ?? {}).map(([media, { schema }]) => h("div", {}, words(schema), ` as ${media}`));
}

function operation(method, path, it) {
  const parameters = (it.parameters ?? []).map((parameter) => [parameter.name, parameter.in, words(parameter.schema), parameter.description ?? ""]);
  const answers = Object.entries(it.responses).filter(([status]) => Number(status) < 400)
    .map(([status, answer]) => [status, h("span", {}, bodies(answer.content)), answer.description]);
  return h("details", { class: "card", id: it.operationId },
    h("summary", {}, h("b", {}, `${method.toUpperCase()} ${path}`), ` ${it.operationId}`),
    h("p", {}, it.description ?? it.summary ?? ""), table("Parameters", ["Name", "In", "Value", "Meaning"], parameters, "No parameters."),
    it.requestBody && h("div", {}, h("h2", {}, "Body"), bodies(it.requestBody.content)),
    table("Answers", ["Status", "Body", "Meaning"], answers));
}

function schema(name, it) {
  const required = it.required ?? [];
  const rows = Object.entries(it.properties ?? {}).map(([key, value]) => [`${key}${required.includes(key) ? "" : " (optional)"}`,
    words(value), value.description ?? resolve(value)?.description ?? ""]);
  return h("section", { class: "card", id: `schema-${name}` }, h("h2", {}, name), h("p", {}, it.description ?? ""),
    rows.length > 0 ? table("Keys", ["Key", "Value", "Meaning"], rows) : words(it));
}

const METHODS = ["get", "post", "put", "delete"];
main.append(h("h1", {}, `${api.info.title} ${api.info.version}`), h("p", {}, api.info.description));
for (const tag of api.tags) {
  main.append(h("h2", {}, tag.name), h("p", { class: "soft" }, tag.description));
  for (const [path, item] of Object.entries(api.paths)) {
    const found = METHODS.filter((method) => item[method]?.tags?.includes(tag.name));
    main.append(...found.map((method) => operation(method, path, item[method])));
  }
}
main.append(h("h2", {}, "Schemas"), ...Object.entries(api.components.schemas).map(([name, it]) => schema(name, it)));
