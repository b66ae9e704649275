// Requests to the tab's own routes. Which run is meant stands in the page's address.

const here = new URL(location.href);
const base = new URL("./", here);
export const asked = {
  runId: here.searchParams.get("run_id") ?? "",
  taskId: here.searchParams.get("task_id") ?? "",
  mapIndex: here.searchParams.get("map_index") ?? "",
};

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function read(answer) {
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  throw new Refused(answer.status, typeof body.detail === "string" ? body.detail : `HTTP ${answer.status}`);
}

export async function get(name, parameters = {}) {
  const url = new URL(name, base);
  url.searchParams.set("run_id", asked.runId);
  for (const [key, value] of Object.entries(parameters)) url.searchParams.set(key, value);
  return read(await fetch(url, { headers: { Accept: "application/json" } }));
}

export async function post(name, body) {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  const order = JSON.stringify({ run_id: asked.runId, ...body });
  return read(await fetch(new URL(name, base), { method: "POST", headers, body: order }));
}
