// A clip from the right second, with its boxes from the sidecar; and why an event fired.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.mjs";
import { cameraName, cameraRow, del, get, me, post, put } from "./api.js";
import { drawOverlay } from "./overlay.js";
import { useHasPicture } from "./thumb.js";
import { Button, Dialog, Fact, Icon, attempt, bytes, clock, dayName, span, title, toast, useStore } from "./ui.js";

function ClipVideo({ src, clip, at = 0, boxes = true, moments = [] }) {
  const video = useRef(), overlay = useRef(), rows = useRef(null), [ready, setReady] = useState(false), [error, setError] = useState("");
  const clear = clip && cameraRow(clip.camera)?.keep_clear, clean = clip && !clip.growing && clip.has_boxes && !clip.views.includes("annotated");
  useEffect(() => {
    if (!clean) return undefined;
    let here = true, due = 0;
    get(`clips/${clip.id}/boxes`).then((found) => { rows.current = found; setReady(true); }).catch(() => {});
    const look = () => {
      if (!here) return;
      const it = video.current, found = rows.current;
      if (it && found?.rows.length) {
        const now = it.currentTime + 0.002; let low = 0, high = found.rows.length;
        while (low < high) { const mid = (low + high) >> 1; if (found.rows[mid].clip_s <= now) low = mid + 1; else high = mid; }
        const row = found.rows[Math.max(0, low - 1)];
        drawOverlay(overlay.current, { frame_wh: found.frame_wh, detections: row.detections }, { boxes, clear });
      }
      due = it?.requestVideoFrameCallback && !it.paused ? it.requestVideoFrameCallback(look) : requestAnimationFrame(look);
    };
    look();
    return () => { here = false; cancelAnimationFrame(due); };
  }, [clip?.id, boxes, ready]);
  const begin = () => { const it = video.current; if (!it) return; if (at > 0 && it.currentTime < 0.1) it.currentTime = Math.max(0, Math.min(at - 1.5, it.duration || at)); it.play().catch(() => {}); };
  return html`<div class="clip-video"><div class=${`picture ${clear ? "credited" : ""}`} style=${{ aspectRatio: clip?.size_wh?.[0] ? `${clip.size_wh[0]} / ${clip.size_wh[1]}` : "16 / 9" }}>
    <video ref=${video} class="layer" src=${src} controls muted playsinline preload="metadata" onLoadedMetadata=${begin} onError=${() => setError("This browser cannot play it; download it instead.")} aria-label="Clip"></video>
    ${clean && html`<canvas ref=${overlay} class="layer over" aria-hidden="true"></canvas>`}${error && html`<p class="notice">${error}</p>`}</div>
    ${moments.length > 0 && html`<ul class="row moments" aria-label="In this clip">${moments.slice(0, 12).map((m) => html`<li key=${m.clip_s}><button type="button" class="chip" onClick=${() => { video.current.currentTime = m.clip_s; video.current.play(); }}><span class="num">${span(m.clip_s)}</span>${m.cause}</button></li>`)}</ul>`}</div>`;
}

function Why({ event: e }) {
  return html`<section><h3>Why it was told</h3><dl class="facts">
    <${Fact} name="Camera">${cameraName(e.camera)}</${Fact}><${Fact} name="Rule">${e.rule || { object: "any object that is looked for", zone: "every visit to a zone", line: "every crossing of a line" }[e.kind] || e.kind}</${Fact}>
    <${Fact} name="Score">${e.top_score == null ? null : `${Math.round(e.top_score * 100)} % at best${e.score == null ? "" : `, ${Math.round(e.score * 100)} % at the end`}`}</${Fact}>
    <${Fact} name="Where">${e.entered_zones?.length ? e.entered_zones.join(" → ") : null}</${Fact}>
    <${Fact} name="Line">${e.line ? `${e.line}, ${e.direction}` : null}</${Fact}>
    <${Fact} name="Stayed">${e.dwell_s ? span(e.dwell_s) : null}</${Fact}><${Fact} name="Resting">${e.stationary ? "yes" : null}</${Fact}>
    <${Fact} name="Speed">${e.speed == null ? null : `${e.speed.toFixed(1)} m/s`}</${Fact}><${Fact} name="Track">${e.track_id}</${Fact}>
    <${Fact} name="Counted">${e.counts ? Object.entries(e.counts).map(([k, v]) => `${k} ${v}`).join(", ") : null}</${Fact}>
    <${Fact} name="Energy">${e.energy_j ? `${e.energy_j.toFixed(1)} J` : null}</${Fact}>
    <${Fact} name="Rules' version">${e.rules_version ? html`<span class="mono">${e.rules_version.replace("sha256:", "").slice(0, 10)}</span>` : null}</${Fact}></dl></section>`;
}

function ShareDialog({ path, onClose }) {
  const [hours, setHours] = useState(24), [link, setLink] = useState(null);
  const make = () => attempt(async () => { const made = await post(`${path}/share`, { hours }); setLink(location.origin + made.path); });
  return html`<${Dialog} title="Share by a link" kind="narrow" onClose=${onClose}><div class="stack"><p class="muted small">Whoever has the link and reaches this board sees this one clip, and nothing else, until it ends.</p>
    ${link ? html`<input type="text" readonly value=${link} aria-label="Link" onFocus=${(e) => e.target.select()} /><${Button} icon="check" label="Copy" kind="main" onClick=${() => (navigator.clipboard ? navigator.clipboard.writeText(link).then(() => toast("copied")) : toast("select it and copy"))} />`
      : html`<label class="field"><span>It ends after</span><select value=${hours} onChange=${(e) => setHours(Number(e.target.value))}><option value="1">an hour</option><option value="24">a day</option><option value="168">a week</option></select></label><${Button} icon="share" label="Make the link" kind="main" onClick=${make} />`}</div></${Dialog}>`;
}

