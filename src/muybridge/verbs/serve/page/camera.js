// The browser's camera: frames as JPEG over a WebSocket, the label as it is now, and the events.

import { bars } from "./answers.js";
import { ask, Failure, socketTo } from "./api.js";
import { Colours } from "./colours.js";
import { announce, button, freshId, make } from "./dom.js";
import { save } from "./downloads.js";
import { clock, NONE_OF_THESE, sentence } from "./words.js";

const SHORT_SIDE_PX = 256, JPEG_QUALITY = 0.85, MOST_BUFFERED_BYTES = 300_000, MOST_WAIT_SECONDS = 30, TRY_AGAIN_LATER = 1013, LAST_WORDS_MS = 5000;

const REFUSALS = {
  NotAllowedError: "The browser was not allowed to use the camera. Allow it in the address bar, then start again.",
  NotFoundError: "No camera was found. Connect one, then start again.",
  NotReadableError: "The camera cannot be opened; another program may be using it.",
  OverconstrainedError: "The chosen camera is gone. Choose another one.",
};

export class Camera {
  #stream = null;
  #socket = null;
  #ending = null;
  #timer = null;
  #again = null;
  #wait = 1;
  #begun = 0;
  #encoding = false;
  #skipped = 0;
  #dropped = 0;
  #delay = null;

