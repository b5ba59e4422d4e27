// Questions before something changes: what will be done, and whether it should.

import { h } from "./dom.js";

export function problemText(problem) {
  return h("div", { class: "error", role: "alert" },
    problem.field ? `${problem.field}: ` : "", problem.message, problem.remedy ? ` – ${problem.remedy}` : "");
}

export function steps(plan) {
  if (plan.steps.length === 0) return h("p", { class: "soft" }, "Nothing is left to be done.");
  return h("ol", { class: "steps" }, plan.steps.map((step) => h("li", {}, step.name)));
}

// Asks; resolves to what `act` made, or null if it was closed. `mustType` has to be written before it can be confirmed.
export function confirm({ title, content, action, danger = false, mustType = null, act }) {
  return new Promise((resolve) => {
    const trouble = h("div", {});
    const typed = mustType && h("input", { name: "typed", autocomplete: "off", "aria-label": `Write ${mustType} to confirm` });
    const yes = h("button", { type: "submit", class: danger ? "danger" : "main" }, action);
    const no = h("button", { type: "button", onclick: () => dialog.close() }, "Back");
    const form = h("form", { method: "dialog" },
      h("h2", { id: "dialog-title" }, title), content,
      mustType && h("p", {}, `Write ${mustType} to confirm: `, typed), trouble, h("div", { class: "bar" }, no, yes));
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
    let result = null;
    if (typed) {
      yes.disabled = true;
      typed.addEventListener("input", () => { yes.disabled = typed.value !== mustType; });
    }
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      yes.disabled = true;
      try {
        result = await act();
        dialog.close();
      } catch (problem) {
        trouble.replaceChildren(problemText(problem));
        yes.disabled = false;
      }
    });
    dialog.addEventListener("close", () => { dialog.remove(); resolve(result); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export function notice(...content) {
  document.getElementById("notice").replaceChildren(...content);
}
