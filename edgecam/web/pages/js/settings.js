// Every setting, from the board's own schema: help, limits, a trial, a diff, and what needs a restart.
import { html, useEffect, useMemo, useRef, useState } from "../vendor/htm-preact.mjs";
import { get, me, post, put } from "./api.js";
import { Button, Dialog, Empty, Icon, Switch, attempt, toast, title, useStore } from "./ui.js";

const GROUPS = { source: "Cameras", vision: "What is looked for", rules: "What is told and counted", output: "Recording and output", privacy: "Privacy", wire: "On the wire", web: "This page", run: "How it runs" };
const COMMAS = ["source", "rule", "control"]; // lists whose items may have commas
const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
const shownValue = (v) => v == null ? "" : String(v);
const nice = (name) => title(name.replace(/_/g, " ").replace(/\b(rtsp|mqtt|json|tls|id|ca)\b/g, (w) => w.toUpperCase()));

function Field({ row, value, onChange }) {
  const id = `s-${row.name}`, note = `${id}-help`, edited = !same(value, row.value);
  const words = title(row.help.replace(/\s+/g, " ")).replace(row.kind === "list" ? /[;.,]? repeat for [a-z ]+/i : "", "");
  const tables = Array.isArray(value) && value.some((v) => typeof v === "object");
  const listed = row.kind === "list" && value != null ? [value].flat() : [];
  let input;
  if (row.kind === "flag") input = html`<${Switch} label=${value ? "on" : "off"} checked=${Boolean(value)} onChange=${onChange} />`;
  else if (row.kind === "choice") input = html`<select id=${id} aria-describedby=${note} value=${value ?? ""} onChange=${(e) => onChange(e.target.value)}>${row.choices.map((c) => html`<option value=${c}>${c}</option>`)}</select>`;
  else if ((tables && row.name !== "rule") || row.name === "zone" || row.name === "line") input = html`<a class="btn" href="#/zones">${Array.isArray(value) && value.length ? `${value.length} set` : "none"} – draw them</a>`;
  else if (row.name === "rule") input = html`<a class="btn" href="#/events/what-if">${Array.isArray(value) && value.length ? `${value.length} set` : "none"} – change and try them</a>`;
  else if (row.kind === "list") input = html`<textarea id=${id} class="lines" rows=${Math.max(1, listed.length)} spellcheck=${false} aria-describedby=${note} value=${listed.join("\n")} placeholder=${row.metavar || ""} onInput=${(e) => { e.target.rows = e.target.value.split("\n").length; }}
    onChange=${(e) => { const lines = e.target.value.split(COMMAS.includes(row.name) ? "\n" : /[\n,]/).map((x) => x.trim()).filter(Boolean); onChange(lines.length ? lines : null); }}></textarea>`;
  else input = html`<input id=${id} type="text" inputmode=${row.type === "number" ? "decimal" : "text"} aria-describedby=${note} value=${shownValue(value)} placeholder=${row.default == null ? row.metavar || "" : shownValue(row.default)}
    onChange=${(e) => { const text = e.target.value.trim(); onChange(text === "" ? null : row.type === "number" && !Number.isNaN(Number(text)) ? Number(text) : text); }} />`;
  return html`<div class=${`setting ${edited ? "edited" : ""}`}><div class="setting-words"><label for=${id}>${nice(row.name)}</label>
      <p id=${note} class="muted small">${words}${row.minimum != null || row.maximum != null ? ` (${row.minimum != null ? `from ${row.minimum}` : ""}${row.maximum != null ? ` to ${row.maximum}` : ""})` : ""}${row.kind === "list" && input.type === "textarea" ? "; one a line" : ""}</p></div>
    <div class="setting-input">${input}<span class="tags">${row.live && html`<span class="chip quiet tiny">live</span>`}${edited && html`<button type="button" class="chip tiny" onClick=${() => onChange(row.value)}>undo</button>`}${!edited && row.in_file && html`<span class="chip quiet tiny">in the file</span>`}</span></div></div>`;
}

