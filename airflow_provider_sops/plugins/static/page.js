// The tab: a list of SOPS tasks, one task, or the whole flow of a native run. It refreshes itself while something runs.

import { actionBar } from "./actions.js";
import { asked, get, Refused } from "./api.js";
import { el, say } from "./dom.js";
import { addressOf, NodePanel, valueTable } from "./node.js";
import { Picture } from "./picture.js";
import { badge, kindName } from "./table.js";
import { duration, loadTexts, moment, stateName, t, zone } from "./texts.js";
import { followTheme } from "./theme.js";

const LIVE_MILLISECONDS = 3000, RESTING_MILLISECONDS = 6000, SLOW_MILLISECONDS = 10000;
const UNDER_WAY = ["running", "queued"];
const main = document.getElementById("main");
const announcer = document.getElementById("announcer");

let view = null;
let timer = 0;
let isDue = true;

function announce(text) {
  announcer.textContent = text;
}

function message(title, ...texts) {
  return el("div", { class: "message" }, el("h1", {}, title), ...texts.map((text) => el("p", {}, text)));
}

// Only a page that somebody sees asks for anything.
async function refresh() {
  clearTimeout(timer);
  if (document.hidden) {
    isDue = true;
    return;
  }
  isDue = false;
  const current = view;
  let pause = SLOW_MILLISECONDS;
  try {
    pause = await current.refresh();
    say(notice, "");
  } catch (error) {
    if (error instanceof Refused && error.status < 500) {
      main.replaceChildren(message(t(error.status === 401 ? "logged_out" : "not_shown"), error.status === 401 ? "" : error.message));
      pause = error.status === 404 ? SLOW_MILLISECONDS : 0;
      if (pause) view = new List();
    } else say(notice, t("airflow_away"));
  }
  main.setAttribute("aria-busy", "false");
  if (current === view || pause) timer = pause ? setTimeout(refresh, pause) : 0;
}

const notice = el("p", { class: "problem notice", role: "status" });

function show(next) {
  view = next;
  refresh();
}

class Task {
  constructor(target, back) {
    this.target = { task_id: target.task_id, map_index: target.map_index };
    this.mayAct = false;
    this.heading = el("h1", {});
    this.state = el("span");
    this.facts = el("p", { class: "facts" });
    this.address = el("p", { class: "address" });
    this.needs = el("div", { class: "list-of-needs" });
    this.problem = el("p", { class: "problem", role: "status" });
    this.actions = el("div");
    this.panel = new NodePanel({ mayAct: () => this.mayAct, changed: () => setTimeout(refresh, 400) });
    this.picture = new Picture(this.panel, (row) => this.panel.show(row, this.target));
    this.values = el("div", { class: "columns" });
    this.element = el("div", { class: "task" },
      back && el("p", {}, el("button", { type: "button", class: "link", onclick: back }, `← ${t("back")}`)),
      el("header", {}, this.heading, this.facts, this.address, this.problem, this.needs, this.actions),
      this.picture.element,
      el("div", { class: "beside" }, el("section", { class: "table" }, el("h2", {}, t("nodes")), this.picture.table.element), this.panel.element),
      this.values);
    this.isShown = false;
  }

  async refresh() {
    const found = await get("task", { ...this.target, drawing: this.picture.drawing?.id ?? "" });
    if (view !== this) return 0;
    if (!this.isShown) main.replaceChildren(notice, this.element);
    say(this.problem, found.problem ? `${t("sops_away")} ${found.problem}` : "");
    if (!found.nodes) {
      say(this.heading, t("task_of", { task: this.target.task_id }));
      this.isShown = true;
      return RESTING_MILLISECONDS;
    }
    this.mayAct = found.may_act;
    if (found.drawing) this.picture.take(found.drawing);
    this.#tell(found);
    this.picture.update(found.nodes);
    this.#head(found);
    this.isShown = true;
    this.picture.follow(found.node_id);
    const chosen = found.nodes.find((row) => row.id === this.picture.chosen);
    if (chosen) this.panel.show(chosen, this.target);
    if (!found.goes_on && !found.problem) return 0;
    return found.rests || found.problem ? RESTING_MILLISECONDS : LIVE_MILLISECONDS;
  }

