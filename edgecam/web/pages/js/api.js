// The board: requests, and the socket on which it tells its news. Nothing else talks to the network but the player.
import { store } from "./ui.js";

export const me = store(null); // who we are; null until asked
export const stats = store(null); // the board's figures, once a second
export const news = store(null); // the newest event
export const link = store({ up: true, since: 0, retry_s: 0 }); // whether the board answers
export const labels = store({}); // colour by label

export class ApiError extends Error { constructor(status, message) { super(message); this.status = status; } }

export async function api(path, { method = "GET", body, signal } = {}) {
  let answer;
  try {
    answer = await fetch(`/api/${path}`, { method, signal, headers: body === undefined ? {} : { "content-type": "application/json" }, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The board does not answer.");
  }
  const kind = answer.headers.get("content-type") || "";
  const found = kind.includes("json") ? await answer.json() : await answer.text();
  if (answer.ok) return found;
  if (answer.status === 401 && me.get()?.role) { me.set({ ...me.get(), role: null }); }
  throw new ApiError(answer.status, found?.error || `The board answered ${answer.status}.`);
}
export const get = (path, options) => api(path, options);
export const post = (path, body) => api(path, { method: "POST", body });
export const put = (path, body) => api(path, { method: "PUT", body });
export const del = (path) => api(path, { method: "DELETE" });

export const cameraRow = (of) => stats.get()?.cameras.find((c) => c.id === of || c.name === of); // of an id or a source
export const cameraName = (of) => cameraRow(of)?.title || of;
export const has = (feature) => Boolean(me.get()?.features?.includes(feature));
export async function whoAmI() {
  const found = await get("me");
  me.set(found);
  if (found.role) listen(); else socket?.close();
  return found;
}

// the monotonic clock of the board, as this browser sees it: the answer with the shortest way is the best guess
let offset_ms = null, best_ms = Infinity;
export function heardClock(sent_ms, board_ns, now_ms = performance.now()) {
  const way = now_ms - sent_ms;
  if (way < best_ms * 1.05 || way < 1) { offset_ms = board_ns / 1e6 - (sent_ms + way / 2); best_ms = Math.min(best_ms, way); }
  best_ms *= 1.002; // clocks drift; an old best guess must not be for ever
}
export const age = (captured_ns) => offset_ms === null ? null : performance.now() + offset_ms - captured_ns / 1e6;
export const socketUrl = (path) => `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/${path}`;

let socket = null, wait_s = 0.5, timer = 0;
function listen() {
  if (socket && socket.readyState <= 1) return;
  clearTimeout(timer);
  socket = new WebSocket(socketUrl("updates"));
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    wait_s = 0.5;
    if (!link.get().up) whoAmI().catch(() => {}); // it may have been restarted with another password
    link.set({ up: true, since: Date.now(), retry_s: 0 });
  };
  socket.onmessage = (message) => {
    const said = JSON.parse(typeof message.data === "string" ? message.data : new TextDecoder().decode(message.data));
    if (said.type === "stats") stats.set(said.stats);
    else if (said.type === "event") news.set(said.event);
  };
  socket.onclose = () => {
    if (!me.get()?.role) return;
    link.set({ up: false, since: link.get().up ? Date.now() : link.get().since, retry_s: wait_s });
    timer = setTimeout(() => { whoAmI().catch(() => listen()); }, wait_s * 1000);
    wait_s = Math.min(8, wait_s * 1.6);
  };
}
export async function loadLabels() { const found = await get("labels"); labels.set(Object.fromEntries(found.labels.map((l) => [l.name, l.colour]))); }
const spare = ["#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00"];
export function colourOf(label) { const known = labels.get()[label]; if (known) return known; let sum = 0; for (const c of label || "") sum += c.charCodeAt(0); return spare[sum % spare.length]; }
