// What other rules would have told of what was recorded: a form, a replay on the board, what is gained and lost.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.mjs";
import { del, get, me, post, put, stats } from "./api.js";
import { ClipDialog } from "./clip.js";
import { EventRow } from "./events.js";
import { Button, Empty, Icon, Segmented, Switch, attempt, span, store, title, useStore } from "./ui.js";

export const draft = store({ places: {}, rules: null }); // what is tried; the zones' page puts its unsaved shapes here
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const daysOf = (words) => DAYS.filter((d, at) => words.some((w) => { const [a, b = a] = w.toLowerCase().split("-").map((x) => DAYS.indexOf(x)); return a <= b ? at >= a && at <= b : at >= a || at <= b; })); // mon-fri, sat
const SPANS = [[1, "Last hour"], [24, "Last day"], [168, "Last week"], [744, "All"]];

// a word of a rule, such as person@door:0.6 or car>gate, for people
function sentence(word) {
  const [, what, how, place] = word.match(/^([^@<>:]+)(@|<>|>|<)?([^@<>:]*)/) || [null, word];
  const who = { any: "anything", motion: "movement" }[what.trim()] || what.trim(), score = word.match(/:([\d.]+)$/);
  return who + (how === "@" ? ` in ${place}` : how ? ` across ${place}${{ ">": ", in", "<": ", out", "<>": "" }[how]}` : "") + (score ? `, from ${Math.round(score[1] * 100)}\u00a0%` : "");
}

const Amount = ({ label, value, min = 0, max, unit, onChange }) => html`<label class="field amount"><span>${label}</span><span class="with-unit"><input type="number" inputmode="decimal" min=${min} max=${max} value=${value} onChange=${(e) => onChange(Math.min(max, Math.max(min, Number(e.target.value) || min)))} /><small class="muted">${unit}</small></span></label>`;

function RuleCard({ rule, open, labels, places, onChange, onRemove }) {
  const what = useRef(), where = useRef(), on = daysOf(rule.days), set = (more) => onChange({ ...rule, ...more });
  const add = () => { const word = what.current.value + where.current.value; if (!rule.on.includes(word)) set({ on: [...rule.on, word] }); };
  return html`<li><details class="rule" open=${open}><summary><b>${rule.name}</b> <span class="muted small">${rule.on.map(sentence).join(" · ")}</span></summary><div class="stack tight"><label class="field"><span>Name</span><input type="text" maxlength="64" value=${rule.name} onChange=${(e) => set({ name: e.target.value.trim() || rule.name })} /></label>
    <ul class="row picks" aria-label=${`${rule.name} is told of`}>${rule.on.map((w) => html`<li key=${w}><button type="button" class="chip" aria-label=${`${sentence(w)}: take it out`} disabled=${rule.on.length === 1} onClick=${() => set({ on: rule.on.filter((x) => x !== w) })}>${sentence(w)}${rule.on.length > 1 && html`<${Icon} name="close" small />`}</button></li>`)}</ul>
    <div class="row add-word"><label class="pick"><span class="visually-hidden">What</span><select ref=${what}><option value="any">anything</option><option value="motion">movement</option>${labels.map((l) => html`<option value=${l}>${l}</option>`)}</select></label>
      <label class="pick"><span class="visually-hidden">Where</span><select ref=${where}><option value="">everywhere</option>${places.zones.map((z) => html`<option value=${`@${z}`}>in ${z}</option>`)}${places.lines.flatMap((l) => [html`<option value=${`<>${l}`}>across ${l}</option>`, html`<option value=${`>${l}`}>across ${l}, in</option>`, html`<option value=${`<${l}`}>across ${l}, out</option>`])}</select></label>
      <${Button} icon="plus" label="Add it" only kind="plain" onClick=${add} /></div>
    <div class="amounts"><${Amount} label="Stays" unit="s" max=${86400} value=${rule.loitering} onChange=${(loitering) => set({ loitering })} /><${Amount} label="At once" unit="or more" min=${1} max=${1000} value=${rule.count} onChange=${(count) => set({ count })} />
      <${Amount} label="Then a pause of" unit="s" max=${604800} value=${rule.cooldown} onChange=${(cooldown) => set({ cooldown })} />
      <label class="field amount"><span>Of what</span><select value=${rule.stationary} onChange=${(e) => set({ stationary: e.target.value })}><option value="any">moves or rests</option><option value="moving">moves</option><option value="resting">rests</option></select></label></div>
    <div class="field"><span>On days</span><ul class="row picks" aria-label=${`Days of ${rule.name}`}>${DAYS.map((d) => html`<li key=${d}><button type="button" class="chip pickable" aria-pressed=${String(on.includes(d))} onClick=${() => set({ days: DAYS.filter((x) => on.includes(x) !== (x === d)) })}>${title(d)}</button></li>`)}</ul><small class="muted">${rule.days.length ? "" : "Every day."}</small></div>
    <label class="field"><span>At hours</span><input type="text" placeholder="always; such as 22:00-06:00" value=${rule.hours.join(", ")} onChange=${(e) => set({ hours: e.target.value.split(",").map((x) => x.trim()).filter(Boolean) })} /></label>
    <div class="row"><${Switch} label="Record it" checked=${rule.record} onChange=${(record) => set({ record })} /><${Switch} label="Keep a picture" checked=${rule.snapshot} onChange=${(snapshot) => set({ snapshot })} /></div>
    <${Button} icon="trash" label=${`Remove ${rule.name}`} kind="plain danger" onClick=${onRemove} /></div></details></li>`;
}

