// One node: its state, who is asked, error, inputs, outputs, log and earlier tries.

import { actionBar } from "./actions.js";
import { get } from "./api.js";
import { el, say } from "./dom.js";
import { badge, kindName } from "./table.js";
import { duration, moment, t } from "./texts.js";

// What is longer may have to be scrolled, by keyboard too.
const LONG_VALUE = 400;

export function valueTable(rows, caption) {
  return el("table", { class: "values" }, el("caption", { class: "unseen" }, caption),
    ...rows.map((row) => el("tr", {},
      el("th", { scope: "row" }, row.name || row.key, row.name && row.name !== row.key ? el("span", { class: "kind" }, row.key) : null),
      el("td", {}, el("div", { class: "value", tabindex: row.value.length > LONG_VALUE ? 0 : null }, row.value)))));
}

// Airflow's frame lets no link open a window of its own, so the address is there to be copied.
export function addressOf(url) {
  const field = el("input", { type: "text", readonly: true, value: url, "aria-label": t("address"), onfocus: (event) => event.target.select() });
  const copied = el("span", { role: "status" });
  const copy = async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(url);
    } catch {
      document.execCommand("copy");
    }
    copied.textContent = t("copied");
  };
  return [el("span", {}, t("address")), field, el("button", { type: "button", class: "small", onclick: copy }, t("copy")), copied];
}

function block(title, ...content) {
  return el("section", {}, el("h3", {}, title), ...content);
}

function factsOf(row) {
  return [
    row.name ? kindName(row) : "",
    row.start && t("began_at", { time: moment(row.start) }),
    row.end && t("ended_at", { time: moment(row.end) }),
    row.start && t("took_time", { time: duration(row.seconds) }),
    row.retries ? t("retries", { count: row.retries }) : "",
    row.rounds > 1 ? t("round", { count: row.rounds }) : "",
  ].filter(Boolean).join(" · ");
}

export class NodePanel {
  constructor({ mayAct, changed, open }) {
    Object.assign(this, { mayAct, changed, open });
    this.element = el("section", { class: "panel", "aria-labelledby": "node-name", hidden: true });
    this.shown = "";
  }

  hide() {
    this.element.hidden = true;
    this.shown = "";
  }

  // Reads the node again only where something about it has changed.
  async show(row, target, { again = false } = {}) {
    const state = [row.id, row.look, row.state, row.retries, row.rounds, target.task_id, target.map_index].join("\n");
    if (!again && this.shown === state) {
      say(this.facts, factsOf(row));
      return;
    }
    const isOther = !this.shown.startsWith(`${row.id}\n`);
    this.shown = state;
    this.element.hidden = false;
    const head = this.#head(row, target);
    const body = el("div", { class: "loading" }, t("loading"));
    if (isOther) this.element.replaceChildren(...head, body);
    let found;
    try {
      found = await get("node", { ...target, node_id: row.id });
    } catch (error) {
      found = { problem: error.status ? error.message : t("airflow_away") };
    }
    if (this.shown !== state) return;
    const actions = this.mayAct() && row.actions?.length
      ? actionBar(row.actions, { ...target, node_id: row.id }, { inputs: found.input_values ?? null, name: row.name || kindName(row), done: this.changed })
      : null;
    this.element.replaceChildren(...head, ...(actions ? [actions] : []), ...this.#body(row, found));
  }

  // A node of a native flow: what there is to know of it is in the SOPS task of its piece.
  showNative(row) {
    const state = [row.id, row.look, row.state].join("\n");
    if (this.shown === state) {
      say(this.facts, factsOf(row));
      return;
    }
    this.shown = state;
    this.element.hidden = false;
    const open = row.task && el("button", { type: "button", onclick: () => this.open(row.task) }, t("open_task"));
    this.element.replaceChildren(...this.#head(row, null), open || el("p", {}, t(row.look ? "no_task_of_node" : "no_data")));
  }

  #head(row, target) {
    this.facts = el("p", { class: "facts" }, factsOf(row));
    const again = target && row.look === "RUNNING"
      ? el("button", { type: "button", class: "small", onclick: () => this.show(row, target, { again: true }) }, t("ask_again"))
      : null;
    return [
      el("h2", { id: "node-name" }, row.name || kindName(row), " ", badge(row.look, row.state), " ", again),
      this.facts,
      row.asked && el("div", { class: "needs" },
        el("p", {}, row.asked.who ? t("waits_for", { who: row.asked.who }) : t("waits_for_person")),
        row.asked.what && el("p", { class: "what" }, row.asked.what)),
    ].filter(Boolean);
  }

  #body(row, found) {
    const parts = [];
    if (found.problem) parts.push(el("p", { class: "problem", role: "alert" }, t("sops_away"), " ", found.problem));
    const error = row.error || found.error;
    if (error) parts.push(block(t("error"), el("pre", { class: "error", tabindex: 0 }, error)));
    if (found.inner) parts.push(this.#inner(found.inner));
    if (found.log) parts.push(block(t("log"), el("pre", { tabindex: 0 }, found.log)));
    if (found.outputs?.length) parts.push(block(t("outputs"), valueTable(found.outputs, t("outputs"))));
    if (found.inputs?.length) parts.push(block(t("inputs"), valueTable(found.inputs, t("inputs"))));
    if (found.tries?.length) parts.push(this.#tries(found.tries));
    if (!parts.length && !row.asked) parts.push(el("p", { class: "quiet" }, t(row.look && row.look !== "NOT_TAKEN" ? "no_data" : "not_reached_yet")));
    parts.push(el("p", { class: "kind" }, `${t("id")} ${row.id}`));
    return parts;
  }

  // What an independent subprocess runs as.
  #inner(inner) {
    return block(t("inner_task"),
      el("p", {}, t("sops_task", { id: inner.sops_task_id }), " ", inner.state && badge(inner.look, inner.state)),
      inner.url && el("p", { class: "address" }, ...addressOf(inner.url)));
  }

  #tries(tries) {
    return block(t("earlier_tries"), ...tries.map((each) => el("details", {},
      el("summary", {}, [moment(each.start), each.error.split("\n")[0]].filter(Boolean).join(" · ")),
      each.error && el("pre", { class: "error", tabindex: 0 }, each.error),
      each.inputs.length ? valueTable(each.inputs, t("inputs")) : null)));
  }
}
