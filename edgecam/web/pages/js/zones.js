// Zones and lines, drawn on the live picture: drag corners, add some between, undo, save; live at once.
import { html, useEffect, useMemo, useRef, useState } from "../vendor/htm-preact.mjs";
import { get, has, me, put, stats } from "./api.js";
import { Picture } from "./live.js";
import { placed } from "./overlay.js";
import { Button, Empty, Segmented, attempt, title, useStore } from "./ui.js";

const TONES = ["#56b4e9", "#e69f00", "#3cc79a", "#f0e442", "#cc79a7", "#d55e00", "#a6f4ff", "#ac59ff"];
const clamp = (v) => Math.max(0, Math.min(1, v)), same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const fresh = (names, base) => { for (let i = 1; ; i++) { const name = i === 1 ? base : `${base}-${i}`; if (!names.includes(name)) return name; } };

// the shapes over the picture, in the picture's own place; corners are buttons, so that keys move them too
function Canvas({ shapes, chosen, frame, onChoose, onMove, onAdd, onDrop, onBegin }) {
  const box = useRef(), [size, setSize] = useState([1, 1]), drag = useRef(null);
  useEffect(() => { const look = () => setSize([box.current.clientWidth, box.current.clientHeight]); look(); const watching = new ResizeObserver(look); watching.observe(box.current); return () => watching.disconnect(); }, []);
  const at = placed(size[0], size[1], frame), w = frame[0] * at.scale, h = frame[1] * at.scale;
  const toShare = (event) => { const r = box.current.getBoundingClientRect(); return [clamp((event.clientX - r.left - at.x) / w), clamp((event.clientY - r.top - at.y) / h)]; };
  const x = (p) => at.x + p[0] * w, y = (p) => at.y + p[1] * h;
  const grab = (event, shape, corner) => { event.preventDefault(); event.stopPropagation(); onBegin(); onChoose(shape); drag.current = { shape, corner, from: toShare(event), points: shapes[shape].points }; box.current.setPointerCapture(event.pointerId); };
  const pull = (event) => {
    const d = drag.current; if (!d) return;
    const now = toShare(event);
    if (d.corner != null) onMove(d.shape, d.points.map((p, i) => (i === d.corner ? now : p)));
    else {
      const xs = d.points.map((p) => p[0]), ys = d.points.map((p) => p[1]);
      const dx = Math.max(-Math.min(...xs), Math.min(1 - Math.max(...xs), now[0] - d.from[0])), dy = Math.max(-Math.min(...ys), Math.min(1 - Math.max(...ys), now[1] - d.from[1]));
      onMove(d.shape, d.points.map((p) => [p[0] + dx, p[1] + dy]));
    }
  };
  const key = (event, shape, corner) => {
    const step = event.shiftKey ? 0.05 : 0.01, way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (way) {
      event.preventDefault(); onBegin();
      const all = event.altKey || event.ctrlKey, fits = shapes[shape].points.every((p) => p.every((v, i) => v + way[i] >= 0 && v + way[i] <= 1));
      if (!all || fits) onMove(shape, shapes[shape].points.map((p, i) => (all || i === corner ? [clamp(p[0] + way[0]), clamp(p[1] + way[1])] : p)));
    }
    if ((event.key === "+" || event.key === "Insert") && !shapes[shape].line) { event.preventDefault(); onAdd(shape, corner); }
    if (event.key === "Delete" || event.key === "Backspace") { event.preventDefault(); onDrop(shape, corner); }
  };
  return html`<div class="draw" ref=${box} onPointerMove=${pull} onPointerUp=${() => { drag.current = null; }} onPointerCancel=${() => { drag.current = null; }}>
    <svg width=${size[0]} height=${size[1]} aria-hidden="true">${shapes.map((s, i) => { const d = s.points.map((p, n) => `${n ? "L" : "M"}${x(p)} ${y(p)}`).join("") + (s.line ? "" : "Z"); return html`<g key=${i} class=${i === chosen ? "chosen" : ""} style=${{ "--tone": s.tone }}>
      <path class="hit" d=${d} onPointerDown=${(e) => grab(e, i, null)} /><path class="shape" d=${d} />${s.line && html`<path class="arrow" d=${arrow(s.points, x, y)} />`}</g>`; })}</svg>
    ${shapes.map((s, i) => html`<span key=${`n${i}`} class="zone-name" style=${{ left: `${x(s.points[0])}px`, top: `${y(s.points[0])}px`, "--tone": s.tone }} aria-hidden="true">${s.name}</span>`)}
    ${chosen != null && shapes[chosen] && shapes[chosen].points.map((p, n, all) => html`
      ${!shapes[chosen].line && html`<button key=${`m${n}`} type="button" class="corner mid" tabindex="-1" aria-label="New corner" style=${mid(p, all[(n + 1) % all.length], x, y)} onPointerDown=${(e) => { e.preventDefault(); e.stopPropagation(); onAdd(chosen, n); }}></button>`}
      <button key=${`c${n}`} type="button" class="corner" aria-label=${`${shapes[chosen].name}, corner ${n + 1} at ${Math.round(p[0] * 100)}, ${Math.round(p[1] * 100)} per cent`} style=${{ left: `${x(p)}px`, top: `${y(p)}px`, "--tone": shapes[chosen].tone }}
        onPointerDown=${(e) => grab(e, chosen, n)} onKeyDown=${(e) => key(e, chosen, n)} onDblClick=${() => onDrop(chosen, n)}></button>`)}</div>`;
}
const mid = (a, b, x, y) => ({ left: `${(x(a) + x(b)) / 2}px`, top: `${(y(a) + y(b)) / 2}px` });
function arrow([a, b], x, y) { // which way is "in": to the right hand of who looks along the line
  const mx = (x(a) + x(b)) / 2, my = (y(a) + y(b)) / 2, dx = x(b) - x(a), dy = y(b) - y(a), long = Math.hypot(dx, dy) || 1, ux = -dy / long, uy = dx / long;
  const tx = mx + ux * 30, ty = my + uy * 30;
  return `M${mx} ${my}L${tx} ${ty}M${tx} ${ty}l${-ux * 8 - uy * 6} ${-uy * 8 + ux * 6}M${tx} ${ty}l${-ux * 8 + uy * 6} ${-uy * 8 - ux * 6}`;
}

