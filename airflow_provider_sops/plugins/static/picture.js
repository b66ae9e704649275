// The levels of a flow, the chosen node, the picture and the table: what a SOPS task and a native flow have in common.

import { el } from "./dom.js";
import { Flow } from "./flow.js";
import { NodeTable } from "./table.js";
import { t } from "./texts.js";

const URGENT = ["FAILED", "WAITING", "SUSPENDED"];

export class Picture {
  constructor(panel, onChoose) {
    this.panel = panel;
    this.onChoose = onChoose;
    this.path = [];
    this.chosen = "";
    this.flow = new Flow((id) => this.choose(id));
    this.table = new NodeTable((id) => this.choose(id, true));
    this.way = el("nav", { class: "way", "aria-label": t("levels") });
    this.fit = el("input", { type: "checkbox", onchange: () => this.#scale() });
    this.canvas = el("div", { class: "canvas" }, this.flow.svg);
    this.element = el("section", { class: "picture" },
      el("div", { class: "bar" }, this.way, el("label", {}, this.fit, t("fit"))), this.canvas);
  }

  take(drawing) {
    this.drawing = drawing;
    if (!this.#level()) this.path = [];
    this.#draw();
  }

  update(rows) {
    this.rows = rows;
    this.byId = new Map(rows.map((row) => [row.id, row]));
    this.flow.update(this.byId, this.chosen);
    this.table.update(rows, this.chosen);
  }

  choose(id, isFromTable = false) {
    const row = this.byId.get(id);
    if (!row) return;
    const again = this.chosen === id;
    this.chosen = id;
    this.isOwnChoice = true;
    const inside = [...row.path, id];
    // A second click on a subprocess opens what is inside.
    const path = again && !isFromTable && this.#level(inside) ? inside : row.path;
    if (path.join() !== this.path.join()) {
      this.path = path;
      this.#draw();
    }
    this.update(this.rows);
    this.onChoose(row);
    if (!isFromTable && matchMedia("(max-width: 60rem)").matches) this.panel.element.scrollIntoView({ block: "nearest" });
    if (isFromTable) this.panel.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  open(path) {
    this.path = path;
    this.#draw();
    this.update(this.rows);
  }

  // Unless somebody has chosen: the node at which something is the matter.
  follow(id) {
    if (this.isOwnChoice || URGENT.includes(this.byId.get(this.chosen)?.look)) return;
    const urgent = this.chosen ? URGENT : [...URGENT, "RUNNING"];
    const leaves = this.rows.filter((row) => row.type !== "SubProcess" || !this.#level([...row.path, row.id]));
    this.isOwnChoice = this.byId.has(id);
    const found = this.byId.get(id) ?? urgent.map((look) => leaves.find((row) => row.look === look)).find(Boolean);
    if (!found) return;
    this.chosen = found.id;
    this.path = this.#level(found.path) ? found.path : [];
    this.#draw();
    this.update(this.rows);
    this.onChoose(found);
    this.#showChosen();
  }

  #level(path = this.path) {
    return this.drawing?.levels.find((level) => level.path.join() === path.join());
  }

  #draw() {
    const level = this.#level();
    if (!level) return;
    this.flow.draw(level);
    const steps = this.path.map((id, depth) => this.path.slice(0, depth + 1));
    this.way.replaceChildren(...(steps.length ? [[], ...steps] : []).map((path) => {
      const name = path.length ? this.#level(path)?.name || path.at(-1) : t("whole_flow");
      return el("button", { type: "button", class: "link", "aria-current": path.length === this.path.length, onclick: () => this.open(path) }, name);
    }));
    const inside = this.drawing.levels.filter((other) => other.path.length === this.path.length + 1 && other.path.slice(0, -1).join() === this.path.join());
    if (inside.length) {
      this.way.append(...inside.map((other) => el("button", { type: "button", class: "link inside", onclick: () => this.open(other.path) }, `${t("inside")} ${other.name || other.path.at(-1)}`)));
    }
    this.fit.checked = this.canvas.clientWidth > 0 && this.flow.width > this.canvas.clientWidth && this.flow.width < 1.5 * this.canvas.clientWidth;
    this.#scale();
  }

  #scale() {
    this.canvas.classList.toggle("fit", this.fit.checked);
  }

  #showChosen() {
    const drawn = this.flow.figures.get(this.chosen);
    if (!drawn) return;
    const inner = drawn.group.getBoundingClientRect(), outer = this.canvas.getBoundingClientRect();
    this.canvas.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
    this.canvas.scrollTop += inner.top + inner.height / 2 - outer.top - outer.height / 2;
  }
}
