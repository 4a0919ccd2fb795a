// Live: every camera as a tile, one in full, and the board's figures beside it.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.mjs";
import { cameraName, cameraRow, colourOf, del, get, has, link, me, news, post, stats } from "./api.js";
import { drawOverlay } from "./overlay.js";
import { Player } from "./player.js";
import { Thumb } from "./thumb.js";
import { Button, Empty, Icon, attempt, bytes, clock, days, fixed, remembered, span, title, useStore, whatOf } from "./ui.js";

const showBoxes = remembered("boxes", true);
const showZones = remembered("zones", true);

// credits at the top (a turned demo): the camera's name leaves them free
const captionOf = (row) => `caption ${row.keep_clear?.[1] < 0.1 ? "low" : ""}`;

// the picture, its boxes, and what is to be said about it
export function Picture({ camera, shapes = {}, size = "live", frozen, onPlayer, onHeader, controls, label }) {
  const canvas = useRef(), video = useRef(), overlay = useRef(), player = useRef();
  const [state, setState] = useState("connecting"), [source, setSource] = useState(null), [ratio, setRatio] = useState("16 / 9");
  const boxes = useStore(showBoxes), zones = useStore(showZones), board = useStore(stats);
  const row = board && cameraRow(camera), want = useRef({});
  want.current = { boxes, clear: row?.keep_clear, zones: zones ? shapes.zones || [] : [], lines: zones ? shapes.lines || [] : [] };
  useEffect(() => {
    if (frozen) return undefined;
    const made = player.current = new Player(camera, {
      canvas: canvas.current, video: video.current, size, onState: setState, onSource: setSource,
      onFrame: (header) => { drawOverlay(overlay.current, header, want.current); setRatio(`${header.frame_wh[0]} / ${header.frame_wh[1]}`); onHeader?.(header, made); },
    });
    setSource(made.decoder); onPlayer?.(made);
    canvas.current.player = made; // for tests and for the curious
    return () => { made.close(); onPlayer?.(null); };
  }, [camera, size, frozen]);
  useEffect(() => {
    const again = () => drawOverlay(overlay.current, player.current?.shown, want.current);
    again();
    const watching = new ResizeObserver(again); watching.observe(overlay.current);
    return () => watching.disconnect();
  }, [boxes, zones, shapes]);
  const lost = row?.lost || row?.notice || state === "lost";
  const words = state === "lost" ? "No connection to the board – trying again" : title(row?.notice || "");
  return html`<div class=${`picture ${lost ? "lost" : ""} ${row?.keep_clear ? "credited" : ""}`} style=${{ aspectRatio: ratio }}>
    <canvas ref=${canvas} class="layer" role="img" aria-label=${`Live picture of ${label || camera}`} hidden=${source === "mse" && !("VideoFrame" in window)}></canvas>
    <video ref=${video} class="layer" muted playsinline disablepictureinpicture aria-label=${`Live picture of ${label || camera}`} hidden=${source !== "mse" || "VideoFrame" in window}></video>
    <canvas ref=${overlay} class="layer" aria-hidden="true"></canvas>
    ${state === "connecting" && !player.current?.drawn && html`<div class="wait" aria-hidden="true"></div>`}
    ${words && html`<p class="notice" role="status"><${Icon} name="warn" small />${words}</p>`}
    ${controls}</div>`;
}

function Tile({ row, shapes, onOpen }) {
  return html`<li class="tile"><button type="button" class="tile-open" onClick=${() => onOpen(row.id)} aria-label=${`Open ${row.title}`}></button>
    <${Picture} camera=${row.id} label=${row.title} shapes=${shapes} controls=${html`<div class=${captionOf(row)}><span class="pill"><span class=${`dot ${row.lost ? "alarm" : "good"}`}></span><b>${row.title}</b></span>
      <span class="grow"></span>${row.recording && html`<span class="rec">REC</span>`}<span class="pill num">${fixed(row.rates.inference_fps || row.rates.capture_fps)}/s</span></div>`} /></li>`;
}

