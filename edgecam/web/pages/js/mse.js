// H.264 access units (Annex B) to fragmented MP4, in the browser: for those whose context is not secure enough for WebCodecs.
// Boxes after ISO/IEC 14496-12 and 14496-15.

const SCALE = 90000;
const text = (s) => [...s].map((c) => c.charCodeAt(0));
const u32 = (n) => [n >>> 24 & 255, n >>> 16 & 255, n >>> 8 & 255, n & 255];
const u16 = (n) => [n >>> 8 & 255, n & 255];
const zeros = (n) => new Array(n).fill(0);
function box(kind, ...parts) { const body = parts.flat(); return [...u32(body.length + 8), ...text(kind), ...body]; }
const full = (kind, version, flags, ...parts) => box(kind, [version, flags >> 16 & 255, flags >> 8 & 255, flags & 255], ...parts);
const UNITY = [...u32(0x10000), ...zeros(12), ...u32(0x10000), ...zeros(12), ...u32(0x40000000)];

function units(data) { // the NAL units of an access unit, without their start codes
  const found = []; let start = -1;
  for (let i = 0; i + 2 < data.length; i++) {
    if (data[i] === 0 && data[i + 1] === 0 && data[i + 2] === 1) {
      if (start >= 0) found.push(data.subarray(start, data[i - 1] === 0 ? i - 1 : i));
      start = i + 3; i += 2;
    }
  }
  if (start >= 0) found.push(data.subarray(start));
  return found;
}
export const codecOf = (sps) => "avc1." + [sps[1], sps[2], sps[3]].map((b) => b.toString(16).padStart(2, "0")).join("");
export const parametersOf = (data) => { const all = units(data); return { sps: all.find((u) => (u[0] & 31) === 7), pps: all.find((u) => (u[0] & 31) === 8) }; };

function initSegment(sps, pps, [width, height]) {
  const avcC = box("avcC", [1, sps[1], sps[2], sps[3], 0xff, 0xe1], u16(sps.length), [...sps], [1], u16(pps.length), [...pps]);
  const avc1 = box("avc1", zeros(6), u16(1), zeros(16), u16(width), u16(height), u32(0x480000), u32(0x480000), u32(0), u16(1), zeros(32), u16(24), [0xff, 0xff], avcC);
  const stbl = box("stbl", full("stsd", 0, 0, u32(1), avc1), full("stts", 0, 0, u32(0)), full("stsc", 0, 0, u32(0)), full("stsz", 0, 0, u32(0), u32(0)), full("stco", 0, 0, u32(0)));
  const minf = box("minf", full("vmhd", 0, 1, zeros(8)), box("dinf", full("dref", 0, 0, u32(1), full("url ", 0, 1))), stbl);
  const mdia = box("mdia", full("mdhd", 0, 0, u32(0), u32(0), u32(SCALE), u32(0), u16(0x55c4), u16(0)), full("hdlr", 0, 0, u32(0), text("vide"), zeros(12), [0]), minf);
  const tkhd = full("tkhd", 0, 3, u32(0), u32(0), u32(1), u32(0), u32(0), zeros(8), u16(0), u16(0), u16(0), u16(0), UNITY, u32(width << 16), u32(height << 16));
  const moov = box("moov", full("mvhd", 0, 0, u32(0), u32(0), u32(SCALE), u32(0), u32(0x10000), u16(0x100), zeros(10), UNITY, zeros(24), u32(2)), box("trak", tkhd, mdia), box("mvex", full("trex", 0, 0, u32(1), u32(1), u32(0), u32(0), u32(0))));
  return new Uint8Array([...box("ftyp", text("iso6"), u32(1), text("iso6avc1mp41")), ...moov]);
}

function mediaSegment(number, at, duration, key, data) { // at, duration: ticks of 1/90000 s
  const kept = units(data).filter((u) => ![7, 8, 9].includes(u[0] & 31));
  const size = kept.reduce((sum, u) => sum + 4 + u.length, 0);
  const moof = (offset) => box("moof", full("mfhd", 0, 0, u32(number)), box("traf", full("tfhd", 0, 0x20000, u32(1)),
    full("tfdt", 1, 0, u32(Math.floor(at / 2 ** 32)), u32(at % 2 ** 32 >>> 0)), full("trun", 0, 0x701, u32(1), u32(offset), u32(duration), u32(size), u32(key ? 0x2000000 : 0x1010000))));
  const head = moof(moof(0).length + 8);
  const made = new Uint8Array(head.length + 8 + size);
  made.set(head); made.set([...u32(size + 8), ...text("mdat")], head.length);
  let to = head.length + 8;
  for (const unit of kept) { made.set(u32(unit.length), to); made.set(unit, to + 4); to += 4 + unit.length; }
  return made;
}

