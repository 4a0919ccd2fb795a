// Boxes, labels and zones, drawn from data: crisp on any screen, and never on another frame.
import { colourOf } from "./api.js";

function inkOn(colour) { // dark ink or white, whichever can be read on it (WCAG's relative luminance)
  const [r, g, b] = [1, 3, 5].map((i) => { const v = parseInt(colour.slice(i, i + 2), 16) / 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#101218" : "#ffffff";
}
function fitCanvas(canvas) { // pixels of the screen, not of the page
  const ratio = Math.min(3, window.devicePixelRatio || 1), width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  return ratio;
}
// where the picture lies in an element that shows it whole
export function placed(width, height, [pictureW, pictureH]) { const scale = Math.min(width / pictureW, height / pictureH); return { scale, x: (width - pictureW * scale) / 2, y: (height - pictureH * scale) / 2 }; }

const area = ([x1, y1, x2, y2]) => Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
const common = (a, b) => area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);

// what the page itself writes over the picture, in pixels of the canvas
function written(canvas, ratio) {
  const own = canvas.getBoundingClientRect();
  return [...canvas.parentElement.querySelectorAll(".pill, .rec")].map((part) => { const at = part.getBoundingClientRect(); return [(at.left - own.left) * ratio, (at.top - own.top) * ratio, (at.right - own.left) * ratio, (at.bottom - own.top) * ratio]; });
}

// clear: the part of the picture (x, y, width, height, in shares) that nothing may cover
export function drawOverlay(canvas, header, { boxes = true, zones = [], lines = [], clear } = {}) {
  const ratio = fitCanvas(canvas), pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (!header) return;
  const at = placed(canvas.width, canvas.height, header.frame_wh), [fw, fh] = header.frame_wh, w = fw * at.scale, h = fh * at.scale;
  const px = (canvas.width / ratio < 420 ? 11 : 13) * ratio;
  pen.font = `600 ${px}px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif`;
  pen.textBaseline = "middle";
  const room = {
    view: [at.x, at.y, at.x + w, at.y + h], taken: written(canvas, ratio),
    clear: clear && [Math.floor(at.x + clear[0] * w), Math.floor(at.y + clear[1] * h), Math.ceil(at.x + (clear[0] + clear[2]) * w), Math.ceil(at.y + (clear[1] + clear[3]) * h)],
  };
  for (const zone of zones) outline(pen, zone, at, fw, fh, ratio, true, room);
  for (const line of lines) outline(pen, line, at, fw, fh, ratio, false, room);
  if (room.clear) pen.clearRect(room.clear[0], room.clear[1], room.clear[2] - room.clear[0], room.clear[3] - room.clear[1]);
  if (boxes) drawBoxes(pen, header.detections || [], at, ratio, px, room);
}

// a box, cut so that none of its lines runs through what stays clear; it keeps as much as it can
function outside(box, clear, line) {
  const [x1, y1, x2, y2] = box, [left, top, right, low] = clear || [];
  if (!clear || x1 - line >= right || left >= x2 + line || y1 - line >= low || top >= y2 + line) return box;
  const cuts = [[x1, y1, x2, Math.min(y2, top - line)], [x1, Math.max(y1, low + line), x2, y2], [x1, y1, Math.min(x2, left - line), y2], [Math.max(x1, right + line), y1, x2, y2]];
  return cuts.reduce((best, cut) => (area(cut) > area(best) ? cut : best));
}

// the best place for a label at a box: above it, inside, beneath, at its right, else up or down from there; null where none can be read
// before: which of them it had in the last picture, and keeps while that is nearly free
function place({ view, taken, clear }, [x1, y1, x2, y2], width, height, before) {
  const spots = [[x1, y1 - height], [x1, y1], [x1, y2], [x1, y2 - height], [x2 - width, y1 - height], [x2 - width, y1], [x2 - width, y2]];
  for (let step = 1; step < 9; step++) spots.push([x1, y1 + step * height], [x1, y1 - step * height]);
  let best = null, least = 0.4 * width * height; // with more of it covered it is left out
  for (const slot of before in spots ? [before, ...spots.keys()] : spots.keys()) {
    const [x, y] = spots[slot], left = Math.max(view[0], Math.min(x, view[2] - width)), top = Math.max(view[1], Math.min(y, view[3] - height)), spot = [left, top, left + width, top + height];
    if (clear && common(spot, clear)) continue;
    const covered = taken.reduce((sum, other) => sum + common(spot, other), 0);
    const stays = slot === before && covered <= 0.25 * width * height;
    if (covered < least) { best = { spot, slot }; least = covered; }
    if (!covered || stays) break;
  }
  if (best) taken.push(best.spot);
  return best;
}

function outline(pen, shape, at, fw, fh, ratio, closed, room) {
  const points = shape.points || [];
  if (points.length < 2) return;
  pen.beginPath();
  points.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](at.x + x * fw * at.scale, at.y + y * fh * at.scale));
  if (closed) { pen.closePath(); pen.fillStyle = "#ffffff14"; pen.fill(); }
  pen.strokeStyle = "#ffffffd0"; pen.lineWidth = 1.5 * ratio; pen.setLineDash(closed ? [6 * ratio, 4 * ratio] : []); pen.stroke(); pen.setLineDash([]);
  const left = Math.min(...points.map((p) => p[0])), low = Math.max(...points.filter((p) => p[0] <= left + 0.02).map((p) => p[1]));
  const x = at.x + left * fw * at.scale + ratio, width = pen.measureText(shape.name).width + 10 * ratio, height = 18 * ratio;
  const y = at.y + low * fh * at.scale - 3 * ratio, put = place(room, [x, y, x + width, y], width, height);
  if (put) chip(pen, put.spot, "#0e1117b0", "#fff", shape.name, 5 * ratio, ratio);
}

