// Small shared things: icons, words for numbers, dialogs, toasts.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.mjs";

const PATHS = {
  live: "M4 8.5A2.5 2.5 0 0 1 6.5 6h7A2.5 2.5 0 0 1 16 8.5v7a2.5 2.5 0 0 1-2.5 2.5h-7A2.5 2.5 0 0 1 4 15.5zM16 11l4-2.5v7L16 13",
  events: "M12 7v5l3 2M20.5 12a8.5 8.5 0 1 1-2.6-6.1M20.5 3.5V7H17",
  zones: "M5 8l7-4 7 5-2 9-9 1zM5 8h.01M12 4h.01M19 9h.01M17 18h.01M8 19h.01",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.8v4.4M9 14.8v4.4",
  system: "M8 8h8v8H8zM5.5 5.5h13v13h-13zM9.5 2.5v3M14.5 2.5v3M9.5 18.5v3M14.5 18.5v3M2.5 9.5h3M2.5 14.5h3M18.5 9.5h3M18.5 14.5h3",
  shot: "M4 8.5h3.2L9 6h6l1.8 2.5H20V18H4zM12 10a3.2 3.2 0 1 0 .01 0",
  record: "M12 4a8 8 0 1 0 .01 0M12 9a3 3 0 1 0 .01 0", pause: "M9 6v12M15 6v12", play: "M8 5.5v13l10.5-6.5z",
  boxes: "M4 8V6a2 2 0 0 1 2-2h2M16 4h2a2 2 0 0 1 2 2v2M20 16v2a2 2 0 0 1-2 2h-2M8 20H6a2 2 0 0 1-2-2v-2M9 9h6v6H9z",
  pip: "M4 6h16v12H4zM12 11.5h6V16h-6z", full: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5", close: "M6 6l12 12M18 6L6 18",
  download: "M12 4v11M7.5 11L12 15.5 16.5 11M5 19.5h14", protect: "M12 3.5l7 2.5v5.5c0 4.4-2.9 7.4-7 9-4.1-1.6-7-4.6-7-9V6z",
  trash: "M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7M10.3 11v5M13.7 11v5", share: "M12 15V4M8 7.5L12 3.5l4 4M6 12v7.5h12V12",
  undo: "M8 5L4 9l4 4M4.5 9H14a5.5 5.5 0 0 1 0 11h-3", plus: "M12 5v14M5 12h14", back: "M14.5 5.5L8 12l6.5 6.5", next: "M9.5 5.5L16 12l-6.5 6.5",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z", sun: "M12 8a4 4 0 1 0 .01 0M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  heat: "M12 14.2V5.5a2 2 0 1 1 4 0v8.7a4.2 4.2 0 1 1-4 0z", phone: "M8 3.5h8A1.5 1.5 0 0 1 17.5 5v14a1.5 1.5 0 0 1-1.5 1.5H8A1.5 1.5 0 0 1 6.5 19V5A1.5 1.5 0 0 1 8 3.5zM11 17.5h2",
  warn: "M12 4.5l8.5 15h-17zM12 10v4.5M12 17h.01", check: "M5 12.5l4.5 4.5L19 7.5", line: "M5 19L19 5M5 19h.01M19 5h.01", search: "M11 4.5a6.5 6.5 0 1 0 .01 0M15.8 15.8L20 20", more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
};