function Result({ found, several, onOpen }) {
  const [kind, setKind] = useState(found.gained || !found.lost ? "gained" : "lost"), rows = found[`${kind}_events`];
  return html`<section class="card" aria-label="What came out"><p class="verdict-line"><span><b class="num gain">+${found.gained}</b> gained</span><span><b class="num loss">−${found.lost}</b> lost</span><span><b class="num">${found.kept}</b> as before</span></p>
    <p class="muted small">${found.clips} ${found.clips === 1 ? "clip" : "clips"}, ${span(found.recorded_s)} of recordings in ${found.took_s < 1 ? "less than a second" : span(found.took_s)}.${found.whole ? "" : " The time was over before all of it was looked at; choose a shorter one."}</p>
    ${found.gained + found.lost === 0 ? html`<p>The same would have been told.</p>` : html`<${Segmented} label="Which" options=${[["gained", `Gained ${found.gained}`], ["lost", `Lost ${found.lost}`]]} value=${kind} onChange=${setKind} />
      <ol class=${`tried ${kind}`}>${rows.map((item) => html`<li key=${item.id}><${EventRow} item=${item} several=${several} day picture=${(item.clip || item.has_picture) && `/api/replays/${found.id}/${item.id}/picture.jpg?h=144`} onOpen=${() => onOpen(item)} /></li>`)}</ol>
      ${!rows.length && html`<p class="muted">None.</p>`}${found[kind] > rows.length && html`<p class="muted small">The first ${rows.length} of ${found[kind]}.</p>`}`}</section>`;
}

