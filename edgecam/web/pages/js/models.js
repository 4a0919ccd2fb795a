// Models: accuracy against this board's milliseconds; which runs, which is set; checked, used, gone back from, removed.
import { html, useEffect, useState } from "../vendor/htm-preact.mjs";
import { del, get, me, post } from "./api.js";
import { Button, Fact, Icon, Segmented, attempt, bytes, title, useStore } from "./ui.js";

const score = (r) => r.metrics["core AP50"] ?? r.metrics.AP50 ?? r.metrics["top-1"] ?? r.metrics.top1 ?? Object.values(r.metrics)[0];

function Trade({ measured }) { // each model as a point
  const most = Math.max(...measured.map((r) => r.ms), 1), scores = measured.map(score);
  const between = (Math.max(...scores) + Math.min(...scores)) / 2, range = Math.max(0.06, Math.max(...scores) - Math.min(...scores)), low = between - range / 2; // models as good as each other stand level
  return html`<svg class="trade" viewBox="0 0 400 170" role="img" aria-label="Accuracy against milliseconds on this board"><path d="M36 8V142H392" class="axis" /><text x="36" y="158" text-anchor="middle">0</text><text x="368" y="158" text-anchor="middle">${most.toFixed(most < 20 ? 1 : 0)}</text><text x="32" y="134" text-anchor="end">${low.toFixed(2)}</text><text x="32" y="26" text-anchor="end">${(low + range).toFixed(2)}</text><text x="202" y="164" text-anchor="middle">milliseconds a picture, here</text><text x="10" y="78" text-anchor="middle" transform="rotate(-90 10 78)">accuracy</text>
    ${measured.map((r, i) => { const x = 36 + r.ms / most * 332, y = 130 - (score(r) - low) / range * 108; return html`<g key=${r.name}><circle cx=${x} cy=${y} r=${r.running ? 7 : 5} class=${r.running ? "on" : ""}><title>${r.name}</title></circle><text x=${x + (x > 214 ? 8 : -8)} y=${y + (i % 2 ? 19 : -11)} text-anchor=${x > 214 ? "end" : "start"} class=${r.running ? "on" : ""}>${r.name}</text></g>`; })}</svg>`;
}

const found = (c) => `${c.state === "good" ? "The weights are those of its card" : title(c.words)}${c.ms == null ? "." : `; it runs here: ${c.ms} ms a picture on one thread, and sees ${Object.entries(c.seen).map(([l, n]) => (n > 1 ? `${n} ${l}` : l)).join(", ") || "nothing"} now.`}`;

function ModelItem({ row, choice, open, onOpen, onDone }) {
  const who = useStore(me), admin = who.role === "admin", [checked, setChecked] = useState(null), [busy, setBusy] = useState(""), [sure, setSure] = useState(false);
  const chosen = choice?.chosen === row.name || row.roles.includes(choice?.chosen), pick = { task: row.task }, path = `models/${encodeURIComponent(row.name)}`;
  const work = (what, act) => async () => { setBusy(what); await attempt(act); setBusy(""); };
  return html`<li class="model"><button type="button" class="model-head" aria-expanded=${String(open)} onClick=${onOpen}><span class="grow"><b>${row.name}</b>${row.roles.map((r) => html` <span class="chip quiet tiny">${r}</span>`)}${row.running && html` <span class="chip tiny">runs</span>`}${row.replaced && html` <span class="chip warn tiny">newer file</span>`}${row.own && html` <span class="chip quiet tiny">your own</span>`}
        <small class="muted num">${row.input_wh.join("×")}, ${row.precision}, ${bytes(row.bytes)}</small></span>
      <span class="model-figures num"><span><small>accuracy</small>${score(row) == null ? "–" : score(row).toFixed(3)}</span><span><small>ms</small>${row.ms ?? "–"}</span><span><small>mJ</small>${row.mj ?? "–"}</span></span></button>
    ${open && html`<div class="stack tight model-more"><dl class="facts"><${Fact} name="From">${row.own ? `the models folder${row.before ? ", before the one of the same name that came with edgecam" : ""}` : "came with edgecam"}</${Fact}><${Fact} name="Made">${row.created.slice(0, 10)}</${Fact}><${Fact} name="Labels">${row.labels}</${Fact}><${Fact} name="Trained on">${row.training_data}</${Fact}><${Fact} name="Licence">${row.licence}</${Fact}>
        <${Fact} name="Weights">${row.weights && html`<span class="mono">${row.weights.slice(0, 12)}…</span>`}</${Fact}></dl>
      ${checked && html`<p class=${checked.ms == null ? "error" : "small"} role="status">${found(checked)}</p>`}
      ${who.role !== "viewer" && html`<div class="row"><${Button} icon="check" label=${busy === "check" ? "Checking …" : "Check"} disabled=${Boolean(busy)} onClick=${work("check", async () => setChecked(await post(`${path}/check`, pick)))} />
        ${admin && !choice?.problem && html`<${Button} icon="play" label=${busy === "use" ? "Trying it …" : "Use it"} kind=${chosen ? "" : "main"} disabled=${Boolean(busy) || choice?.chosen === row.name} onClick=${work("use", async () => { await post(`${path}/use`, pick); onDone(); })} />`}
        ${admin && row.own && html`<${Button} icon="trash" label=${sure ? "Remove it for good" : "Remove"} kind="plain danger" disabled=${Boolean(busy)} onClick=${() => (sure ? attempt(async () => { const done = await del(path); onDone(); return done; }, (d) => d.message) : setSure(true))} />`}</div>`}</div>`}</li>`;
}