  #head(found) {
    this.heading.replaceChildren(found.name || t("task_of", { task: this.target.task_id }), " ", badge(found.look, found.state));
    say(this.facts, [
      this.target.map_index >= 0 ? `${this.target.task_id} [${this.target.map_index}]` : "",
      t("sops_task", { id: found.sops_task_id }),
      found.start && t("began_at", { time: moment(found.start) }),
      found.end && t("ended_at", { time: moment(found.end) }),
      found.start && t("took_time", { time: duration(found.seconds) }),
      t("times_in", { zone }),
    ].filter(Boolean).join(" · "));
    this.heading.title = found.full_name ?? "";
    if (this.url !== found.url) {
      this.url = found.url;
      this.address.replaceChildren(...(found.url ? addressOf(found.url) : []));
    }
    const needs = found.nodes.filter((row) => row.look === "WAITING" || (row.look === "FAILED" && row.type !== "SubProcess"));
    const lines = needs.map((row) => [row, row.look === "FAILED" ? t("node_failed", { name: row.name || kindName(row), error: firstLine(row.error) })
      : t(row.asked?.who ? "node_waits_for" : "node_waits", { name: row.name || kindName(row), who: row.asked?.who })]);
    const text = JSON.stringify([lines.map(([row, line]) => [row.id, line]), found.still_working]);
    if (this.needed !== text) {
      this.needed = text;
      this.needs.replaceChildren(
        ...lines.map(([row, line]) => el("p", { class: `needs is-${row.look}` }, el("button", { type: "button", class: "link", onclick: () => this.picture.choose(row.id, true) }, line))),
        ...(found.still_working.length ? [el("p", { class: "needs" }, t("still_working", { names: found.still_working.join(", ") }))] : []));
    }
    const actions = found.may_act ? found.actions : [];
    if (this.offered !== actions.join()) {
      this.offered = actions.join();
      this.actions.replaceChildren(...(actions.length ? [actionBar(actions, this.target, { name: found.name, done: () => setTimeout(refresh, 400) })] : []));
    }
    const values = JSON.stringify([found.constants, found.outputs]);
    if (this.told !== values) {
      this.told = values;
      this.values.replaceChildren(
        ...(found.outputs.length ? [el("section", {}, el("h2", {}, t("outputs")), valueTable(found.outputs, t("outputs")))] : []),
        ...(found.constants.length ? [el("section", {}, el("h2", {}, t("constants")), valueTable(found.constants, t("constants")))] : []));
    }
  }

  // What has changed, for whoever does not see it.
  #tell(found) {
    const before = this.looks ?? new Map();
    const said = [];
    if (this.look && this.look !== found.look) said.push(t("task_is", { state: stateName(found.look) }));
    for (const row of found.nodes) {
      if (this.looks && before.get(row.id) !== row.look && ["FAILED", "WAITING"].includes(row.look)) {
        said.push(t("node_is", { name: row.name || kindName(row), state: stateName(row.look) }));
      }
    }
    this.look = found.look;
    this.looks = new Map(found.nodes.map((row) => [row.id, row.look]));
    if (said.length) announce(said.join(" "));
  }
}

