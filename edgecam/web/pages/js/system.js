// The board: what the doctor says, power and heat over hours, models, storage, who may come in, the log.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.mjs";
import { del, get, me, post, put, stats } from "./api.js";
import { Models } from "./models.js";
import { Button, Dialog, Icon, Segmented, attempt, bytes, clock, days, fixed, span, useStore } from "./ui.js";

const PLOTS = [["power_w", "Power", "W", "#e69f00"], ["temperature_c", "Heat", "°C", "#d55e00"], ["inference_fps", "Detection", "/s", "#3cc79a"], ["frame_age_ms", "Age", "ms", "#56b4e9"]];
const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const fits = (u, at, long) => u.valToPos(at, "x") + (long ? 26 : 17) < u.bbox.width / devicePixelRatio + 6; // a time at the right edge would be cut

function Plot({ columns, name, heading, unit, colour, UPlot }) {
  const box = useRef(), values = columns[name], some = values.some((v) => v != null), last = [...values].reverse().find((v) => v != null);
  useEffect(() => {
    if (!some || !UPlot) return undefined;
    const axis = { stroke: tone("--faint"), grid: { stroke: tone("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    const plot = new UPlot({
      width: box.current.clientWidth, height: 150, legend: { show: false }, cursor: { y: false, points: { size: 6 } }, padding: [8, 6, 0, 0],
      scales: { y: { range: (_u, low, high) => { const room = Math.max((high - low) * 0.15, Math.abs(high) * 0.04, 0.5); return [Math.max(0, low - room), high + room]; } } },
      axes: [{ ...axis, values: (u, at, _i, _s, step) => at.map((t) => fits(u, t, step < 60) ? clock(t, step < 60) : ""), space: 70, size: 26 }, { ...axis, size: 42, space: 32 }],
      series: [{}, { stroke: colour, width: 2, fill: `${colour}1c`, spanGaps: false, points: { show: false } }],
    }, [columns.time, values], box.current);
    const fit = new ResizeObserver(() => plot.setSize({ width: box.current.clientWidth, height: 150 })); fit.observe(box.current);
    return () => { fit.disconnect(); plot.destroy(); };
  }, [columns, UPlot, document.documentElement.dataset.theme]);
  return html`<figure class="plot"><figcaption><span>${heading}</span><b class="num">${last == null ? "–" : fixed(last, last < 20 ? 1 : 0)} <small>${unit}</small></b></figcaption>
    <div ref=${box} class="plot-box" role="img" aria-label=${`${heading} over the last hours; now ${last ?? "not measured"} ${unit}`}>${!some && html`<p class="muted small">The board does not tell.</p>`}</div></figure>`;
}

function Plots() {
  const [hours, setHours] = useState(1), [columns, setColumns] = useState(null), [UPlot, setUPlot] = useState(null);
  useEffect(() => { import("../vendor/uplot.mjs").then((found) => setUPlot(() => found.default)); }, []);
  useEffect(() => { const load = () => get(`history?hours=${hours}`).then(setColumns).catch(() => {}); load(); const timer = setInterval(load, 15000); return () => clearInterval(timer); }, [hours]);
  return html`<section class="card"><div class="row between"><h2>Power and heat</h2><${Segmented} label="How far back" options=${[[1, "1 h"], [3, "3 h"], [12, "12 h"]]} value=${hours} onChange=${setHours} /></div>
    ${!columns ? html`<div class="skeleton"></div>` : columns.time.length < 2 ? html`<p class="muted">The first points come in ten seconds.</p>` : html`<div class="plots">${PLOTS.map(([name, heading, unit, colour]) => html`<${Plot} key=${name} columns=${columns} name=${name} heading=${heading} unit=${unit} colour=${colour} UPlot=${UPlot} />`)}</div>`}</section>`;
}

function Doctor() {
  const [page, setPage] = useState(null), [busy, setBusy] = useState(false), [all, setAll] = useState(false);
  const ask = async () => { setBusy(true); await attempt(async () => setPage(await get("doctor"))); setBusy(false); };
  const bad = page?.lines.filter((l) => l.status === "bad") || [], warn = page?.lines.filter((l) => l.status === "warn") || [], shown = all ? page?.lines || [] : [...bad, ...warn];
  return html`<section class="card"><div class="row between"><h2>Doctor</h2><${Button} icon="undo" label=${page ? "Again" : "Examine the board"} disabled=${busy} onClick=${ask} /></div>
    ${busy && !page ? html`<div class="skeleton" aria-label="Examining"></div>` : !page ? html`<p class="muted">Looks at supply, heat, packages, cameras, models, disk and clock; takes some seconds and changes nothing.</p>` : html`<p class="verdict"><span class=${`dot ${bad.length ? "alarm" : warn.length ? "warn" : "good"}`}></span>${bad.length ? `${bad.length} to put right, ${warn.length} to look at` : warn.length ? `Good, ${warn.length} to look at` : "All good"}</p>
      <ul class="doctor">${shown.map((l) => html`<li key=${l.section + l.title}><span class=${`dot ${{ ok: "good", warn: "warn", bad: "alarm" }[l.status]}`}></span><div><b>${l.title}</b> <span class="muted">${l.detail}</span>${l.fix && html`<p class="small fix">→ ${l.fix}</p>`}</div></li>`)}</ul>
      <${Button} kind="plain" label=${all ? "Only what is not well" : `All ${page.lines.length} lines`} onClick=${() => setAll(!all)} />`}</section>`;
}

function Storage() {
  const board = useStore(stats);
  if (!board?.recorders.length) return null;
  const r = board.recorders[0], all = (r.used_bytes || 0) + (r.free_bytes || 0);
  return html`<section class="card"><h2>Clips' disk</h2>${board.recorders.map((x) => x.fault && html`<p class="banner alarm">${x.fault}</p>`)}
    ${all > 0 && html`<div class="meter" role="img" aria-label=${`${bytes(r.used_bytes)} of clips, room for ${bytes(r.free_bytes)} more`}><i style=${{ width: `${(r.used_bytes || 0) / all * 100}%` }}></i></div>`}
    <dl class="facts"><div><dt>Clips</dt><dd class="num">${bytes(r.used_bytes)}</dd></div><div><dt>Room for</dt><dd class="num">${bytes(r.free_bytes)}${r.days_left != null ? `, ${days(r.days_left)}` : ""}</dd></div>${r.lost > 0 && html`<div><dt>Frames lost</dt><dd class="num error">${r.lost}</dd></div>`}</dl></section>`;
}

function Access() {
  const who = useStore(me), [tokens, setTokens] = useState([]), [pair, setPair] = useState(null), [made, setMade] = useState(null), [asking, setAsking] = useState(false), [secret, setSecret] = useState(false);
  const load = () => get("tokens").then(setTokens).catch(() => {});
  useEffect(() => { load(); }, []);
  const make = (event) => { event.preventDefault(); const form = new FormData(event.target); attempt(async () => { const found = await post("tokens", { name: form.get("name"), role: form.get("role"), days: Number(form.get("days")) || null }); setMade(found.token); setAsking(false); load(); }); };
  const change = (event) => { event.preventDefault(); const form = new FormData(event.target); attempt(async () => { await put("password", { password: form.get("new"), old: form.get("old") || null }); me.set({ ...who, has_password: true }); setSecret(false); }, "the password is set"); };
  return html`<section class="card"><div class="row between"><h2>Who may come in</h2><div class="row"><${Button} icon="phone" label="Pair a phone" onClick=${() => attempt(async () => setPair(await post("pairings", { role: "admin" })))} /><${Button} icon="plus" label="Token" onClick=${() => setAsking(true)} /></div></div>
    ${!who.has_password && html`<p class="banner"><${Icon} name="warn" small /><span class="grow">No password is set, so the page is open on this machine, and on no other.</span></p>`}
    ${tokens.length > 0 && html`<ul class="doctor">${tokens.map((t) => html`<li key=${t.id}><${Icon} name="protect" small /><div class="grow"><b>${t.name}</b> <span class="muted small">${t.role}${t.cameras ? `, ${t.cameras.join(", ")}` : ""}${t.expires ? `, until ${new Date(t.expires * 1000).toLocaleDateString("en-GB")}` : ""}</span></div><${Button} icon="trash" label=${`Revoke ${t.name}`} only kind="plain danger" onClick=${() => attempt(async () => { await del(`tokens/${t.id}`); load(); }, "revoked")} /></li>`)}</ul>`}
    <div class="row"><${Button} label=${who.has_password ? "Change the password" : "Set a password"} onClick=${() => setSecret(true)} />${who.kind === "session" && html`<${Button} label="Log out" kind="plain" onClick=${() => attempt(async () => { await post("logout"); me.set({ ...who, role: null }); })} />`}</div>
    ${pair && html`<${Dialog} title="Pair a phone" kind="narrow" onClose=${() => setPair(null)}><div class="stack">${pair.svg && html`<${Qr} svg=${pair.svg} />`}${pair.here_only && html`<p class="banner"><${Icon} name="warn" small /><span class="grow">The page listens on this machine only. For phones set “Web” to 0.0.0.0:8080 in the settings.</span></p>`}<p class="small">Point the phone's camera at it. It works once, within ten minutes.</p><input type="text" readonly aria-label="Address" value=${pair.url} onFocus=${(e) => e.target.select()} /></div></${Dialog}>`}
    ${made && html`<${Dialog} title="The token" kind="narrow" onClose=${() => setMade(null)}><p class="small muted">Shown this once; send it as “Authorization: Bearer …”.</p><input type="text" class="mono" readonly aria-label="Token" value=${made} onFocus=${(e) => e.target.select()} /></${Dialog}>`}
    ${asking && html`<${Dialog} title="A token for a program" kind="narrow" onClose=${() => setAsking(false)}><form class="stack" onSubmit=${make}><label class="field"><span>What it is for</span><input type="text" name="name" required maxlength="60" /></label>
      <label class="field"><span>It may</span><select name="role"><option value="viewer">look</option><option value="operator">look and record</option><option value="admin">do everything</option></select></label><label class="field"><span>For days (empty: for ever)</span><input type="number" name="days" min="1" max="3650" /></label><button class="btn main" type="submit">Make it</button></form></${Dialog}>`}
    ${secret && html`<${Dialog} title="Password" kind="narrow" onClose=${() => setSecret(false)}><form class="stack" onSubmit=${change}>${who.has_password && html`<label class="field"><span>Now</span><input type="password" name="old" autocomplete="current-password" required /></label>`}<label class="field"><span>New, at least eight characters</span><input type="password" name="new" autocomplete="new-password" minlength="8" required /></label><button class="btn main" type="submit">Set it</button></form></${Dialog}>`}</section>`;
}
const Qr = ({ svg }) => { const [src, set] = useState(""); useEffect(() => { const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" })); set(url); return () => URL.revokeObjectURL(url); }, [svg]); return html`<img class="qr" src=${src} alt="QR code with the address below" />`; };

function Log() {
  const [lines, setLines] = useState(null);
  useEffect(() => { const load = () => get("logs?lines=200").then(setLines).catch(() => setLines([])); load(); const timer = setInterval(load, 5000); return () => clearInterval(timer); }, []);
  return html`<section class="card"><h2>Log</h2>${!lines ? html`<div class="skeleton"></div>` : !lines.length ? html`<p class="muted">Nothing since the start.</p>` : html`<ol class="log mono" tabindex="0" aria-label="Log">${[...lines].reverse().map((l, i) => html`<li key=${i} class=${l.level}><span class="num">${clock(l.time)}</span> ${l.text}</li>`)}</ol>`}</section>`;
}

export function System({ theme }) {
  const board = useStore(stats), who = useStore(me), dark = useStore(theme), admin = who.role === "admin";
  return html`<div><header class="page-head"><h1>System</h1><span class="grow"></span><${Segmented} label="Colours" options=${[[null, "Auto"], ["dark", "Dark"], ["light", "Light"]]} value=${dark} onChange=${(value) => theme.set(value)} />
    ${admin && html`<${Button} icon="undo" label="Restart" onClick=${() => attempt(() => post("restart"), (d) => d.message)} />`}</header>
    ${board && html`<p class="muted small board-line">edgecam ${board.version} · running for ${span(board.uptime_s)} · ${board.viewers} watching · ${board.model}</p>`}
    <div class="system"><div class="stack"><${Plots} />${admin && html`<${Access} />`}${admin && html`<${Log} />`}</div><div class="stack"><${Storage} />${who.role !== "viewer" && html`<${Doctor} />`}<${Models} /></div></div></div>`;
}