export function Models() {
  const who = useStore(me), [rows, setRows] = useState(null), [choices, setChoices] = useState([]), [task, setTask] = useState("detection"), [open, setOpen] = useState("");
  const load = () => Promise.all([get("models"), get("model-choices")]).then(([r, c]) => { setRows(r); setChoices(c); }).catch(() => setRows((all) => all || []));
  useEffect(() => { load(); const timer = setInterval(load, 15000); return () => clearInterval(timer); }, []);
  if (!rows) return html`<div class="skeleton"></div>`;
  const mine = rows.filter((r) => r.task === task), measured = mine.filter((r) => r.ms != null && score(r) != null).sort((a, b) => a.ms - b.ms), choice = choices.find((c) => c.task === task), admin = who.role === "admin";
  const back = () => attempt(async () => { await post("model-choices/back", { task }); await load(); });
  return html`<section class="card"><div class="row between"><h2>Models</h2><${Segmented} label="Task" options=${[["detection", "Detectors"], ["classification", "Classifiers"]]} value=${task} onChange=${setTask} /></div>
    ${choices.filter((c) => c.restart).map((c) => html`<p key=${c.task} class="banner"><span class="grow">${c.chosen === "off" || c.runs === c.chosen ? `Another ${c.task === "detection" ? "detector" : "classifier"} setting or file` : c.chosen} is used after a restart.</span>${admin && html`<${Button} icon="undo" label="Restart now" onClick=${() => attempt(() => post("restart"), (d) => d.message)} />`}</p>`)}
    ${choice && html`<p class="row chosen"><span>${choice.runs ? html`<b>${choice.runs}</b> runs` : "None runs"}<span class="muted">, set is ${choice.chosen}</span></span>${admin && choice.previous != null && !choice.problem && html`<${Button} icon="back" label=${`Back to ${choice.previous}`} kind="plain" onClick=${back} />`}</p>`}
    ${measured.length > 1 && html`<${Trade} measured=${measured} />`}
    <ul class="models">${mine.map((r) => html`<${ModelItem} key=${r.name} row=${r} choice=${choice} open=${open === r.name} onOpen=${() => setOpen(open === r.name ? "" : r.name)} onDone=${load} />`)}</ul>
    ${!measured.length && html`<p class="muted small">Not measured on this board yet: edgecam bench, or a first start with tuning, does it.</p>`}
    ${admin && (choice?.problem ? html`<p class="muted small"><${Icon} name="warn" small /> None can be chosen here: ${choice.problem}.</p>` : html`<p class="muted small">A model of your own, or a newer one, is copied into the models folder (edgecam models info names it); it is listed here at once and used after a restart.</p>`)}</section>`;
}
