// Calls the bridge. The session is in a cookie that no script can read; its CSRF token is in this module's memory only.

let csrf = null;
let whenLost = () => {};

export class Problem extends Error {
  constructor(problem) {
    super(problem.detail ?? problem.title ?? "the bridge did not answer as it should");
    Object.assign(this, { code: problem.code, remedy: problem.remedy, field: problem.field, details: problem.details ?? {},
      status: problem.status, requestId: problem.requestId });
  }
}

export function onSessionLost(act) { whenLost = act; }

async function send(method, path, body, headers = {}) {
  const options = { method, headers: { accept: "application/json", ...headers }, credentials: "same-origin" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["content-type"] = "application/json";
  }
  if (method !== "GET" && csrf) options.headers["x-csrf-token"] = csrf;
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Problem({ code: "unavailable", detail: "The bridge cannot be reached.", status: 0 });
  }
  if (response.ok) return response;
  const problem = new Problem(await response.json().catch(() => ({ status: response.status })));
  if (response.status === 401 && csrf) {
    csrf = null;
    whenLost();
  }
  throw problem;
}

export async function call(method, path, body, headers) {
  const response = await send(method, path, body, headers);
  return response.status === 204 ? null : response.json();
}

export const get = (path) => call("GET", path);

// A change, safe to send again: its key is made once for each time that somebody confirms.
export const change = (method, path, body) => call(method, path, body, { "idempotency-key": crypto.randomUUID() });

// All items of a list.
export async function all(path) {
  const items = [];
  const join = path.includes("?") ? "&" : "?";
  let next = null;
  do {
    const after = next === null ? "" : `&after=${encodeURIComponent(next)}`;
    const page = await get(`${path}${join}limit=1000${after}`);
    items.push(...page.items);
    next = page.next;
  } while (next !== null);
  return items;
}

// The number of the newest event.
export async function latestEvent() {
  const response = await send("GET", "/v1/events?since=latest&limit=1");
  return Number(response.headers.get("last-event-id") ?? 0);
}

function keep(session) {
  csrf = session.csrf;
  return { owner: session.owner, role: session.role };
}

export const session = {
  async find() {
    try {
      return keep(await get("/session"));
    } catch (problem) {
      if (problem.status === 401) return null;
      throw problem;
    }
  },
  async begin(token) { return keep(await call("POST", "/session", { token })); },
  async end() {
    await call("DELETE", "/session");
    csrf = null;
  },
};

export const mayOperate = (who) => who.role === "operator" || who.role === "admin";