function Card({ shape, chosen, counts, labels, onChoose, onChange, onRemove }) {
  const set = (more) => onChange({ ...shape, ...more }), toggle = (label) => set({ classes: shape.classes.includes(label) ? shape.classes.filter((c) => c !== label) : [...shape.classes, label] });
  const inside = Object.entries(counts || {}).map(([l, n]) => `${n} ${l}`).join(", ");
  return html`<li class=${`card zone ${chosen ? "chosen" : ""}`} style=${{ "--tone": shape.tone }}><button type="button" class="zone-head" aria-expanded=${String(chosen)} onClick=${onChoose}><span class="dot" style=${{ background: shape.tone }}></span><b>${shape.name}</b>
      <span class="grow"></span><span class="muted small">${inside || (shape.line ? "line" : { zone: "", mask: "nothing counts", motion: "movement" }[shape.use])}</span></button>
    ${chosen && html`<div class="stack"><label class="field"><span>Name</span><input type="text" maxlength="40" value=${shape.name} onInput=${(e) => set({ name: e.target.value.trim().replace(/[^A-Za-z0-9_-]+/g, "-") })} /></label>
      ${!shape.line && html`<div class="field"><span>It is for</span><${Segmented} label="Use" options=${[["zone", "Objects"], ["motion", "Movement"], ["mask", "Ignoring"]]} value=${shape.use} onChange=${(use) => set({ use })} /></div>`}
      ${shape.use !== "mask" && shape.use !== "motion" && html`<div class="field"><span>What counts</span><ul class="row picks">${labels.map((l) => html`<li key=${l}><button type="button" class="chip pickable" aria-pressed=${String(shape.classes.includes(l))} onClick=${() => toggle(l)}>${l}</button></li>`)}</ul><small class="muted">${shape.classes.length ? "" : "Everything that is looked for."}</small></div>
        ${!shape.line && html`<label class="field"><span>After so many seconds in it</span><input type="number" min="0" max="86400" step="1" value=${shape.loitering} onChange=${(e) => set({ loitering: Math.max(0, Number(e.target.value) || 0) })} /></label>`}`}
      <p class="muted small keys">Arrow keys move a corner, with Ctrl all of it, with Shift further${shape.line ? "" : "; + adds a corner, Delete takes one away"}.</p>
      <${Button} icon="trash" label="Remove" kind="plain danger" onClick=${onRemove} /></div>`}</li>`;
}

