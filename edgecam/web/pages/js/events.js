// Events and clips on one timeline, newest first.
import { html, useEffect, useMemo, useRef, useState } from "../vendor/htm-preact.mjs";
import { cameraName, colourOf, get, has, me, news, stats } from "./api.js";
import { ClipDialog } from "./clip.js";
import { Thumb } from "./thumb.js";
import { Hours, Timeline } from "./timeline.js";
import { Button, Empty, Icon, Segmented, clock, dayName, remembered, span, title, useStore, whatOf } from "./ui.js";

const PAGE = 100;
const kept = remembered("events", { mode: "events" });

export function EventRow({ item, several, onOpen, day, picture }) {
  const lasted = item.end_time ? item.end_time - item.start_time : null;
  return html`<button type="button" class="event" onClick=${() => onOpen(item)}>
    <${Thumb} item=${item} picture=${picture} />
    <span class="event-words"><b><span class="dot" style=${{ background: colourOf(item.label) }}></span>${whatOf(item)}${item.zones?.length || item.entered_zones?.length ? html`<em>${(item.entered_zones?.length ? item.entered_zones : item.zones).join(" → ")}</em>` : null}</b>
      <small>${[day && dayName(item.start_time), several && cameraName(item.camera), item.rule, lasted != null ? item.kind !== "clip" && span(Math.max(1, lasted)) : item.type === "end" || day ? "" : "now", item.message].filter(Boolean).join(" · ")}</small></span>
    ${item.protected && html`<${Icon} name="protect" small />`}${item.clip && html`<${Icon} name="play" small />`}
    <span class="when num">${clock(item.start_time)}${item.top_score != null && html`<small>${Math.round(item.top_score * 100)} %</small>`}</span></button>`;
}

function ClipRow({ item, several, onOpen }) {
  const what = item.labels.length ? item.labels : item.causes;
  return html`<button type="button" class="event" onClick=${() => onOpen(item)}>
    <span class="thumb" style=${{ "--tone": colourOf(what[0]) }}>${item.has_sheet || item.growing ? html`<img src=${item.growing ? `/api/${item.camera}/latest.jpg?h=144` : `/api/clips/${item.id}/thumb.jpg`} alt="" loading="lazy" decoding="async" />` : html`<${Icon} name="live" />`}${item.growing && html`<span class="rec">REC</span>`}</span>
    <span class="event-words"><b>${what.length ? html`<span class="dot" style=${{ background: colourOf(what[0]) }}></span>${title(what.slice(0, 3).join(", "))}` : item.growing ? "Recording now" : "Clip"}</b>
      <small>${[several && cameraName(item.camera), item.growing ? "" : span(Math.max(1, item.duration_s)), item.missed ? `${item.missed} frames missed` : "", item.recovered ? "recovered" : ""].filter(Boolean).join(" · ")}</small></span>
    ${item.protected && html`<${Icon} name="protect" small />`}<span class="when num">${clock(item.start_time)}<small>${(item.bytes / 1e6).toFixed(item.bytes > 1e7 ? 0 : 1)} MB</small></span></button>`;
}

export function Events({ rest, go, ...more }) {
  const [What, setWhat] = useState(null), trying = rest[0] === "what-if";
  useEffect(() => { if (trying) import("./whatif.js").then((made) => setWhat(() => made.WhatIf)); }, [trying]);
  if (trying) return What ? html`<${What} go=${go} />` : html`<div class="skeleton stage-skeleton"></div>`;
  return html`<${List} rest=${rest} go=${go} ...${more} />`;
}

