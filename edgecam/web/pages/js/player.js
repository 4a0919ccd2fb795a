// One live picture: a WebSocket, a decoder (WebCodecs, else MSE, else JPEG), and the boxes of the very frame that is shown.
import { age, heardClock, socketUrl } from "./api.js";
import { MseFeed, codecOf, parametersOf } from "./mse.js";

const wish = new URLSearchParams(location.search).get("decoder"); // for tests, and for a browser that lies about itself
function chooseDecoder() {
  if (wish) return wish;
  if (window.isSecureContext && "VideoDecoder" in window) return "webcodecs";
  return MseFeed.possible() ? "mse" : "jpeg";
}

export class Player {
  // canvas: for decoded pictures; video: for MSE. onFrame(header) after a picture is on its way to the screen; onState(words).
  constructor(camera, { canvas, video, size = "live", onFrame, onState, onSource }) {
    Object.assign(this, { camera, canvas, video, size, onFrame, onState, onSource });
    this.decoder = chooseDecoder(); this.wait = 0.4; this.drawn = 0; this.ages = []; this.closed = false; this.headers = new Map();
    this.exact = "VideoFrame" in window; // then the canvas shows what the video decodes, and the two cannot differ
    this.pen = canvas.getContext("2d", { alpha: false });
    this.visible = () => { if (document.hidden) this.stop(); else if (!this.socket) this.open(); };
    document.addEventListener("visibilitychange", this.visible);
    this.open();
  }
  open() {
    if (this.closed || document.hidden) return;
    clearTimeout(this.timer);
    this.onState("connecting");
    const socket = this.socket = new WebSocket(socketUrl(`${this.camera}/live?size=${this.size}${this.decoder === "jpeg" ? "&format=jpeg" : ""}`));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { this.ping(); this.pinging = setInterval(() => this.ping(), 2000); };
    socket.onmessage = (message) => { if (this.socket === socket) this.heard(message.data); };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.stop();
      if (this.closed || document.hidden) return;
      this.onState("lost");
      this.timer = setTimeout(() => this.open(), this.wait * 1000);
      this.wait = Math.min(6, this.wait * 1.7);
    };
  }
  ping() { if (this.socket?.readyState === 1) this.socket.send(JSON.stringify({ ping: performance.now() })); }
  heard(data) {
    if (typeof data === "string") { const said = JSON.parse(data); heardClock(said.pong, said.now_ns); return; }
    const length = new DataView(data).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length))), picture = new Uint8Array(data, 4 + length);
    header.detections ||= [];
    this.wait = 0.4; this.newest = header; this.bytes = (this.bytes || 0) + data.byteLength;
    if (++this.count % 5 === 0 || header.key) this.socket.send(JSON.stringify({ seen: header.index }));
    try { this[this.decoder](header, picture); } catch (error) { this.fail(error); }
  }
  count = 0;
  webcodecs(header, picture) {
    if (header.key) {
      const { sps } = parametersOf(picture);
      if (sps && (codecOf(sps) !== this.codec || this.video_decoder?.state !== "configured")) {
        this.codec = codecOf(sps);
        if (this.video_decoder?.state !== "configured") this.video_decoder = new VideoDecoder({ output: (frame) => this.decoded(frame), error: (error) => this.fail(error) });
        this.video_decoder.configure({ codec: this.codec, optimizeForLatency: true });
        this.begun = true;
      }
    }
    if (!this.begun || this.video_decoder.state !== "configured") return;
    if (this.video_decoder.decodeQueueSize > 8 && !header.key) { this.begun = false; return; } // too slow here: begin again at the next key
    const stamp = Math.round(header.captured_ns / 1000);
    this.headers.set(stamp, header);
    if (this.headers.size > 120) this.headers.delete(this.headers.keys().next().value);
    this.video_decoder.decode(new EncodedVideoChunk({ type: header.key ? "key" : "delta", timestamp: stamp, data: picture }));
  }
  decoded(frame) {
    const header = this.headers.get(frame.timestamp);
    this.headers.delete(frame.timestamp);
    if (header && !this.closed) this.draw(frame, header, frame.displayWidth, frame.displayHeight);
    frame.close();
  }
  async jpeg(header, picture) {
    const image = await createImageBitmap(new Blob([picture], { type: "image/jpeg" }));
    if (!this.closed && (this.shown?.captured_ns ?? 0) <= header.captured_ns) this.draw(image, header, image.width, image.height);
    image.close();
  }
  mse(header, picture) {
    if (!this.feed) {
      this.feed = new MseFeed(this.video, (error) => this.fail(error), () => this.exact && this.watch());
      if (!this.exact) this.follow();
    }
    this.feed.add(header, picture);
  }
  // A hidden video has its next picture taken by whoever asks for it, as soon as it is decoded; a visible one waits for the
  // screen, and stops its clock whenever the newest picture was shown. So ask, from when it was appended until it is there.
  watch(until = performance.now() + 250) {
    clearTimeout(this.watching);
    if (this.closed || !this.feed) return;
    this.painted();
    if (this.shown !== this.newest && performance.now() < until) this.watching = setTimeout(() => this.watch(until), 4);
  }
  follow(data) { // what a visible video shows: where its pictures cannot be taken
    if (this.closed || !this.feed) return;
    this.painted(data);
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback((_now, next) => this.follow(next)); else requestAnimationFrame(() => this.follow());
  }
  painted(data) { // which picture the video shows: its own word where VideoFrame tells it, for the browser may be one further than it says
    if (this.exact) {
      if (this.video.readyState < 2) return;
      let frame; try { frame = new VideoFrame(this.video); } catch { return; }
      const header = this.feed.headerAt(frame.timestamp / 1e6);
      if (header && header !== this.shown) this.draw(frame, header, frame.displayWidth, frame.displayHeight);
      frame.close();
    } else {
      const header = this.feed.headerAt(data ? data.mediaTime : this.video.currentTime);
      if (header && header !== this.shown) this.show(header);
    }
  }
  draw(image, header, width, height) {
    if (this.canvas.width !== width || this.canvas.height !== height) { this.canvas.width = width; this.canvas.height = height; }
    this.pen.drawImage(image, 0, 0, width, height);
    this.show(header);
  }
  show(header) {
    this.shown = header; this.drawn++;
    const old = age(header.captured_ns);
    if (old !== null) { this.ages.push(old); if (this.ages.length > 60) this.ages.shift(); }
    this.onState("live"); this.onFrame(header);
  }
  get age_ms() { if (!this.ages.length) return null; const sorted = [...this.ages].sort((a, b) => a - b); return sorted[Math.floor(sorted.length / 2)]; }
  fail(error) { // a decoder that gives up: the next humbler one
    if (this.closed) return;
    const order = ["webcodecs", "mse", "jpeg"], next = order[Math.min(2, order.indexOf(this.decoder) + 1)];
    this.failures = (this.failures || 0) + 1;
    if (this.failures > 2 || this.decoder === "mse") this.decoder = next === "mse" && !MseFeed.possible() ? "jpeg" : next;
    console.info(`edgecam: ${error?.message || error}; going on with ${this.decoder}`);
    this.stop(); this.onSource?.(this.decoder);
    this.timer = setTimeout(() => this.open(), 300);
  }
  stop() {
    clearInterval(this.pinging); clearTimeout(this.timer); clearTimeout(this.watching);
    const socket = this.socket; this.socket = null;
    if (socket?.readyState === 0) socket.onopen = () => socket.close(); else socket?.close(); // closing it before it is open is an error in the console
    try { this.video_decoder?.close(); } catch { /* closed by its own error */ }
    this.video_decoder = null; this.begun = false; this.codec = ""; this.headers.clear();
    this.feed?.close(); this.feed = null;
  }
  close() { this.closed = true; document.removeEventListener("visibilitychange", this.visible); this.stop(); }
}