export function Zones({ rest: [wanted], go }) {
  const who = useStore(me), board = useStore(stats), [places, setPlaces] = useState(null), [shapes, setShapes] = useState([]), [chosen, setChosen] = useState(null), [past, setPast] = useState([]), [labels, setLabels] = useState([]), [frame, setFrame] = useState([16, 9]);
  const camera = board?.cameras.find((c) => c.id === wanted) || board?.cameras[0], id = camera?.id;
  const take = (found) => { setPlaces(found); const mine = found.cameras.find((c) => c.camera === id); if (!mine) return; let n = 0; setShapes([...mine.zones.map((z) => ({ ...z, tone: TONES[n++ % 8] })), ...mine.lines.map((l) => ({ ...l, line: true, use: "line", tone: TONES[n++ % 8] }))]); setPast([]); };
  useEffect(() => { if (id && has("zones")) get("zones").then(take).catch(() => {}); setChosen(null); }, [id]);
  useEffect(() => { const timer = setInterval(() => get("zones").then(setPlaces).catch(() => {}), 2000); return () => clearInterval(timer); }, []);
  useEffect(() => { get("labels").then((f) => setLabels(f.labels.filter((l) => l.enabled).slice(0, 24).map((l) => l.name))).catch(() => {}); }, []);
  useEffect(() => { const press = (e) => { if ((e.ctrlKey || e.metaKey) && e.key === "z" && !/INPUT|TEXTAREA/.test(e.target.tagName)) { e.preventDefault(); undo(); } }; addEventListener("keydown", press); return () => removeEventListener("keydown", press); });
  const mine = places?.cameras.find((c) => c.camera === id);
  const bare = (s) => s.line ? { name: s.name, points: s.points, classes: s.classes } : { name: s.name, points: s.points, classes: s.classes, score: s.score, loitering: s.loitering, inertia: s.inertia, use: s.use };
  const now = useMemo(() => ({ zones: shapes.filter((s) => !s.line).map(bare), lines: shapes.filter((s) => s.line).map(bare) }), [shapes]);
  if (!has("zones")) return html`<${Empty} icon="zones" title="Not here">This board's program has no zones.</${Empty}>`;
  if (!board || !places) return html`<div class="skeleton stage-skeleton"></div>`;
  const changed = mine && !(same(now.zones, mine.zones) && same(now.lines, mine.lines)), operator = who.role !== "viewer";
  const keep = () => setPast((all) => [...all.slice(-49), shapes]);
  const undo = () => setPast((all) => { if (all.length) { setShapes(all[all.length - 1]); setChosen(null); } return all.slice(0, -1); });
  const change = (i, more) => setShapes((all) => all.map((s, n) => (n === i ? { ...s, ...more } : s)));
  const add = (line) => {
    keep(); const names = places.cameras.flatMap((c) => [...c.zones, ...c.lines]).map((s) => s.name).concat(shapes.map((s) => s.name)), shift = (shapes.length % 4) * 0.05;
    const made = line ? { name: fresh(names, "line"), line: true, use: "line", classes: [], points: [[0.25, 0.6 - shift], [0.75, 0.6 - shift]] } : { name: fresh(names, "zone"), use: "zone", classes: [], score: 0, loitering: 0, inertia: 3, points: [[0.3 + shift, 0.4], [0.6 + shift, 0.4], [0.65 + shift, 0.85], [0.25 + shift, 0.85]] };
    setShapes([...shapes, { ...made, tone: TONES[shapes.length % 8] }]); setChosen(shapes.length);
  };
  const tryIt = async () => { const { draft } = await import("./whatif.js"); draft.set({ ...draft.get(), places: { ...draft.get().places, [id]: now } }); go("events/what-if"); };
  const save = () => attempt(async () => { const found = await put(`${id}/zones`, now); take(found); return found; }, (f) => f.note || "saved; it holds from the next picture on");
  return html`<div><header class="page-head"><h1>Zones</h1><span class="grow"></span>
      ${board.cameras.length > 1 && html`<label class="pick"><span class="visually-hidden">Camera</span><select value=${id} onChange=${(e) => go(`zones/${e.target.value}`)}>${board.cameras.map((c) => html`<option value=${c.id}>${c.title}</option>`)}</select></label>`}
      ${operator && html`<${Button} icon="undo" label="Undo" only disabled=${!past.length} onClick=${undo} /><${Button} icon="line" label="Line" onClick=${() => add(true)} /><${Button} icon="plus" label="Zone" kind="main" onClick=${() => add(false)} />`}</header>
    <div class="stage zones"><div class="stage-picture"><${Picture} camera=${id} label=${camera.title} onHeader=${(h) => same(frame, h.frame_wh) || setFrame(h.frame_wh)}
      controls=${html`<${Canvas} shapes=${shapes} chosen=${operator ? chosen : null} frame=${frame} onChoose=${setChosen} onBegin=${keep} onMove=${(i, points) => change(i, { points })}
        onAdd=${(i, n) => { keep(); const p = shapes[i].points, a = p[n], b = p[(n + 1) % p.length]; change(i, { points: [...p.slice(0, n + 1), [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], ...p.slice(n + 1)] }); }}
        onDrop=${(i, n) => { const s = shapes[i]; if (s.points.length > (s.line ? 2 : 3)) { keep(); change(i, { points: s.points.filter((_, m) => m !== n) }); } }} />`} /></div>
      <aside class="stack side">${!shapes.length && html`<${Empty} icon="zones" title="No zones yet">A zone tells when something is in a part of the picture; a line counts what crosses it. An object is where its feet are.</${Empty}>`}
        <ul class="stack tight">${shapes.map((s, i) => html`<${Card} key=${i} shape=${s} chosen=${chosen === i} counts=${mine?.counts[s.name]} labels=${labels} onChoose=${() => setChosen(chosen === i ? null : i)} onChange=${(next) => { keep(); change(i, next); }} onRemove=${() => { keep(); setShapes(shapes.filter((_, n) => n !== i)); setChosen(null); }} />`)}</ul>
        ${has("replays") && operator && html`<p class="muted small">${places.rules.length ? `Rules: ${places.rules.join(", ")}. ` : "No rules yet. "}<a href="#/events/what-if">Change them, or try others</a></p>`}</aside></div>
    ${changed && operator && html`<div class="savebar" role="region" aria-label="Unsaved changes"><span class="grow">${title("not saved yet")}</span><${Button} label="Discard" kind="plain" onClick=${() => take(places)} />${has("replays") && html`<${Button} label="Try on recordings" onClick=${tryIt} />`}<${Button} icon="check" label="Save" kind="main" onClick=${save} /></div>`}</div>`;
}
