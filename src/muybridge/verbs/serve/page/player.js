// The video, or a bare clock where the browser cannot play it.

import { make } from "./dom.js";
import { clock } from "./words.js";

/** Tells of "time" whenever the time that is shown changes, and of "unplayable". */
export class Player extends EventTarget {
  seconds = 0;
  time = 0;
  #address = null;

  constructor() {
    super();
    this.video = make("video", { controls: true, preload: "metadata", playsInline: true });
    this.note = make("p", { className: "soft", hidden: true });
    this.seek = make("input", { type: "range", min: 0, max: 1, step: 0.1, value: 0, ariaLabel: "Time in the video" });
    this.element = make("div", { className: "player" }, this.video, this.note, this.seek);
    this.video.addEventListener("timeupdate", () => this.#show(this.video.currentTime));
    this.video.addEventListener("seeking", () => this.#show(this.video.currentTime));
    this.video.addEventListener("play", () => this.#follow());
    this.video.addEventListener("loadedmetadata", () => this.dispatchEvent(new Event("known")));
    this.video.addEventListener("error", () => {
      if (this.#address) this.dispatchEvent(new Event("unplayable"));
    });
    this.seek.addEventListener("input", () => this.jump(Number(this.seek.value)));
  }

  get playing() {
    return !this.video.paused && !this.video.ended;
  }

  /** Play a file or what the server sent; the page may not point a video at an address that wants a token. */
  show(blob) {
    this.forget();
    this.#address = URL.createObjectURL(blob);
    this.video.src = this.#address;
    this.tell("");
  }

  /** Say what is instead of a picture. */
  tell(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
    this.video.hidden = Boolean(text);
  }

  forget() {
    if (!this.#address) return;
    URL.revokeObjectURL(this.#address);
    this.#address = null;
    this.video.removeAttribute("src");
    this.video.load();
  }

  setSeconds(seconds) {
    this.seconds = seconds;
    this.seek.max = seconds || 1;
  }

  jump(seconds) {
    const time = Math.min(Math.max(0, seconds), this.seconds || Infinity);
    if (this.video.readyState >= 1) this.video.currentTime = time;
    this.#show(time);
  }

  toggle() {
    if (this.playing) this.video.pause();
    // A refusal to play is shown by the player itself, which stays paused.
    else this.video.play().catch(() => {});
  }

  #follow() {
    if (!this.playing) return;
    this.#show(this.video.currentTime);
    requestAnimationFrame(() => this.#follow());
  }

  #show(time) {
    if (time === this.time) return;
    this.time = time;
    this.seek.value = time;
    this.seek.setAttribute("aria-valuetext", clock(time));
    this.dispatchEvent(new Event("time"));
  }
}