function Diff({ text }) {
  return html`<pre class="diff mono" tabindex="0" aria-label="Changes to the file">${text.split("\n").map((line) => html`<span class=${line.startsWith("+") && !line.startsWith("+++") ? "plus" : line.startsWith("-") && !line.startsWith("---") ? "minus" : line.startsWith("@@") ? "place" : ""}>${line}${"\n"}</span>`)}</pre>`;
}

function Review({ found, changes, onClose, onSaved }) {
  const [trial, setTrial] = useState(null);
  useEffect(() => { post("config/check", { changes }).then(setTrial).catch((error) => setTrial({ problem: error.message, diff: "", restart: [] })); }, []);
  const save = () => attempt(async () => { const done = await put("config", { tag: found.tag, changes }); for (const [name, why] of Object.entries(done.refused)) toast(`${name}: ${why}`, true); onSaved(); return done; }, (d) => d.message);
  return html`<${Dialog} title="Save these settings?" onClose=${onClose}>${!trial ? html`<div class="skeleton"></div>` : html`<div class="stack">
    ${trial.problem ? html`<p class="banner alarm"><${Icon} name="warn" small />${trial.problem}</p>` : html`<${Diff} text=${trial.diff || "nothing changes"} />`}
    ${trial.restart.length > 0 && html`<p class="banner"><${Icon} name="warn" small />After a restart: ${trial.restart.map((n) => n.replace(/_/g, " ")).join(", ")}.</p>`}
    <div class="row"><span class="grow"></span><${Button} label="Back" onClick=${onClose} /><${Button} icon="check" label="Save" kind="main" disabled=${Boolean(trial.problem)} onClick=${save} /></div></div>`}</${Dialog}>`;
}

// the groups, and which of them is read
function Contents({ groups }) {
  const [at, setAt] = useState(groups[0]?.[0]), strip = useRef();
  useEffect(() => {
    const seen = new Set(), watching = new IntersectionObserver((all) => {
      for (const one of all) seen[one.isIntersecting ? "add" : "delete"](one.target.id);
      const first = groups.find(([group]) => seen.has(`g-${group}`));
      if (first) setAt(first[0]);
    }, { rootMargin: "-90px 0px -55% 0px" });
    for (const [group] of groups) { const section = document.getElementById(`g-${group}`); if (section) watching.observe(section); }
    return () => watching.disconnect();
  }, [groups]);
  useEffect(() => { const row = strip.current, one = row?.querySelector("[aria-current]"); if (one) row.scrollTo({ left: one.offsetLeft - 40 }); }, [at]);
  const to = (group) => { const section = document.getElementById(`g-${group}`); section.scrollIntoView(); section.focus({ preventScroll: true }); };
  return html`<nav class="contents" aria-label="Groups of settings" ref=${strip}>${groups.map(([group]) => html`<button key=${group} type="button" aria-current=${group === at ? "true" : undefined} onClick=${() => to(group)}>${GROUPS[group] || nice(group)}</button>`)}</nav>`;
}

function FileEditor({ found, onSaved }) { // for a file that cannot be read, and for those who like files
  const [text, setText] = useState(found.text);
  const save = () => attempt(async () => { const done = await put("config", { tag: found.tag, text }); onSaved(); return done; }, (d) => d.message);
  return html`<section class="card stack"><h2>${found.file}</h2><textarea class="mono file" spellcheck=${false} aria-label="The settings file" value=${text} onInput=${(e) => setText(e.target.value)}></textarea>
    <div class="row"><span class="grow"></span><${Button} icon="check" label="Check and save" kind="main" disabled=${text === found.text} onClick=${save} /></div></section>`;
}

