// What somebody may do in SOPS, each with a confirmation.

import { post, Refused } from "./api.js";
import { el } from "./dom.js";
import { t } from "./texts.js";

const ANSWERS = ["answer", "continue"];
const DANGEROUS = ["revoke", "skip"];

// Returns a bar of buttons. `target` names the task instance and perhaps the node; `done` is called when SOPS was asked.
export function actionBar(actions, target, { inputs = null, name = "", done }) {
  const bar = el("div", { class: "actions" });
  const buttons = el("div", { class: "buttons" });
  const place = el("div");
  for (const action of actions) {
    const choices = action === "answer" ? [["approve", true], ["reject", false]] : [[action, null]];
    for (const [word, approve] of choices) {
      const isDangerous = DANGEROUS.includes(action) || word === "reject";
      const ask = (event) => place.replaceChildren(confirmation({ action, word, approve, target, inputs, name, done, opener: event.currentTarget, place }));
      buttons.append(el("button", { type: "button", class: isDangerous ? "danger" : "", onclick: ask }, t(`do.${word}`)));
    }
  }
  bar.append(buttons, place);
  return bar;
}

function confirmation({ action, word, approve, target, inputs, name, done, opener, place }) {
  const close = () => {
    place.replaceChildren();
    opener.focus();
  };
  const told = el("p", { class: "problem", role: "alert" });
  const typed = action === "retry" && inputs !== null
    ? el("textarea", { rows: 8, spellcheck: "false", "aria-label": t("inputs_of_next_try") })
    : null;
  const offered = JSON.stringify(inputs ?? {}, null, 2);
  if (typed) typed.value = offered;
  const confirm = el("button", { type: "button", class: DANGEROUS.includes(action) ? "danger solid" : "solid" }, t(`do.${word}`));
  const cancel = el("button", { type: "button", onclick: close }, t("cancel"));
  confirm.addEventListener("click", async () => {
    const order = { ...target, action };
    if (approve !== null) order.approve = approve;
    if (typed && typed.value.trim() !== offered.trim()) {
      try {
        order.inputs = JSON.parse(typed.value);
        if (order.inputs === null || typeof order.inputs !== "object" || Array.isArray(order.inputs)) throw new SyntaxError();
      } catch {
        told.textContent = t("not_json");
        return;
      }
    }
    confirm.disabled = true;
    told.textContent = "";
    try {
      const answer = await post(ANSWERS.includes(action) ? "answer" : "act", order);
      if (answer.refusal) told.textContent = t("refused", { why: answer.refusal });
      else place.replaceChildren(el("p", { class: "done", role: "status" }, t("done", { what: t(`do.${word}`) })));
      done();
    } catch (error) {
      told.textContent = error instanceof Refused ? t("refused", { why: error.message }) : t("airflow_away");
    }
    confirm.disabled = false;
  });
  const box = el("div", { class: "confirmation", role: "group", "aria-label": t("confirm") },
    el("p", {}, t(`ask.${word}`, { name })),
    typed && el("label", {}, t("inputs_of_next_try"), typed),
    told,
    el("div", { class: "buttons" }, confirm, cancel));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  // Two presses of Enter shall not be enough for what cannot be undone.
  queueMicrotask(() => (typed ?? (DANGEROUS.includes(action) ? cancel : confirm)).focus());
  return box;
}