  /** @param element where it goes @param chosenModel gives the description of the model */
  constructor(element, chosenModel) {
    Object.assign(this, { element, chosenModel, events: [] });
    this.video = make("video", { muted: true, playsInline: true, ariaLabel: "The camera's picture" });
    this.canvas = make("canvas");
    this.start = button("Start the camera", () => this.begin(), { className: "main" });
    this.stop = button("Stop", () => this.end(), { hidden: true });
    this.which = make("select", { id: freshId(), on: { change: () => { if (this.#stream) { this.end(); this.begin(); } } } });
    this.whichField = make("div", { className: "field", hidden: true }, make("label", { htmlFor: this.which.id, text: "Camera" }), this.which);
    this.problem = make("p", { className: "problem", role: "alert" });
    this.facts = make("p", { className: "soft" });
    this.label = make("strong", { text: "—" });
    this.score = make("span", { className: "score" });
    this.bars = make("div");
    this.rows = make("tbody");
    this.none = make("p", { className: "soft", text: "None so far." });
    this.saveButton = button("Save as CSV", () => this.#save(), { hidden: true });
    const head = ["event", "start", "end", "score"].map((text, at) => make("th", { scope: "col", text, className: at ? "number" : "" }));
    element.append(
      make("div", { className: "row wrap" }, this.start, this.stop, this.whichField),
      make("p", { className: "soft", text: "Frames go to the server that this page came from, and are not kept there." }),
      this.problem,
      make("div", { className: "live" },
        make("div", { className: "preview" }, this.video, this.facts),
        make("div", { className: "text" }, make("h2", { text: "Now" }), make("p", { className: "verdict" }, this.label, this.score), this.bars)),
      make("div", { className: "list" }, make("div", { className: "head" }, make("h2", { text: "Events" }), this.saveButton),
        this.none, make("table", { hidden: true }, make("thead", {}, make("tr", {}, ...head)), this.rows)),
    );
  }

  get running() {
    return this.#stream !== null;
  }

  async begin() {
    this.#say("");
    if (!navigator.mediaDevices?.getUserMedia)
      return this.#say("Browsers give their camera only to pages at http://localhost or https. Open the page on the server's own machine, or start the server with --tls-cert and --tls-key.");
    this.start.disabled = true;
    try {
      const device = this.which.value ? { deviceId: { exact: this.which.value } } : {};
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { width: { ideal: 640 }, height: { ideal: 480 }, ...device } });
    } catch (error) {
      return this.#say(REFUSALS[error.name] ?? `The camera cannot be opened: ${error.message}`);
    } finally {
      this.start.disabled = false;
    }
    this.#stream.getVideoTracks()[0].addEventListener("ended", () => { this.end(); this.#say("The camera was disconnected."); });
    this.video.srcObject = this.#stream;
    await this.video.play();
    await this.#listCameras();
    this.#begun = performance.now();
    this.#skipped = this.#dropped = 0;
    this.#ending = null;
    this.#delay = null;
    this.events = [];
    this.#showEvents();
    this.#showRunning(true);
    this.#connect();
  }

  end() {
    this.#finish();
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.video.srcObject = null;
    this.label.textContent = "—";
    this.score.textContent = this.facts.textContent = "";
    this.bars.replaceChildren();
    this.#showRunning(false);
  }

  /** Another model: the same camera goes on with it. */
  modelChanged() {
    if (!this.running) return;
    this.#disconnect();
    this.#connect();
  }

  #showRunning(running) {
    const had = [this.start, this.stop].includes(document.activeElement);
    this.start.hidden = running;
    this.stop.hidden = !running;
    this.element.classList.toggle("running", running);
    if (had) (running ? this.stop : this.start).focus();
    announce(running ? "The camera is on" : "The camera is off");
  }

  async #listCameras() {
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(each => each.kind === "videoinput" && each.deviceId);
    const used = this.#stream.getVideoTracks()[0].getSettings().deviceId;
    this.which.replaceChildren(...cameras.map((each, at) => make("option", { value: each.deviceId, text: each.label || `camera ${at + 1}` })));
    if (used) this.which.value = used;
    this.whichField.hidden = cameras.length < 2;
  }

  #connect() {
    const model = this.chosenModel(), socket = socketTo(`/stream?model=${encodeURIComponent(model.name)}`);
    this.colours = new Colours(model.classes);
    this.#socket = socket;
    socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "start", format: "jpeg" })));
    socket.addEventListener("message", event => { this.#heard(JSON.parse(event.data), socket); });
    socket.addEventListener("close", event => { if (socket === this.#socket) this.#lost(event.code); });
  }

  /** Say that nothing more comes, and hear the last events: the server closes then. */
  #finish() {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN || this.#timer === null) return this.#disconnect();
    this.#ending = socket;
    this.#socket = null;
    this.#disconnect();
    socket.send(JSON.stringify({ type: "stop" }));
    setTimeout(() => socket.close(), LAST_WORDS_MS);
  }

  #disconnect() {
    const socket = this.#socket;
    this.#socket = null;
    clearInterval(this.#timer);
    clearTimeout(this.#again);
    this.#timer = null;
    socket?.close();
  }

  /** The connection ended, and nobody here wanted it: find out why, and try again where that may help. */
  async #lost(code) {
    const wasReady = this.#timer !== null;
    let answers = false;
    this.#disconnect();
    if (!this.running) return;
    if (code !== TRY_AGAIN_LATER) {
      try {
        await ask("/models");
        answers = true;
      } catch (error) {
        // An answer, such as a wrong token, will be the same next time; no answer may change.
        if (error instanceof Failure && error.status) { this.end(); return this.#say(error.message); }
      }
      if (!this.running || this.#socket) return;
    }
    const why = code === TRY_AGAIN_LATER ? "The server is busy."
      : wasReady || !answers ? "The connection to the server is lost."
      : "The server did not take the stream; it may have as many as it can.";
    const count = left => {
      if (!left) return this.#connect();
      this.#say(`${why} Trying again in ${left} s.`);
      this.#again = setTimeout(count, 1000, left - 1);
    };
    count(this.#wait);
    this.#wait = Math.min(2 * this.#wait, MOST_WAIT_SECONDS);
  }

  #heard(message, socket) {
    if (socket === this.#ending && message.type === "event") this.#takeEvent(message);
    if (socket !== this.#socket) return;
    if (message.type === "ready") {
      this.#say("");
      this.#wait = 1;
      this.rate = message.frames_per_second;
      clearInterval(this.#timer);
      // Looked at more often than frames are sent, so that one goes out in each step of the model's clock.
      let last = -1;
      this.#timer = setInterval(() => {
        const step = Math.floor(this.#now() * this.rate);
        if (step <= last) return;
        last = step;
        this.#sendFrame(step / this.rate);
      }, 1000 / this.rate / 5);
    } else if (message.type === "score") this.#showScore(message);
    else if (message.type === "event") this.#takeEvent(message);
    else if (message.type === "dropped") this.#dropped = message.count;
    // Where another try may help, the server closes with a code that says so.
    else if (message.type === "error" && !message.retry_after) { this.end(); this.#say(sentence(message.detail)); }
  }

  #now() {
    return (performance.now() - this.#begun) / 1000;
  }

  #sendFrame(seconds) {
    const { video, canvas } = this, socket = this.#socket;
    if (!video.videoWidth || socket?.readyState !== WebSocket.OPEN) return;
    // What cannot go out in time would only be late.
    if (this.#encoding || socket.bufferedAmount > MOST_BUFFERED_BYTES) { this.#skipped++; return; }
    const scale = Math.min(1, SHORT_SIDE_PX / Math.min(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(scale * video.videoWidth);
    canvas.height = Math.round(scale * video.videoHeight);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    this.#encoding = true;
    canvas.toBlob(async blob => {
      const picture = blob && new Uint8Array(await blob.arrayBuffer());
      this.#encoding = false;
      if (!picture || socket.readyState !== WebSocket.OPEN) return;
      const message = new Uint8Array(8 + picture.length);
      new DataView(message.buffer).setFloat64(0, seconds);
      message.set(picture, 8);
      socket.send(message);
    }, "image/jpeg", JPEG_QUALITY);
  }

  #showScore({ seconds, label, score, none_of_these: none, scores }) {
    const delay = this.#now() - seconds;
    this.#delay = this.#delay === null ? delay : 0.8 * this.#delay + 0.2 * delay;
    this.label.textContent = none ? NONE_OF_THESE : label;
    this.score.textContent = none ? "" : score.toFixed(2);
    this.bars.replaceChildren(bars(scores, this.colours));
    const missed = this.#skipped + this.#dropped;
    this.facts.textContent = `${clock(seconds)}, looks ${this.rate} times a second, answers after ${Math.max(0, this.#delay).toFixed(2)}\u00a0s${missed ? `, ${missed} frames left out` : ""}`;
  }

  #takeEvent({ state, start_seconds: start, end_seconds: end, label, score }) {
    const open = this.events.find(each => each.end === null && each.label === label && Math.abs(each.start - start) < 0.001);
    if (open) Object.assign(open, { end, score });
    else this.events.unshift({ start, end, label, score });
    this.#showEvents();
    announce(state === "begin" ? `${label} begins` : `${label} ended`);
  }

  #showEvents() {
    const { events } = this;
    this.none.hidden = events.length > 0;
    this.rows.parentNode.hidden = this.saveButton.hidden = !events.length;
    this.rows.replaceChildren(...events.map(each => {
      const key = make("span", { className: "key" });
      key.style.setProperty("--colour", this.colours.of(each.label));
      return make("tr", { className: each.end === null ? "here" : "" }, make("td", {}, key, make("span", { text: each.label })),
        make("td", { className: "number", text: clock(each.start) }),
        make("td", { className: "number", text: each.end === null ? "now" : clock(each.end) }),
        make("td", { className: "number", text: each.score === null ? "" : each.score.toFixed(2) }));
    }));
  }

  #save() {
    const quoted = text => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = [...this.events].reverse().map(each => [each.start.toFixed(3), each.end?.toFixed(3) ?? "", quoted(each.label), each.score?.toFixed(4) ?? ""].join(","));
    save(new Blob([["start,end,label,score", ...lines, ""].join("\r\n")], { type: "text/csv" }), "events.csv");
  }

  #say(text) {
    this.problem.textContent = text;
  }
}