function Spark({ of, colour }) { // the last two minutes, as a line without a scale
  const values = useRef([]);
  useEffect(() => { if (of != null) { values.current.push(of); if (values.current.length > 120) values.current.shift(); } });
  const all = values.current, low = Math.min(...all), high = Math.max(...all), range = high - low || 1;
  const path = all.length < 10 ? "" : all.map((v, i) => `${i ? "L" : "M"}${((i + 120 - all.length) / 119 * 100).toFixed(1)} ${(22 - (v - low) / range * 18).toFixed(1)}`).join(""); // the newest at the right
  return html`<svg class="spark" viewBox="0 0 100 26" preserveAspectRatio="none" aria-hidden="true"><path d=${path} stroke=${colour} /></svg>`;
}
const Figure = ({ name, value, unit, note, of, colour = "var(--accent)", kind = "" }) => html`<div class=${`figure ${kind}`}>
  <dt>${name}</dt><dd><b class="num">${value}</b> <span>${unit}</span><small>${note}</small></dd><${Spark} of=${of} colour=${colour} /></div>`;

function Figures({ row, shownAge }) {
  const board = useStore(stats);
  if (!board) return html`<div class="figures"><div class="skeleton"></div><div class="skeleton"></div></div>`;
  const { power, health } = board, rates = row?.rates || board.rates, hot = health.temperature_c >= 78 || health.throttled_now.length;
  const old = shownAge === undefined ? rates.frame_age?.p50_ms : shownAge; // a grid has no one picture whose age it could show
  return html`<dl class="figures">
    <${Figure} name="Age" value=${old == null ? "–" : Math.round(old)} unit="ms" note=${shownAge === undefined ? "capture to result" : "glass to browser"} of=${old} />
    <${Figure} name="Detection" value=${fixed(rates.inference_fps)} unit="/s" note=${rates.inference ? `${fixed(rates.inference.p50_ms, 0)} ms each` : board.model === "no detector" ? "no detector" : "starting"} of=${rates.inference_fps} colour="var(--good)" />
    <${Figure} name="Power" value=${power ? `${power.kind === "estimated" ? "≈ " : ""}${fixed(power.power_w)}` : "–"} unit=${power ? "W" : ""} of=${power?.power_w} colour="#e69f00"
      note=${power ? (power.kind === "estimated" ? `estimated${power.error ? ` ±${Math.round(power.error * 100)} %` : ""}` : power.source) : "no meter"} />
    ${health.temperature_c == null ? html`<${Figure} name="CPU" value=${fixed(health.cpu_percent, 0)} unit="%" note="no thermometer" of=${health.cpu_percent} colour="#d55e00" />`
      : html`<${Figure} name="Heat" value=${fixed(health.temperature_c, 0)} unit="°C" kind=${hot ? "alarm" : ""} note=${health.throttled_now.join(", ") || (health.cpu_percent == null ? "" : `CPU ${fixed(health.cpu_percent, 0)} %`)} of=${health.temperature_c} colour="#d55e00" />`}
  </dl>`;
}

function Seen({ found }) { // what is in the picture now
  const counts = Object.entries(found || {}).sort((a, b) => b[1] - a[1]);
  return html`<section class="card seen" aria-label="In the picture now"><h3>In the picture now</h3>
    <ul class="row">${counts.map(([label, n]) => html`<li key=${label} class="chip"><span class="dot" style=${{ background: colourOf(label) }}></span>${label}${n > 1 && html` <b class="num">${n}</b>`}</li>`)}</ul>
    ${!counts.length && html`<p class="muted small">Nothing that is looked for.</p>`}</section>`;
}

