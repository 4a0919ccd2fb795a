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

export function drawOverlay(canvas, header, { boxes = true, zones = [], lines = [] } = {}) {
  const ratio = fitCanvas(canvas), pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (!header) return;
  const at = placed(canvas.width, canvas.height, header.frame_wh), [fw, fh] = header.frame_wh;
  const small = canvas.width / ratio < 420, px = (small ? 11 : 13) * ratio;
  pen.font = `600 ${px}px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif`;
  pen.textBaseline = "middle";
  const top = 44 * ratio, taken = [[0, 0, canvas.width * 0.34, top], [canvas.width - 140 * ratio, 0, canvas.width, top]]; // the camera's name and REC stand there
  for (const zone of zones) outline(pen, zone, at, fw, fh, ratio, true, taken);
  for (const line of lines) outline(pen, line, at, fw, fh, ratio, false, taken);
  if (!boxes) return;
  for (const box of header.detections || []) drawBox(pen, box, at, ratio, px, small, canvas, taken);
}

// the next free place downwards, which is then taken
function free(taken, left, top, width, height) {
  for (let tries = 0; tries < 4; tries++) {
    const under = taken.find((t) => left < t[2] && left + width > t[0] && top < t[3] && top + height > t[1]);
    if (!under) break;
    top = under[3] + 2;
  }
  taken.push([left, top, left + width, top + height]);
  return top;
}

function outline(pen, shape, at, fw, fh, ratio, closed, taken) {
  const points = shape.points || [];
  if (points.length < 2) return;
  pen.beginPath();
  points.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](at.x + x * fw * at.scale, at.y + y * fh * at.scale));
  if (closed) { pen.closePath(); pen.fillStyle = "#ffffff14"; pen.fill(); }
  pen.strokeStyle = "#ffffffd0"; pen.lineWidth = 1.5 * ratio; pen.setLineDash(closed ? [6 * ratio, 4 * ratio] : []); pen.stroke(); pen.setLineDash([]);
  const left = Math.min(...points.map((p) => p[0])), low = Math.max(...points.filter((p) => p[0] <= left + 0.02).map((p) => p[1]));
  const x = at.x + left * fw * at.scale + ratio, width = pen.measureText(shape.name).width + 10 * ratio, height = 18 * ratio;
  const y = free(taken, x, at.y + low * fh * at.scale - 21 * ratio, width, height);
  pen.fillStyle = "#0e1117b0"; pen.beginPath(); pen.roundRect(x, y, width, height, 5 * ratio); pen.fill();
  pen.fillStyle = "#fff"; pen.fillText(shape.name, x + 5 * ratio, y + height / 2 + 0.5 * ratio);
}

function drawBox(pen, box, at, ratio, px, small, canvas, taken) {
  const colour = colourOf(box.label), [x1, y1, x2, y2] = box.xyxy;
  const x = at.x + x1 * at.scale, y = at.y + y1 * at.scale, w = (x2 - x1) * at.scale, h = (y2 - y1) * at.scale;
  const radius = Math.min(7 * ratio, w / 4, h / 4);
  pen.lineWidth = 3.6 * ratio; pen.strokeStyle = "#0008"; pen.beginPath(); pen.roundRect(x, y, w, h, radius); pen.stroke();
  pen.lineWidth = 2 * ratio; pen.strokeStyle = colour; pen.stroke();
  const words = small ? box.label : `${box.label} ${Math.round(box.score * 100)}${box.track_id == null ? "" : ` · ${box.track_id}`}`;
  const width = pen.measureText(words).width + 12 * ratio, height = px + 8 * ratio;
  let top = y - height - 2 * ratio;
  if (top < at.y) top = Math.min(y + 2 * ratio, canvas.height - height);
  const left = Math.max(0, Math.min(x - ratio, canvas.width - width));
  top = free(taken, left, top, width, height);
  pen.fillStyle = colour; pen.beginPath(); pen.roundRect(left, top, width, height, 5 * ratio); pen.fill();
  pen.fillStyle = inkOn(colour); pen.fillText(words, left + 6 * ratio, top + height / 2 + 0.5 * ratio);
}
