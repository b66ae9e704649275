// The flow as a picture: figures and lines are placed by the server, states come and go.

import { svg } from "./dom.js";
import { stateName, t } from "./texts.js";

const MARGIN = 24;
const NAME_WIDTH = 17, LABEL_WIDTH = 22;
const EVENTS = ["EmptyStartEvent", "EmptyEndEvent"];
const ACTIVITIES = ["ServiceActivity", "SubProcess"];
const SIGNS = {
  EmptyStartEvent: "M-5 -7 L7 0 L-5 7 Z",
  EmptyEndEvent: "M-6 -6 H6 V6 H-6 Z",
  ExclusiveGateway: "M-5 -5 L5 5 M-5 5 L5 -5",
  ParallelGateway: "M0 -7 V7 M-7 0 H7",
  ConditionalParallelGateway: "M0 -7 V7 M-7 0 H7 M-5 -5 L5 5 M-5 5 L5 -5",
  ConvergeGateway: "M-6 -5 L0 0 L-6 5 M0 0 H7",
  SubProcess: "M-6 -6 H6 V6 H-6 Z M0 -3 V3 M-3 0 H3",
};
// Each state has a sign too, for whoever does not see colours.
const BARS = "M-2.5 -4.5 V4.5 M2.5 -4.5 V4.5", DASH = "M-5 0 H5";
const MARKS = {
  FINISHED: "M-5 0 L-1.5 4 L5 -4",
  SKIPPED: "M-5 -4 L-1 0 L-5 4 M1 -4 L5 0 L1 4",
  FAILED: "M-4 -4 L4 4 M-4 4 L4 -4",
  RUNNING: "M-3 -5 L5 0 L-3 5 Z",
  READY: "M-3 -5 L5 0 L-3 5 Z",
  WAITING: BARS,
  SUSPENDED: BARS,
  NODE_SUSPENDED: BARS,
  REVOKED: DASH,
  EXPIRED: DASH,
  NOT_TAKEN: DASH,
};

// Cuts a text to a width in letters, of which a wide one counts as two.
export function shortened(text, width) {
  const line = text.slice(0, 500).replace(/\s+/g, " ").trim();
  let used = 0, cut = "";
  for (const letter of line) {
    used += letter.codePointAt(0) >= 0x1100 ? 2 : 1;
    if (used > width) return `${[...cut].slice(0, -1).join("")}…`;
    cut += letter;
  }
  return cut;
}

export class Flow {
  // `choose` is called with the id of a figure that somebody clicks.
  constructor(choose) {
    this.choose = choose;
    this.figures = new Map();
    this.svg = svg("svg", { class: "flow", role: "group" });
  }

