// What happens, as it happens: one stream of events for the whole page, and the fleet of clusters kept up to date by it.

import { all, get } from "./api.js";

const followers = new Set();
let source = null;

// Calls `act` with each event. Returns how to stop.
export function follow(act) {
  followers.add(act);
  return () => followers.delete(act);
}

export function start() {
  if (source) return;
  // The browser comes again by itself with the number of its last event.
  source = new EventSource("/v1/events?since=latest");
  source.addEventListener("event", (message) => tell(JSON.parse(message.data)));
  source.addEventListener("problem", restart);
  source.addEventListener("end", restart);
  source.addEventListener("error", () => { if (source?.readyState === EventSource.CLOSED) restart(); });
}

export function stop() {
  source?.close();
  source = null;
}

// The log was cut or the bridge refused: begin at its end, and look at everything anew.
function restart() {
  if (!source) return;
  stop();
  setTimeout(() => { start(); tell(null); }, 3000);
}

function tell(event) {
  for (const act of followers) act(event);
}

// Calls `look` soon after an event that `concerns` it: never twice at once, and what takes long is done seldom.
const SOON = 300;

export function lookAfter(concerns, look) {
  let timer = null;
  let pause = SOON;
  let looking = false;
  let again = false;
  const run = async () => {
    timer = null;
    if (looking) { again = true; return; }
    looking = true;
    const began = performance.now();
    try { await look(); } finally {
      looking = false;
      pause = Math.max(SOON, 5 * (performance.now() - began));
      if (again) { again = false; soon(); }
    }
  };
  const soon = () => { timer ??= setTimeout(run, pause); };
  const stopFollowing = follow((event) => { if (event === null || concerns(event)) soon(); });
  return () => { stopFollowing(); clearTimeout(timer); };
}

// Clusters that changed are asked for one by one. When more changed, the whole list is, but not all the time.
const MANY = 100;
const AT_ONCE = 6;
const WHOLE_EVERY = 5000;

export class Fleet {
  // `changed` is told the names of clusters that are not as they were.
  constructor(changed) {
    this.clusters = new Map();
    this.dirty = new Set();
    this.changed = changed;
    this.isAllDirty = false;
    this.read = 0;
  }

  async load() {
    // Before the list, so that nothing between is missed.
    this.stopFollowing ??= this.followClusters();
    this.read = Date.now();
    const before = this.clusters;
    const clusters = await all("/v1/orchestrators");
    this.clusters = new Map(clusters.map((cluster) => [cluster.name, cluster]));
    const isNew = (cluster) => JSON.stringify(before.get(cluster.name)) !== JSON.stringify(cluster);
    this.changed(clusters.filter(isNew).map(({ name }) => name));
  }

  followClusters() {
    const note = follow((event) => {
      if (event === null) this.isAllDirty = true;
      else if (event.cluster) this.dirty.add(event.cluster);
    });
    const look = lookAfter((event) => Boolean(event.cluster), () => this.refresh());
    return () => { note(); look(); };
  }

  async refresh() {
    if (this.isAllDirty || this.dirty.size > MANY) {
      await new Promise((resolve) => { setTimeout(resolve, this.read + WHOLE_EVERY - Date.now()); });
      this.dirty.clear();
      this.isAllDirty = false;
      return this.load();
    }
    const names = [...this.dirty];
    this.dirty.clear();
    const waiting = [...names];
    const worker = async () => { while (waiting.length > 0) await this.refreshOne(waiting.pop()); };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    this.changed(names);
  }

  async refreshOne(name) {
    try {
      const info = await get(`/v1/orchestrators/${encodeURIComponent(name)}?fields=summary`);
      this.clusters.set(name, info.summary);
    } catch (problem) {
      if (problem.status === 404) this.clusters.delete(name);
      else this.dirty.add(name);
    }
  }

  close() { this.stopFollowing?.(); }
}