function Latest({ camera }) {
  const [events, setEvents] = useState([]), fresh = useStore(news), several = (useStore(stats)?.cameras.length || 0) > 1;
  useEffect(() => { if (has("events")) get(`events?limit=5${camera ? `&camera=${camera}` : ""}`).then((found) => setEvents(found.events)).catch(() => {}); }, [camera]);
  useEffect(() => { if (fresh?.type === "new" && (!camera || fresh.camera_id === camera)) setEvents((all) => [fresh, ...all.filter((e) => e.id !== fresh.id)].slice(0, 5)); }, [fresh]);
  if (!events.length) return null;
  return html`<section class="card latest-card" aria-label="Latest events"><div class="row between"><h3>Latest</h3><a class="small" href="#/events">All events</a></div>
    <ul class="latest">${events.map((e) => html`<li key=${e.id}><a href=${`#/events/${e.id}`}><${Thumb} item=${e} height=${96} />
      <span class="grow"><span class="dot" style=${{ background: colourOf(e.label) }}></span> ${whatOf(e)}<span class="muted">${[several && !camera && cameraName(e.camera), ...(e.zones || [])].filter(Boolean).map((w) => ` · ${w}`).join("")}</span></span><span class="num muted">${clock(e.start_time)}</span></a></li>`)}</ul></section>`;
}

function Stage({ row, several, shapes, onClose }) {
  const [frozen, setFrozen] = useState(false), [full, setFull] = useState(false), [found, setFound] = useState({}), [shownAge, setAge] = useState(null);
  const boxes = useStore(showBoxes), zones = useStore(showZones), who = useStore(me), { up } = useStore(link), box = useRef(), player = useRef(), told = useRef(0), talk = useRef();
  const hear = (header, made) => {
    if (performance.now() - told.current < 900) return;
    told.current = performance.now();
    const counts = {}; for (const d of header.detections) counts[d.label] = (counts[d.label] || 0) + 1;
    setFound(counts); setAge(made.age_ms);
  };
  const screen = () => document.fullscreenElement ? document.exitFullscreen() : box.current.requestFullscreen?.().catch(() => setFull(!full));
  const pip = async () => {
    const own = player.current?.feed && !player.current.exact ? player.current.video : talk.current;
    if (own === talk.current) { own.srcObject = player.current.canvas.captureStream(); await own.play(); }
    own.disablePictureInPicture = false; await own.requestPictureInPicture();
  };
  const operator = who && who.role !== "viewer";
  useEffect(() => {
    const keys = { b: () => showBoxes.set(!showBoxes.get()), z: () => showZones.set(!showZones.get()), f: screen, " ": () => setFrozen((f) => !f), Escape: () => several && !document.fullscreenElement && onClose() };
    const press = (event) => { if (/^(INPUT|SELECT|TEXTAREA|BUTTON|A)$/.test(event.target.tagName) && event.key !== "Escape") return; const act = keys[event.key]; if (act) { event.preventDefault(); act(); } };
    addEventListener("keydown", press); return () => removeEventListener("keydown", press);
  });
  return html`<div class="stage">
    <div class="stage-picture" ref=${box}>
      <${Picture} camera=${row.id} label=${row.title} shapes=${shapes} size=${full || document.fullscreenElement ? "full" : "live"} frozen=${frozen} onPlayer=${(p) => { player.current = p; }} onHeader=${hear}
        controls=${html`<div class=${captionOf(row)}><span class="pill"><span class=${`dot ${row.lost || !up ? "alarm" : frozen ? "warn" : "good beat"}`}></span><b>${row.title}</b><span>${!up ? "not connected" : row.lost ? "lost" : frozen ? "paused" : "live"}</span></span>
          <span class="grow"></span>${row.recording && html`<span class="rec">REC</span>`}</div>`} />
      <div class="toolbar" role="toolbar" aria-label="Picture">
        ${several && html`<${Button} icon="back" label="All cameras" only kind="plain" onClick=${onClose} />`}
        <${Button} icon=${frozen ? "play" : "pause"} label=${frozen ? "Go on" : "Pause"} only kind="plain" onClick=${() => setFrozen(!frozen)} />
        ${operator && html`<${Button} icon="shot" label="Snapshot" only kind="plain" onClick=${() => attempt(() => post(`${row.id}/snapshot`), (d) => d.message)} />
          <${Button} icon="record" label=${row.recording ? "Stop recording" : "Record now"} only kind=${row.recording ? "plain on-air" : "plain"} onClick=${() => attempt(() => (row.recording ? del(`${row.id}/record`) : post(`${row.id}/record`)), (d) => d.message)} />`}
        <span class="grow"></span>
        <${Button} icon="boxes" label="Boxes" only kind="plain" pressed=${boxes} onClick=${() => showBoxes.set(!boxes)} />
        <${Button} icon="zones" label="Zones" only kind="plain" pressed=${zones} onClick=${() => showZones.set(!zones)} />
        ${document.pictureInPictureEnabled && html`<${Button} icon="pip" label="Picture in picture" only kind="plain" onClick=${() => attempt(pip)} />`}
        <${Button} icon="full" label="Full screen" only kind="plain" onClick=${screen} />
      </div><video ref=${talk} muted playsinline hidden></video></div>
    <aside class="stack side"><${Figures} row=${row} shownAge=${frozen ? null : shownAge} /><${Seen} found=${found} /><${Latest} camera=${several ? row.id : ""} /><${BoardLine} /></aside></div>`;
}