  draw(level) {
    const boxes = level.figures.map((figure) => figure.box);
    const xs = level.lines.flatMap((line) => line.points.map(([x]) => x));
    const ys = level.lines.flatMap((line) => line.points.map(([, y]) => y));
    for (const [x, y, width, height] of boxes) {
      xs.push(x - width / 2, x + width / 2);
      ys.push(y - height / 2 - 6, y + height / 2 + 16);
    }
    const least = (values) => values.reduce((one, other) => Math.min(one, other), Infinity);
    const most = (values) => values.reduce((one, other) => Math.max(one, other), -Infinity);
    const [left, top] = [least(xs) - MARGIN, least(ys) - MARGIN];
    const [width, height] = [most(xs) + MARGIN - left, most(ys) + MARGIN - top];
    this.width = width;
    for (const [name, value] of Object.entries({ width, height, viewBox: `${left} ${top} ${width} ${height}` })) {
      this.svg.setAttribute(name, value);
    }
    this.svg.setAttribute("aria-label", level.name ? t("flow_of", { name: level.name }) : t("flow"));
    this.figures = new Map(level.figures.map((figure) => [figure.id, this.#figure(figure)]));
    const head = svg("marker", { id: "head", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" },
      svg("path", { class: "head", d: "M0 0 L8 4 L0 8 Z" }));
    this.svg.replaceChildren(
      svg("defs", {}, head),
      ...level.lines.map((line) => svg("polyline", { class: "line", "marker-end": "url(#head)", points: line.points.map((point) => point.join(",")).join(" ") })),
      ...level.lines.filter((line) => line.label).map((line) => this.#label(line)),
      ...[...this.figures.values()].map((each) => each.group),
    );
  }

  // `rows` by the id of the node; a figure without one is drawn plain.
  update(rows, chosen) {
    for (const [id, drawn] of this.figures) {
      const look = rows.get(id)?.look ?? "";
      const title = [drawn.figure.name || drawn.figure.detail || drawn.figure.shape, look && stateName(look)].filter(Boolean).join(", ");
      drawn.group.setAttribute("class", `node is-${look || "none"}${drawn.figure.optional ? " optional" : ""}${id === chosen ? " chosen" : ""}`);
      drawn.group.setAttribute("aria-label", title);
      drawn.group.setAttribute("aria-pressed", String(id === chosen));
      drawn.title.textContent = title;
      drawn.mark.setAttribute("d", MARKS[look] ?? "");
    }
  }

  #figure(figure) {
    const [x, y, width, height] = figure.box;
    const isActivity = ACTIVITIES.includes(figure.shape);
    const title = svg("title", {});
    const mark = svg("path", {
      class: "mark",
      transform: isActivity ? `translate(${width / 2 - 13} ${12 - height / 2})` : `translate(${width / 2 + 2} ${-height / 2 - 2})`,
    });
    const choose = () => this.choose(figure.id);
    const press = (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose();
    };
    const group = svg("g", { transform: `translate(${x} ${y})`, role: "button", tabindex: 0, onclick: choose, onkeydown: press },
      title, ...this.#shape(figure, width, height, isActivity), mark);
    return { figure, group, title, mark };
  }

  #shape(figure, width, height, isActivity) {
    const left = -width / 2, top = -height / 2;
    if (EVENTS.includes(figure.shape)) {
      return [svg("circle", { class: "shape", r: width / 2 }), svg("path", { class: "sign", d: SIGNS[figure.shape] })];
    }
    if (!isActivity) {
      const name = figure.name && svg("text", { class: "label", "text-anchor": "middle", y: height / 2 + 14 }, shortened(figure.name, LABEL_WIDTH));
      return [
        svg("path", { class: "shape", d: `M0 ${top} L${width / 2} 0 L0 ${height / 2} L${left} 0 Z` }),
        svg("path", { class: "sign", d: SIGNS[figure.shape] ?? "" }),
        name,
      ];
    }
    const isSubprocess = figure.shape === "SubProcess";
    return [
      isSubprocess && svg("rect", { class: "shape", x: left - 4, y: top - 4, width: width + 8, height: height + 8, rx: 9 }),
      svg("rect", { class: "shape", x: left, y: top, width, height, rx: 6 }),
      svg("text", { x: left + 10, y: -2 }, shortened(figure.name, NAME_WIDTH)),
      svg("text", { class: "kind", x: left + 10, y: 15 }, shortened(figure.detail, NAME_WIDTH + 4)),
      isSubprocess && svg("path", { class: "sign", transform: `translate(${width / 2 - 14} ${height / 2 - 13})`, d: SIGNS.SubProcess }),
    ].filter(Boolean);
  }

  #label(line) {
    const [x, y] = line.points.at(-1), before = line.points.at(-2);
    const isLevel = before[1] === y;
    return svg("text", {
      class: "label",
      "text-anchor": isLevel ? "end" : "start",
      x: isLevel ? x - 10 : x + 6,
      y: isLevel ? y - 6 : (y + before[1]) / 2,
    }, svg("title", {}, line.words || line.label), shortened(line.label, LABEL_WIDTH));
  }
}