// Feeds a <video>: keeps it near the newest picture, forgets what was shown, and knows which picture is on the screen.
export class MseFeed {
  constructor(video, onError, onAppended) {
    this.video = video; this.onError = onError; this.onAppended = onAppended; this.queue = []; this.number = 0; this.at = 0; this.first = null; this.shown = new Map(); this.buffer = null; this.codec = ""; this.usual = 3000; this.newest = 0;
    const Source = window.ManagedMediaSource || window.MediaSource;
    this.source = new Source();
    if (window.ManagedMediaSource) video.disableRemotePlayback = true;
    video.src = this.url = URL.createObjectURL(this.source);
    this.source.addEventListener("sourceopen", () => this.flush());
  }
  static possible() { return Boolean(window.ManagedMediaSource || window.MediaSource); }
  add(header, data) {
    const real = header.captured_ns / 1e9 * SCALE;
    if (header.key) {
      const { sps, pps } = parametersOf(data);
      if (sps && pps && (this.codec !== codecOf(sps) || this.size !== String(header.size_wh))) {
        this.codec = codecOf(sps); this.size = String(header.size_wh);
        this.queue.push(initSegment(sps, pps, header.size_wh));
      }
    }
    if (!this.codec) return;
    if (this.first === null) this.first = real;
    // a duration is needed before the next frame is known: the usual distance, steered towards the true time
    const behind = real - this.first - this.at;
    if (this.last !== undefined) this.usual += (Math.min(18000, Math.max(900, real - this.last)) - this.usual) * 0.1;
    const duration = Math.max(300, Math.round(this.usual + behind * 0.25));
    this.last = real;
    this.shown.set(Math.round(this.at), header);
    if (this.shown.size > 300) this.shown.delete(this.shown.keys().next().value);
    this.queue.push(mediaSegment(++this.number, this.at, duration, header.key, data));
    this.newest = this.at; this.at += duration;
    if (this.queue.length > 120) { this.onError(new Error("the browser does not take the pictures")); return; }
    this.flush();
  }
  flush() {
    if (this.source.readyState !== "open" || !this.queue.length) return;
    try {
      if (!this.buffer) {
        this.buffer = this.source.addSourceBuffer(`video/mp4; codecs="${this.codec}"`);
        this.buffer.addEventListener("updateend", () => { this.trim(); this.flush(); this.onAppended(); });
      }
      if (this.buffer.updating) return;
      const all = this.queue.splice(0), size = all.reduce((sum, part) => sum + part.length, 0), joined = new Uint8Array(size);
      let to = 0; for (const part of all) { joined.set(part, to); to += part.length; }
      this.buffer.appendBuffer(joined);
    } catch (error) { this.onError(error); }
  }
  trim() {
    const { video, buffer } = this, ranges = buffer.buffered;
    if (!ranges.length) return;
    // as near to the newest picture as it goes: what lags is played faster (a picture late by a whole distance at the double
    // speed and more), since a seek would decode again from the last key picture
    const end = ranges.end(ranges.length - 1), lag = this.newest / SCALE - video.currentTime;
    if (lag > 1.5 || lag < -1) video.currentTime = Math.max(ranges.start(ranges.length - 1), this.newest / SCALE);
    video.playbackRate = Math.min(4, Math.max(1, 1 + lag * 16));
    if (video.paused) video.play().catch(() => {});
    if (!buffer.updating && end - ranges.start(0) > 12) try { buffer.remove(0, end - 6); } catch { /* next time */ }
  }
  headerAt(seconds) { // the picture that is on the screen at that time of the video's own clock
    let best = null; const wanted = seconds * SCALE;
    for (const [at, header] of this.shown) if (at <= wanted + 45) best = header; else break;
    return best;
  }
  close() { try { if (this.source.readyState === "open") this.source.endOfStream(); } catch { /* gone */ } this.video.removeAttribute("src"); this.video.load(); URL.revokeObjectURL(this.url); }
}
