// The nodes as a table. Rows stay the same elements, so that focus and selection outlive a refresh.

import { el, say } from "./dom.js";
import { duration, moment, stateName, t } from "./texts.js";

export function badge(look, word) {
  return el("span", { class: `badge is-${look || "none"}` }, look ? stateName(look) : word || t("not_reached"));
}

// SOPS's word for what a node is: a plugin's code stays as it is.
export function kindName(row) {
  return row.kind === row.type || row.kind === "SubProcess" ? t(`kind.${row.kind}`) : row.kind;
}

function remarks(row) {
  const found = [];
  if (row.retries) found.push(t("retries", { count: row.retries }));
  if (row.rounds > 1) found.push(t("round", { count: row.rounds }));
  if (row.ignored) found.push(t("error_ignored"));
  if (row.asked?.who) found.push(t("asks", { who: row.asked.who }));
  return found.join(", ");
}

export class NodeTable {
  constructor(choose) {
    this.choose = choose;
    this.rows = new Map();
    this.body = el("tbody");
    const head = ["node", "state", "began", "ended", "took", "remarks"].map((key) => el("th", { scope: "col" }, t(key)));
    this.element = el("table", { class: "nodes" }, el("caption", { class: "unseen" }, t("nodes")), el("thead", {}, el("tr", {}, ...head)), this.body);
  }

  update(nodes, chosen) {
    const seen = new Set();
    nodes.forEach((node, position) => {
      seen.add(node.id);
      const row = this.rows.get(node.id) ?? this.#add(node);
      if (this.body.children[position] !== row.element) this.body.insertBefore(row.element, this.body.children[position] ?? null);
      row.element.className = `${node.name ? "" : "quiet"} ${node.id === chosen ? "chosen" : ""}`;
      row.button.setAttribute("aria-pressed", String(node.id === chosen));
      say(row.button, node.name || kindName(node));
      if (row.look !== node.look || row.state !== node.state) {
        [row.look, row.state] = [node.look, node.state];
        row.badge.replaceChildren(badge(node.look, node.state));
      }
      say(row.began, moment(node.start));
      say(row.ended, moment(node.end));
      say(row.took, node.look ? duration(node.seconds) : "");
      say(row.remarks, remarks(node));
      say(row.error, node.error ?? "");
    });
    for (const [id, row] of this.rows) {
      if (!seen.has(id)) {
        row.element.remove();
        this.rows.delete(id);
      }
    }
  }

  #add(node) {
    const button = el("button", { type: "button", class: "link", onclick: () => this.choose(node.id) });
    const kind = node.name ? el("span", { class: "kind" }, kindName(node)) : null;
    const cell = (name) => el("td", { "data-label": t(name), class: name });
    const [badgeCell, began, ended, took, other] = ["state", "began", "ended", "took", "remarks"].map(cell);
    const note = el("span"), error = el("span", { class: "error" });
    other.append(note, error);
    const name = el("th", { scope: "row" }, button, kind);
    name.classList.add(`depth-${Math.min(node.path.length, 6)}`);
    const row = { element: el("tr", {}, name, badgeCell, began, ended, took, other), button, badge: badgeCell, began, ended, took, remarks: note, error };
    this.rows.set(node.id, row);
    return row;
  }
}