export function ClipDialog({ item, isEvent, looking, onClose, onStep, onGone, onChange }) {
  const who = useStore(me), kept = useHasPicture(item), [clip, setClip] = useState(isEvent ? null : item), [gone, setGone] = useState(false), [boxes, setBoxes] = useState(true), [sharing, setSharing] = useState(false), [sure, setSure] = useState(false);
  const name = isEvent ? item.clip?.replace(/\.[^.]+$/, "").replace(/\.clean$/, "") : item.id, operator = who?.role !== "viewer" && !looking, admin = who?.role === "admin" && !looking;
  useEffect(() => { if (isEvent && name) get(`clips?id=${name}`).then(({ clips: [found] }) => { setClip(found || null); setGone(!found); }).catch(() => setGone(true)); }, [name]);
  useEffect(() => {
    const press = (e) => { if (e.target.tagName === "VIDEO" || e.target.tagName === "INPUT") return; if (e.key === "ArrowLeft" || e.key === "k") onStep(-1); if (e.key === "ArrowRight" || e.key === "j") onStep(1); };
    addEventListener("keydown", press); return () => removeEventListener("keydown", press);
  });
  const path = isEvent ? `events/${item.id}` : `clips/${name}`, protectedNow = isEvent ? item.protected : clip?.protected;
  const protect = () => attempt(async () => { await put(`${path}/protected`, { protected: !protectedNow }); onChange({ ...item, protected: !protectedNow }); if (!isEvent) setClip({ ...clip, protected: !protectedNow }); }, protectedNow ? "no longer protected" : "protected");
  const remove = () => sure ? attempt(async () => { const done = await del(path); onGone(); return done; }, (d) => d.message) : setSure(true);
  const heading = `${title(item.label || item.labels?.slice(0, 2).join(", ") || item.state || item.kind || "Clip")}, ${dayName(item.start_time).toLowerCase()} ${clock(item.start_time)}`;
  return html`<${Dialog} title=${heading} kind="wide" onClose=${onClose}><div class="clip">
    <div>${clip ? html`<${ClipVideo} src=${`/api/clips/${clip.id}/video.mp4`} clip=${clip} at=${item.clip_s || 0} boxes=${boxes} moments=${isEvent ? [] : clip.moments} />`
      : kept ? html`<img class="still" src=${`/api/events/${item.id}/snapshot.jpg`} alt=${heading} />` : html`<div class="no-clip"><${Icon} name="live" /></div>`}${!clip && (gone || !item.clip) && html`<p class="muted small clip-note">${gone ? "Its clip is no longer there." : "Nothing was recorded of it."}</p>`}</div>
    <aside class="stack">${isEvent && html`<${Why} event=${item} />`}
      ${clip && html`<section><h3>The clip</h3><dl class="facts">${!isEvent && html`<${Fact} name="Camera">${cameraName(clip.camera)}</${Fact}>`}<${Fact} name="Length">${clip.growing ? "being written" : span(clip.duration_s)}</${Fact}><${Fact} name="Size">${clip.size_wh.join(" × ")}, ${bytes(clip.bytes)}</${Fact}><${Fact} name="Seen">${clip.labels.slice(0, 8).join(", ")}</${Fact}><${Fact} name="Missed">${clip.missed ? `${clip.missed} frames` : null}</${Fact}></dl></section>`}
      <div class="row actions"><${Button} icon="back" label="Newer" only kind="plain" onClick=${() => onStep(-1)} /><${Button} icon="next" label="Older" only kind="plain" onClick=${() => onStep(1)} /><span class="grow"></span>
        ${clip?.has_boxes && !clip.views.includes("annotated") && html`<${Button} icon="boxes" label="Boxes" only pressed=${boxes} kind="plain" onClick=${() => setBoxes(!boxes)} />`}
        ${operator && !clip?.growing && html`<${Button} icon="protect" label="Protect" only pressed=${Boolean(protectedNow)} kind="plain" onClick=${protect} />`}
        ${clip && !clip.growing && html`<a class="btn plain icon-only" href=${`/api/clips/${clip.id}/video.mp4?download=true`} download aria-label="Download" title="Download"><${Icon} name="download" small /></a>`}
        ${admin && clip && !clip.growing && html`<${Button} icon="share" label="Share" only kind="plain" onClick=${() => setSharing(true)} />`}
        ${admin && !clip?.growing && html`<${Button} icon="trash" label=${sure ? "Delete it for good" : "Delete"} only=${!sure} kind="plain danger" onClick=${remove} />`}</div></aside></div>
    ${sharing && html`<${ShareDialog} path=${`clips/${clip.id}`} onClose=${() => setSharing(false)} />`}</${Dialog}>`;
}

export function Shared({ secret }) { // what a link shows, to somebody who is not logged in
  const [clip, setClip] = useState(undefined);
  useEffect(() => { get(`shared/${secret}`).then(setClip).catch(() => setClip(null)); }, [secret]);
  if (clip === undefined) return null;
  return html`<main class="shared"><h1>${clip ? `${title(clip.labels.slice(0, 3).join(", ") || "Clip")}, ${dayName(clip.start_time).toLowerCase()} ${clock(clip.start_time)}` : "This link has ended"}</h1>
    ${clip ? html`<${ClipVideo} src=${`/api/shared/${secret}/video.mp4`} clip=${{ ...clip, has_boxes: false }} />` : html`<p class="muted">Ask whoever sent it for a new one.</p>`}</main>`;
}