export function Settings() {
  const who = useStore(me), [found, setFound] = useState(null), [error, setError] = useState(""), [changes, setChanges] = useState({}), [search, setSearch] = useState(""), [review, setReview] = useState(false), [raw, setRaw] = useState(false), [restart, setRestart] = useState(false);
  const load = () => get("config").then((f) => { setFound(f); setChanges({}); }).catch((problem) => setError(problem.message));
  useEffect(() => { if (who.role === "admin") load(); }, []);
  const groups = useMemo(() => {
    const by = new Map();
    for (const row of found?.options || []) { if (row.name === "config" || (search && !`${row.name} ${row.help}`.toLowerCase().includes(search.toLowerCase()))) continue; if (!by.has(row.group)) by.set(row.group, []); by.get(row.group).push(row); }
    return [...by];
  }, [found, search]);
  if (who.role !== "admin") return html`<${Empty} icon="settings" title="For the owner">Settings need the role admin; yours is ${who.role}.</${Empty}>`;
  if (error) return html`<${Empty} icon="warn" title="They could not be loaded">${error}</${Empty}>`;
  if (!found) return html`<div class="skeleton stage-skeleton"></div>`;
  const count = Object.keys(changes).length;
  const apply = () => attempt(async () => { const done = await put("live", { settings: changes }); for (const [name, why] of Object.entries(done.refused)) toast(`${name}: ${why}`, true); await load(); return done; }, (d) => `${Object.keys(d.applied).length} applied`);
  const saved = () => { const later = Object.keys(changes).some((n) => !found.options.find((o) => o.name === n)?.live) || raw || found.problem; setReview(false); setRestart(later); load(); };
  const again = () => attempt(() => post("restart"), (d) => d.message);
  return html`<div class="settings"><header class="page-head"><h1>Settings</h1><span class="grow"></span>
      ${!found.problem && html`<label class="search"><${Icon} name="search" small /><span class="visually-hidden">Search the settings</span><input type="search" placeholder="Search" value=${search} onInput=${(e) => setSearch(e.target.value)} /></label>`}
      ${found.file && !found.problem && html`<${Button} label=${raw ? "As a form" : "As a file"} onClick=${() => setRaw(!raw)} />`}</header>
    ${found.problem && html`<p class="banner alarm" role="alert"><${Icon} name="warn" small /><span class="grow">Safe mode: no camera runs until this file is put right and edgecam restarted. ${title(found.problem)}</span></p>`}
    ${!found.file && html`<p class="banner plain"><${Icon} name="settings" small /><span class="grow">edgecam was started without a settings file. Those marked “live” can be changed here and are remembered; for the others start it with <span class="mono">--config FILE.toml</span>.</span></p>`}
    ${restart && html`<p class="banner"><span class="grow">Saved. Some of it holds after a restart.</span><${Button} icon="undo" label="Restart now" onClick=${again} /></p>`}
    ${raw || found.problem ? html`<${FileEditor} key=${found.tag} found=${found} onSaved=${saved} />` : html`<div class="settings-body">${groups.length > 1 && html`<${Contents} groups=${groups} />`}<div>${groups.map(([group, rows]) => html`<section key=${group} id=${`g-${group}`} tabindex="-1" class="card group"><h2>${GROUPS[group] || nice(group)}</h2>
      ${rows.map((row) => html`<${Field} key=${row.name} row=${row} value=${row.name in changes ? changes[row.name] : row.value} onChange=${(value) => setChanges((all) => { const next = { ...all, [row.name]: value }; if (same(value, row.value)) delete next[row.name]; return next; })} />`)}</section>`)}</div></div>`}
    ${!groups.length && !raw && !found.problem && html`<${Empty} icon="search" title="No such setting">Nothing is called or described like “${search}”.</${Empty}>`}
    ${count > 0 && html`<div class="savebar" role="region" aria-label="Unsaved changes"><span class="grow">${count} ${count === 1 ? "change" : "changes"}</span><${Button} label="Discard" kind="plain" onClick=${() => setChanges({})} />
      ${found.file ? html`<${Button} icon="check" label="Review" kind="main" onClick=${() => setReview(true)} />` : html`<${Button} icon="check" label="Apply" kind="main" onClick=${apply} />`}</div>`}
    ${review && html`<${Review} found=${found} changes=${changes} onClose=${() => setReview(false)} onSaved=${saved} />`}</div>`;
}