function BoardLine() {
  const board = useStore(stats);
  if (!board) return null;
  const left = board.recorders.map((r) => r.days_left).filter((d) => d != null), fault = board.recorders.find((r) => r.fault)?.fault;
  return html`<section class="card small"><dl class="facts"><div><dt>Model</dt><dd>${board.model}</dd></div><div><dt>Running for</dt><dd class="num">${span(board.uptime_s)}</dd></div>
    ${board.recorders.length > 0 && html`<div><dt>Recording</dt><dd class=${fault ? "error" : ""}>${fault || (left.length ? `space for ${days(Math.min(...left))}` : board.recorders[0].free_bytes == null ? "on events" : bytes(board.recorders[0].free_bytes) + " free")}</dd></div>`}
    ${board.mj_per_frame != null && html`<div><dt>Energy</dt><dd class="num">${fixed(board.mj_per_frame, 0)} mJ a frame</dd></div>`}</dl></section>`;
}

export function Live({ rest: [wanted], go }) {
  const board = useStore(stats), up = useStore(link), [shapes, setShapes] = useState({});
  useEffect(() => { if (has("zones")) get("zones").then((found) => setShapes(Object.fromEntries(found.cameras.map((c) => [c.camera, c])))).catch(() => {}); }, []);
  if (!board) return html`<div class="skeleton stage-skeleton"></div>`;
  const rows = board.cameras, chosen = rows.find((r) => r.id === wanted) || (rows.length === 1 ? rows[0] : null);
  const head = html`<h1 class="visually-hidden">Live</h1>${board.notice && html`<p class="banner"><${Icon} name="warn" small />${title(board.notice)}</p>`}`;
  if (!rows.length) return html`<div>${head}<${Empty} icon="live" title="No camera runs"><a class="btn" href="#/settings">To the settings</a></${Empty}></div>`;
  if (chosen) return html`<div class=${up.up ? "" : "away"}>${head}<${Stage} key=${chosen.id} row=${chosen} several=${rows.length > 1} shapes=${shapes[chosen.id]} onClose=${() => go("live")} /></div>`;
  return html`<div class=${up.up ? "" : "away"}>${head}<ul class=${`tiles of-${Math.min(rows.length, 5)}`}>${rows.map((row) => html`<${Tile} key=${row.id} row=${row} shapes=${shapes[row.id]} onOpen=${(id) => go(`live/${id}`)} />`)}</ul>
    <div class="tiles-figures"><${Figures} /></div><div class="tiles-more"><${Latest} /><${BoardLine} /></div></div>`;
}