function firstLine(text) {
  const line = (text ?? "").trim().split("\n").at(-1) ?? "";
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

class Native {
  constructor(target, back) {
    this.target = { task_id: target.task_id, map_index: target.map_index };
    this.heading = el("h1");
    this.problem = el("p", { class: "problem", role: "status" });
    this.panel = new NodePanel({ mayAct: () => false, open: (task) => show(new Task(task, () => show(new Native(target, back)))) });
    this.picture = new Picture(this.panel, (row) => this.panel.showNative(row));
    this.element = el("div", { class: "task" },
      back && el("p", {}, el("button", { type: "button", class: "link", onclick: back }, `← ${t("back")}`)),
      el("header", {}, this.heading, el("p", { class: "facts" }, t("native_about")), this.problem),
      this.picture.element,
      el("div", { class: "beside" }, el("section", { class: "table" }, el("h2", {}, t("nodes")), this.picture.table.element), this.panel.element));
  }

  async refresh() {
    const found = await get("native", { ...this.target, drawing: this.picture.drawing?.id ?? "" });
    if (view !== this) return 0;
    if (!this.isShown) main.replaceChildren(notice, this.element);
    this.isShown = true;
    say(this.problem, [found.problem && `${t("sops_away")} ${found.problem}`, found.matches === false && t("native_changed")].filter(Boolean).join(" "));
    if (!found.nodes) {
      say(this.heading, t("whole_flow"));
      return RESTING_MILLISECONDS;
    }
    if (found.drawing) this.picture.take(found.drawing);
    this.heading.replaceChildren(t("whole_flow"), " ", badge(found.look, found.state));
    this.picture.update(found.nodes);
    this.picture.follow("");
    const chosen = found.nodes.find((row) => row.id === this.picture.chosen);
    if (chosen) this.panel.showNative(chosen);
    return found.goes_on ? LIVE_MILLISECONDS : 0;
  }
}

class List {
  async refresh() {
    const place = asked.taskId ? { task_id: asked.taskId, map_index: asked.mapIndex } : {};
    const found = await get("tasks", place);
    if (view !== this) return 0;
    const isUnderWay = UNDER_WAY.includes(found.run_state);
    const all = [...found.native.map((each) => ({ ...each, isNative: true })), ...found.tasks];
    const isOneFlow = found.native.length === 1 && found.tasks.every((each) => each.in_native);
    if ((all.length === 1 || isOneFlow) && !this.isReturned) {
      // A run may get more of them.
      const back = asked.taskId ? null : this.#back();
      show(all[0].isNative ? new Native(all[0], back) : new Task(all[0], back));
      return 0;
    }
    if (!all.length) {
      this.#empty(found, isUnderWay);
      return isUnderWay ? SLOW_MILLISECONDS / 2 : 0;
    }
    this.#list(all);
    const states = await get("states");
    if (view !== this) return 0;
    this.#states(states);
    if (states.problem) return SLOW_MILLISECONDS;
    return states.goes_on ? LIVE_MILLISECONDS : isUnderWay ? SLOW_MILLISECONDS / 2 : 0;
  }

  #empty(found, isUnderWay) {
    if (found.expected && isUnderWay) main.replaceChildren(notice, message(t("not_begun"), t("not_begun_about")));
    else main.replaceChildren(notice, message(t(asked.taskId ? "nothing_of_task" : "nothing"), t("nothing_about")));
  }

  #back() {
    return () => show(Object.assign(new List(), { isReturned: true }));
  }

  #list(all) {
    const text = JSON.stringify(all);
    if (this.text === text) return;
    this.text = text;
    this.cells = new Map();
    this.shown = new Map();
    this.problem = el("p", { class: "problem", role: "status" });
    const back = this.#back();
    const rows = all.map((each) => {
      const name = each.map_index >= 0 ? `${each.task_id} [${each.map_index}]` : each.task_id;
      const open = () => show(each.isNative ? new Native(each, back) : new Task(each, back));
      const state = el("td", { "data-label": t("sops_state") });
      if (each.key) this.cells.set(each.key, state);
      return el("tr", {},
        el("th", { scope: "row" }, el("button", { type: "button", class: "link", onclick: open }, each.isNative ? t("whole_flow_of", { name }) : name)),
        el("td", { "data-label": t("sops_task_id") }, each.sops_task_id ?? ""),
        state,
        el("td", { "data-label": t("airflow_state") }, each.state ? el("span", { class: `badge airflow-${each.state}` }, each.state) : ""));
    });
    const body = el("tbody", {}, ...rows);
    main.replaceChildren(notice, el("h1", {}, t("several")), this.problem, el("table", { class: "nodes list" },
      el("thead", {}, el("tr", {}, ...["airflow_task", "sops_task_id", "sops_state", "airflow_state"].map((key) => el("th", { scope: "col" }, t(key))))), body));
  }

  // SOPS's own states, in the cells that are there: a list that is drawn again would lose the focus.
  #states(found) {
    say(this.problem, found.problem ? `${t("sops_away")} ${found.problem}` : "");
    for (const [key, cell] of this.cells) {
      const state = found.states[key];
      if (!state || this.shown.get(key) === state.look) continue;
      if (this.shown.has(key) && ["FAILED", "WAITING"].includes(state.look)) announce(t("task_is", { state: stateName(state.look) }));
      this.shown.set(key, state.look);
      cell.replaceChildren(badge(state.look, state.state));
    }
  }
}

followTheme();
await loadTexts();
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && (isDue || timer)) refresh();
});
show(new List());
