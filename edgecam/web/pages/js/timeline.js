// A list that may be endless: only what can be seen is in the page, more is fetched as one scrolls.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/htm-preact.mjs";
import { dayKey, dayName } from "./ui.js";

const DAY_PX = 52;

export function Timeline({ items, rowPx, more, loading, render, label }) {
  const box = useRef(), [view, setView] = useState({ top: 0, height: 900 });
  const laid = useMemo(() => { // days and rows, each with its place
    const found = []; let y = 0, day = "";
    for (const item of items) {
      const key = dayKey(item.start_time);
      if (key !== day) { day = key; found.push({ y, day: dayName(item.start_time), key }); y += DAY_PX; }
      found.push({ y, item }); y += rowPx;
    }
    return { found, height: y };
  }, [items, rowPx]);
  useLayoutEffect(() => {
    let due = 0;
    const look = () => { due = 0; const at = box.current?.getBoundingClientRect(); if (at) setView({ top: -at.top, height: innerHeight }); };
    const ask = () => { due ||= requestAnimationFrame(look); };
    look(); addEventListener("scroll", ask, { passive: true }); addEventListener("resize", ask);
    return () => { cancelAnimationFrame(due); removeEventListener("scroll", ask); removeEventListener("resize", ask); };
  }, []);
  const from = view.top - 500, to = view.top + view.height + 700;
  const shown = useMemo(() => { // the places are in order: find the first by halving
    let low = 0, high = laid.found.length;
    while (low < high) { const mid = (low + high) >> 1; if (laid.found[mid].y + rowPx < from) low = mid + 1; else high = mid; }
    const seen = []; for (let i = low; i < laid.found.length && laid.found[i].y < to; i++) seen.push(laid.found[i]);
    return seen;
  }, [laid, Math.floor(from / 200), Math.floor(to / 200), rowPx]);
  useEffect(() => { if (!loading && to > laid.height - 400) more(); }, [Math.floor(to / 300), laid.height, loading]);
  return html`<ol class="timeline" ref=${box} style=${{ height: `${laid.height}px` }} aria-label=${label}>${shown.map((one) => one.item
    ? html`<li key=${one.item.id} class="slot" style=${{ transform: `translateY(${one.y}px)`, height: `${rowPx}px` }}>${render(one.item)}</li>`
    : html`<li key=${one.key} class="day" style=${{ transform: `translateY(${one.y}px)` }}><h2>${one.day}</h2></li>`)}</ol>`;
}

// hours of the last days as bars; each leads to its hour
export function Hours({ hours, onJump }) {
  const days = useMemo(() => {
    const by = new Map(); let most = 1;
    for (const { hour, count } of hours) {
      const at = hour * 3600, key = dayKey(at), row = by.get(key) || { at, counts: new Array(24).fill(0) };
      row.counts[new Date(at * 1000).getHours()] += count; most = Math.max(most, row.counts[new Date(at * 1000).getHours()]); by.set(key, row);
    }
    return { most, rows: [...by.values()].sort((a, b) => b.at - a.at).slice(0, 30) };
  }, [hours]);
  if (!days.rows.length) return null;
  return html`<div class="hours" role="group" aria-label="By hour">${days.rows.map(({ at, counts }) => {
    const start = new Date(at * 1000); start.setHours(0, 0, 0, 0); const sum = counts.reduce((a, b) => a + b, 0);
    return html`<button type="button" class="hours-day" onClick=${(e) => {
      const bars = e.currentTarget.querySelector(".bars").getBoundingClientRect(), hour = e.detail ? Math.max(0, Math.min(23, Math.floor((e.clientX - bars.left) / bars.width * 24))) : 23;
      onJump(start.getTime() / 1000 + (hour + 1) * 3600);
    }} aria-label=${`${dayName(at)}, ${sum}`}><span class="hours-name">${dayName(at).replace(/ \w+$/, (m) => m.slice(0, 4))}<b class="num">${sum}</b></span>
      <span class="bars" aria-hidden="true">${counts.map((n, h) => html`<i key=${h} style=${{ height: n ? `${18 + 82 * Math.sqrt(n / days.most)}%` : "2px" }} class=${n ? "on" : ""}></i>`)}</span></button>`;
  })}</div>`;
}