function chip(pen, [x, y, right, low], fill, ink, words, pad, ratio) {
  pen.fillStyle = fill; pen.beginPath(); pen.roundRect(x, y, right - x, low - y, 5 * ratio); pen.fill();
  pen.fillStyle = ink; pen.fillText(words, x + pad, (y + low) / 2 + 0.5 * ratio);
}

// as the window has it: label, the classifier's word where it is another one, and the score, in steps of 5 % while the thing is tracked
function wordsOf({ label, name, classes, score, track_id }) {
  const word = name || classes?.[0]?.label, percent = track_id == null ? score * 100 : Math.floor(score * 20 + 1e-3) * 5;
  return `${label}${word && word !== label ? ` · ${word}` : ""} ${Math.round(percent)} %`;
}

const stood = new WeakMap(); // by picture, where each object's label stood in the last one
function drawBoxes(pen, found, at, ratio, px, room) {
  const height = px + 8 * ratio, line = 1.8 * ratio, shown = [];
  for (const box of found) {
    if (box.state === "tentative") continue; // a clip's lines have what was never sure, too
    const [x1, y1, x2, y2] = outside(box.xyxy.map((v, i) => (i % 2 ? at.y : at.x) + v * at.scale), room.clear, line), w = x2 - x1, h = y2 - y1;
    if (w < 1 || h < 1) continue;
    pen.lineWidth = 2 * line; pen.strokeStyle = "#0008"; pen.beginPath(); pen.roundRect(x1, y1, w, h, Math.min(7 * ratio, w / 4, h / 4)); pen.stroke();
    pen.lineWidth = 2 * ratio; pen.strokeStyle = colourOf(box.label); pen.stroke();
    shown.push({ ...box, rect: [x1, y1, x2, y2], weight: box.score * Math.sqrt(w * h) });
  }
  // in a crowd the sure and large ones are labelled; the longest known first, so that a label keeps its place
  const most = Math.max(2, Math.min(40, Math.floor(0.3 * area(room.view) / (7 * height * height))));
  const labelled = shown.sort((a, b) => b.weight - a.weight).slice(0, most).sort((a, b) => (a.track_id ?? 0) - (b.track_id ?? 0));
  const before = stood.get(pen), now = new Map(); stood.set(pen, now);
  for (const box of labelled) {
    const [x1, y1, x2, y2] = box.rect, gap = 2 * ratio, words = wordsOf(box), colour = colourOf(box.label);
    const put = place(room, [x1 - ratio, y1 - gap, x2 + ratio, y2 + gap], pen.measureText(words).width + 12 * ratio, height, before?.get(box.track_id));
    if (!put) continue;
    if (box.track_id != null) now.set(box.track_id, put.slot);
    chip(pen, put.spot, colour, inkOn(colour), words, 6 * ratio, ratio);
  }
}