export const Icon = ({ name, small }) => html`<svg class=${small ? "icon s" : "icon"} viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;

export const Button = ({ icon, label, kind = "", only, pressed, ...rest }) => html`
  <button type="button" class=${`btn ${kind} ${only ? "icon-only" : ""}`} aria-label=${only ? label : undefined} title=${only ? label : undefined}
    aria-pressed=${pressed === undefined ? undefined : String(pressed)} ...${rest}>${icon && html`<${Icon} name=${icon} small />`}${only ? null : label}</button>`;

// -- words

const two = (n) => String(n).padStart(2, "0");
export const whatOf = (e) => title(e.label || (["camera", "board"].includes(e.kind) && `${e.kind} ${e.state || ""}`) || e.state || e.kind);
export const iconOf = (e) => ({ board: "heat", camera: "live", clip: "record" }[e.kind] || "events");
export const clock = (s, seconds = true) => { const d = new Date(s * 1000); return `${two(d.getHours())}:${two(d.getMinutes())}${seconds ? ":" + two(d.getSeconds()) : ""}`; };
export const dayKey = (s) => { const d = new Date(s * 1000); return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`; };
export function dayName(s) {
  const today = dayKey(Date.now() / 1000), key = dayKey(s);
  if (key === today) return "Today";
  if (key === dayKey(Date.now() / 1000 - 86400)) return "Yesterday";
  return new Date(s * 1000).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long" });
}
export const bytes = (n) => { if (n == null) return "–"; for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) if (n >= size) return `${(n / size).toFixed(n >= size * 10 ? 0 : 1)} ${unit}`; return `${n} B`; };
export const days = (d) => d == null ? "–" : d >= 10 ? `${Math.round(d)} days` : d >= 1 ? `${d.toFixed(1)} days` : `${Math.round(d * 24)} hours`;
export const span = (s) => s < 60 ? `${Math.round(s)} s` : s < 3600 ? `${Math.floor(s / 60)} min ${Math.round(s % 60)} s` : s < 86400 ? `${Math.floor(s / 3600)} h ${Math.round(s % 3600 / 60)} min` : `${Math.floor(s / 86400)} d ${Math.round(s % 86400 / 3600)} h`;
export const fixed = (n, digits = 1) => n == null ? "–" : n.toFixed(digits);
export const title = (text) => text ? text[0].toUpperCase() + text.slice(1) : "";

// -- state that components share: a value, and who is told when it changes

export function store(value) {
  const told = new Set();
  return {
    get: () => value,
    set(next) { value = typeof next === "function" ? next(value) : next; for (const tell of told) tell(value); },
    on(tell) { told.add(tell); return () => told.delete(tell); },
  };
}
export function useStore(of) {
  const [value, set] = useState(of.get());
  useEffect(() => { set(of.get()); return of.on((next) => set(() => next)); }, [of]);
  return value;
}
export function remembered(name, first) {
  let kept = null;
  try { kept = JSON.parse(localStorage.getItem(`edgecam.${name}`)); } catch { /* private mode */ }
  const made = store(kept ?? first);
  made.on((value) => { try { localStorage.setItem(`edgecam.${name}`, JSON.stringify(value)); } catch { /* private mode */ } });
  return made;
}

// -- toasts

const toasts = store([]);
let number = 0;
export function toast(text, bad = false) {
  const id = ++number;
  toasts.set((all) => [...all.slice(-3), { id, text, bad }]);
  setTimeout(() => toasts.set((all) => all.filter((t) => t.id !== id)), bad ? 7000 : 3500);
}
export const attempt = async (work, done) => { try { const found = await work(); if (done) toast(typeof done === "function" ? done(found) : done); return found; } catch (error) { toast(error.message, true); return undefined; } };
export const Toasts = () => html`<div class="toasts" role="status" aria-live="polite">${useStore(toasts).map((t) => html`<div key=${t.id} class=${t.bad ? "toast bad" : "toast"}>${t.text}</div>`)}</div>`;

// -- dialogs: the browser's own, so that Esc, focus and screen readers work

export function Dialog({ title: heading, onClose, kind = "", children }) {
  const ref = useRef();
  useEffect(() => { const it = ref.current; if (!it.open) it.showModal(); return () => it.open && it.close(); }, []);
  return html`<dialog ref=${ref} class=${kind} aria-label=${heading} onCancel=${(e) => { e.preventDefault(); onClose(); }}
      onClick=${(e) => e.target === ref.current && onClose()}>
    <div class="dialog-head"><h2>${heading}</h2><${Button} icon="close" label="Close" only kind="plain" onClick=${onClose} /></div>${children}</dialog>`;
}
export const Fact = ({ name, children }) => children == null || children === "" ? null : html`<div><dt>${name}</dt><dd>${children}</dd></div>`;
export const Empty = ({ icon, title: heading, children }) => html`<div class="empty"><${Icon} name=${icon} /><h2>${heading}</h2><p>${children}</p></div>`;
export const Switch = ({ label, checked, onChange }) => html`<label class="switch"><input type="checkbox" role="switch" checked=${checked} onChange=${(e) => onChange(e.target.checked)} /><i></i><span>${label}</span></label>`;
export const Segmented = ({ label, options, value, onChange }) => html`<div class="segmented" role="group" aria-label=${label}>${options.map(([key, text]) => html`<button type="button" aria-pressed=${String(key === value)} onClick=${() => onChange(key)}>${text}</button>`)}</div>`;