export function WhatIf({ go }) {
  const who = useStore(me), board = useStore(stats), tried = useStore(draft), [now, setNow] = useState(null), [labels, setLabels] = useState([]), [hours, setHours] = useState(24), [camera, setCamera] = useState("");
  const [run, setRun] = useState(null), [error, setError] = useState(""), [open, setOpen] = useState(null), going = useRef(null), told = useRef();
  const load = () => Promise.all([get("rules"), get("zones")]).then(([r, z]) => setNow({ rules: r.rules, places: Object.fromEntries(z.cameras.map((c) => [c.camera, { zones: c.zones, lines: c.lines }])) })).catch((problem) => setError(problem.message));
  useEffect(() => { load(); get("labels").then((f) => setLabels(f.labels.filter((l) => l.enabled).map((l) => l.name))).catch(() => {}); return () => { if (going.current) del(`replays/${going.current}`).catch(() => {}); }; }, []);
  useEffect(() => { // while it runs
    if (run?.state !== "running") { going.current = null; if (run && innerWidth < 900) told.current?.scrollIntoView({ block: "start" }); return undefined; }
    going.current = run.id;
    const timer = setTimeout(() => get(`replays/${run.id}`).then((next) => setRun(next)).catch((problem) => { setRun(null); setError(problem.message); }), 400);
    return () => clearTimeout(timer);
  }, [run]);
  if (who.role === "viewer") return html`<${Empty} icon="events" title="For operators">Trying other rules needs the role operator.</${Empty}>`;
  if (!now) return error ? html`<${Empty} icon="warn" title="It could not be loaded">${error}</${Empty}>` : html`<div class="skeleton stage-skeleton"></div>`;
  const rules = tried.rules ?? now.rules, places = { ...now.places, ...tried.places }, set = (more) => draft.set({ ...draft.get(), ...more });
  const names = { zones: Object.values(places).flatMap((p) => p.zones.filter((z) => z.use !== "mask").map((z) => z.name)), lines: Object.values(places).flatMap((p) => p.lines.map((l) => l.name)) };
  const changed = !same(rules, now.rules) || Object.keys(tried.places).some((id) => !same(places[id], now.places[id]));
  const wanted = () => ({ rules: same(rules, now.rules) ? null : rules, places: Object.fromEntries(Object.entries(tried.places).filter(([id, p]) => !same(p, now.places[id]))) });
  const begin = async (event) => {
    event.preventDefault(); setError("");
    try { setRun(await post("replays", { ...wanted(), camera: camera || null, after: Math.max(0, Date.now() / 1000 - hours * 3600) })); } catch (problem) { setRun(null); setError(problem.message); }
  };
  const use = () => attempt(async () => { const done = await put("rules", wanted()); draft.set({ places: {}, rules: null }); await load(); return done; }, (d) => d.note || "they hold from the next picture on");
  const rule = (i, next) => set({ rules: rules.map((r, n) => (n === i ? next : r)) });
  const zone = (id, i, more) => set({ places: { ...tried.places, [id]: { ...places[id], zones: places[id].zones.map((z, n) => (n === i ? { ...z, ...more } : z)) } } });
  const fresh = () => { let n = 1; while (rules.some((r) => r.name === `rule-${n}`)) n++; set({ rules: [...rules, { name: `rule-${n}`, on: [names.zones.length ? `any@${names.zones[0]}` : "any"], camera: "", days: [], hours: [], loitering: 0, count: 1, stationary: "any", cooldown: 0, record: false, snapshot: false, do: [] }] }); };
  const busy = run?.state === "running", drawn = Object.entries(places).flatMap(([id, p]) => p.zones.map((z, i) => ({ id, z, i }))).filter(({ z }) => z.use === "zone");
  return html`<div><header class="page-head"><${Button} icon="back" label="Back to the events" only kind="plain" onClick=${() => go("events")} /><h1>Rules, and what if</h1></header>
    <p class="muted small board-line">Other rules and zones, tried on what was recorded: nothing is told, and nothing changes.</p>
    <form class="what-if" onSubmit=${begin}><div class="stack">
      <section class="card"><h2>Rules</h2>${rules.length ? html`<ul>${rules.map((r, i) => html`<${RuleCard} key=${i} rule=${r} open=${rules.length === 1 || i >= now.rules.length} labels=${labels} places=${names} onChange=${(next) => rule(i, next)} onRemove=${() => set({ rules: rules.filter((_, n) => n !== i) })} />`)}</ul>` : html`<p class="muted small">None: every object that is looked for is told, and every zone's and line's visits.</p>`}
        <${Button} icon="plus" label="Another rule" onClick=${fresh} /></section>
      <section class="card zones-tried"><h2>Zones</h2>${drawn.length > 0 && html`<ul>${drawn.map(({ id, z, i }) => html`<li key=${id + i} class="rule"><b>${z.name}</b>${board?.cameras.length > 1 && html` <span class="muted small">${id}</span>`}<div class="amounts">
          <${Amount} label="After" unit="s in it" max=${86400} value=${z.loitering} onChange=${(loitering) => zone(id, i, { loitering })} /><${Amount} label="Score from" unit="%" max=${100} value=${Math.round(z.score * 100)} onChange=${(v) => zone(id, i, { score: v / 100 })} /></div></li>`)}</ul>`}
        ${!drawn.length && html`<p class="muted small">None that objects enter.</p>`}<a class="btn" href="#/zones"><${Icon} name="zones" small />Draw them</a><p class="muted small">“Try on recordings” there brings what is drawn here, unsaved.</p></section></div>
      <div class="stack"><section class="card stack tight"><h2>On what</h2><${Segmented} label="How far back" options=${SPANS} value=${hours} onChange=${setHours} />
        ${board?.cameras.length > 1 && html`<label class="field"><span>Camera</span><select value=${camera} onChange=${(e) => setCamera(e.target.value)}><option value="">All</option>${board.cameras.map((c) => html`<option value=${c.id}>${c.title}</option>`)}</select></label>`}
        <div class="row">${busy ? html`<${Button} icon="close" label="Cancel" onClick=${() => attempt(() => del(`replays/${run.id}`))} />` : html`<button type="submit" class="btn main"><${Icon} name="play" small />Try it</button>`}
          ${changed && !busy && html`<${Button} icon="undo" label="As they are now" kind="plain" onClick=${() => draft.set({ places: {}, rules: null })} />`}</div></section>
      <div class="stack" aria-live="polite" ref=${told}>${error && html`<p class="banner alarm" role="alert"><${Icon} name="warn" small /><span class="grow">${error}</span></p>`}
        ${busy && html`<section class="card"><h2>Going through ${run.clips} ${run.clips === 1 ? "clip" : "clips"}</h2><progress class="bar" max="1" value=${run.share} aria-label="How far it is"></progress></section>`}
        ${run?.state === "failed" && html`<p class="banner alarm"><${Icon} name="warn" small />${run.problem}</p>`}${run?.state === "cancelled" && html`<p class="banner plain">Cancelled.</p>`}
        ${run?.state === "done" && html`<${Result} key=${run.id} found=${run} several=${board?.cameras.length > 1} onOpen=${setOpen} />`}
        ${!run && !error && html`<${Empty} icon="search" title="Not tried yet">What would have been told as well, and what would not, will be listed here with its pictures.</${Empty}>`}
        ${changed && !busy && html`<div class="savebar" role="region" aria-label="Unsaved changes"><span class="grow">Not in use yet</span><${Button} icon="check" label="Use them from now on" kind="main" onClick=${use} /></div>`}</div></div></form>
    ${open && html`<${ClipDialog} key=${open.id} item=${open} isEvent looking onClose=${() => setOpen(null)} onStep=${(by) => { const rows = [...run.gained_events, ...run.lost_events], next = rows[rows.findIndex((r) => r.id === open.id) + by]; if (next) setOpen(next); }} />`}</div>`;
}