function List({ rest: [opened], go }) {
  const known = useStore(kept), board = useStore(stats), fresh = useStore(news), who = useStore(me);
  const mode = has("events") ? known.mode : "clips", [filter, setFilter] = useState({ camera: "", label: "", at: "" }), [places, setPlaces] = useState([]);
  const [rows, setRows] = useState([]), [state, setState] = useState("loading"), [hours, setHours] = useState([]), [from, setFrom] = useState(null), [open, setOpen] = useState(null), [labels, setLabels] = useState([]);
  const next = useRef(null), asked = useRef(0), narrow = innerWidth < 760, rowPx = narrow ? 76 : 84, several = (board?.cameras.length || 0) > 1;
  const query = (more) => new URLSearchParams(Object.entries({ limit: PAGE, camera: filter.camera, label: filter.label, ...(mode === "events" && filter.at ? { [filter.at.slice(0, 4)]: filter.at.slice(5) } : {}), ...more }).filter(([, v]) => v !== "" && v != null)).toString();

  const load = async (before, first) => {
    const mine = ++asked.current; setState("loading");
    try {
      const found = await get(`${mode}?${query({ before })}`);
      if (mine !== asked.current) return;
      next.current = found.next;
      setRows((all) => first ? found[mode] : [...all, ...found[mode].filter((r) => !all.some((a) => a.id === r.id))]);
      setState(found.next == null ? "end" : "more");
    } catch (error) { if (mine === asked.current) { setState("failed"); } }
  };
  useEffect(() => { load(from, true); }, [mode, filter.camera, filter.label, filter.at, from]);
  useEffect(() => { if (has("zones")) get("zones").then((found) => setPlaces([...found.cameras.flatMap((c) => [...c.zones.filter((z) => z.use !== "mask"), ...c.lines].map((p) => [`zone:${p.name}`, p.name])), ...found.rules.map((r) => [`rule:${r}`, `rule ${r}`])])).catch(() => {}); }, []);
  useEffect(() => { get(`${mode === "events" ? "event" : "clip"}-hours?after=${Math.floor(Date.now() / 1000 - 30 * 86400)}${filter.camera ? `&camera=${filter.camera}` : ""}`).then(setHours).catch(() => setHours([])); }, [mode, filter.camera]);
  useEffect(() => { get("labels").then((found) => setLabels(found.labels.filter((l) => l.enabled).map((l) => l.name))).catch(() => {}); }, []);
  useEffect(() => {
    if (!fresh || mode !== "events" || from || (filter.camera && fresh.camera_id !== filter.camera) || (filter.label && fresh.label !== filter.label) || filter.at) return;
    setRows((all) => all.some((e) => e.id === fresh.id) ? all.map((e) => e.id === fresh.id ? { ...e, ...fresh } : e) : [fresh, ...all]);
  }, [fresh]);
  useEffect(() => {
    if (!opened) { setOpen(null); return; }
    const at = rows.find((r) => r.id === opened);
    if (at) setOpen(at); else if (open?.id !== opened) get(`${mode}/${encodeURIComponent(opened)}`).then(setOpen).catch(() => setOpen(null));
  }, [opened, rows.length > 0]);
  const step = (by) => { const at = rows.findIndex((r) => r.id === opened); if (rows[at + by]) go(`events/${rows[at + by].id}`); };
  const Row = mode === "events" ? EventRow : ClipRow;
  const empty = useMemo(() => !rows.length && state !== "loading", [rows, state]);
  return html`<div><header class="page-head"><h1>${mode === "events" ? "Events" : "Clips"}</h1><span class="grow"></span>
    ${has("replays") && who?.role !== "viewer" && html`<a class="btn" href="#/events/what-if">What if …</a>`}
    ${has("events") && html`<${Segmented} label="What to show" options=${[["events", "Events"], ["clips", "Clips"]]} value=${mode} onChange=${(value) => { setFrom(null); setRows([]); kept.set({ mode: value }); go("events"); }} />`}
    ${several && html`<label class="pick"><span class="visually-hidden">Camera</span><select onChange=${(e) => setFilter({ ...filter, camera: e.target.value })}><option value="">All cameras</option>${board.cameras.map((c) => html`<option value=${c.id}>${c.title}</option>`)}</select></label>`}
    <label class="pick"><span class="visually-hidden">What was seen</span><select onChange=${(e) => setFilter({ ...filter, label: e.target.value })}><option value="">Everything</option>${labels.map((l) => html`<option value=${l}>${title(l)}</option>`)}</select></label>
    ${mode === "events" && places.length > 0 && html`<label class="pick"><span class="visually-hidden">Where, or by which rule</span><select onChange=${(e) => setFilter({ ...filter, at: e.target.value })}><option value="">Everywhere</option>${places.map(([key, name]) => html`<option value=${key}>${name}</option>`)}</select></label>`}</header>
    <${Hours} hours=${hours} onJump=${(at) => { setFrom(at); scrollTo({ top: 0 }); }} />
    ${from && html`<p class="banner plain"><span class="grow">Up to ${new Date(from * 1000).toLocaleString("en-GB", { weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" })}</span><${Button} label="Back to now" kind="plain" onClick=${() => setFrom(null)} /></p>`}
    ${empty ? html`<${Empty} icon=${state === "failed" ? "warn" : "events"} title=${state === "failed" ? "They could not be loaded" : filter.label || filter.camera || filter.at || from ? "Nothing like that" : "Nothing has happened yet"}>${state === "failed" ? "The board did not answer." : mode === "clips" && !board?.recorders.length ? "Nothing is recorded: press Record in the live view, or set 'record' to a folder in the settings to record by itself." : "What the camera sees and the rules tell will be listed here."}</${Empty}>`
      : html`<${Timeline} items=${rows} rowPx=${rowPx} loading=${state === "loading"} more=${() => state === "more" && load(next.current, false)} label=${mode}
          render=${(item) => html`<${Row} item=${item} several=${several} onOpen=${(it) => go(`events/${it.id}`)} />`} />`}
    ${state === "loading" && html`<div class="skeleton rows-wait"></div>`}
    ${open && opened && html`<${ClipDialog} key=${open.id} item=${open} isEvent=${mode === "events"} onClose=${() => go("events")} onStep=${step} onGone=${() => { setRows((all) => all.filter((r) => r.id !== open.id)); go("events"); }} onChange=${(item) => { setOpen(item); setRows((all) => all.map((r) => r.id === item.id ? item : r)); }} />`}</div>`;
}
