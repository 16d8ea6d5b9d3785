// A long video: player, tracks, the list of segments, corrections and downloads; and the keys for all of it, which
// work while the focus is inside.

import { Colours } from "./colours.js";
import { Corrections } from "./corrections.js";
import { announce, button, make } from "./dom.js";
import { Downloads } from "./downloads.js";
import { Player } from "./player.js";
import { Segments } from "./segments.js";
import { Tracks } from "./tracks.js";
import { clock, NONE_OF_THESE } from "./words.js";

const HELP = [
  ["Space", "play or pause"], ["← →", "a second; with Shift ten"], [", .", "a frame (1/25 s)"],
  ["N P", "next and previous segment"], ["+ −", "wider and narrower tracks"],
];
const EDIT_HELP = [
  ["[ ]", "start and end of the segment at the time shown"], ["L", "change the label"], ["A", "add a segment"],
  ["Delete", "delete it"], ["Ctrl Z", "undo; with Shift redo"], ["Esc", "back to the tracks"],
];

export class Timeline {
  #rows = new Map();

  /** @param job the server's description of the job @param file the video, as chosen here */
  constructor(job, file) {
    this.job = job;
    this.segments = new Segments();
    this.colours = new Colours(job.classes);
    this.player = new Player();
    this.tracks = new Tracks(this.segments, this.colours, seconds => this.player.jump(seconds));
    this.corrections = new Corrections(this.segments, this.player, job.classes, this.tracks.element);
    this.downloads = new Downloads(this.segments);
    this.now = make("p", { className: "now" });
    this.count = make("h3");
    this.body = make("tbody");
    const head = ["class", "start", "end", "score"].map((text, at) => make("th", { scope: "col", text, className: at ? "number" : "" }));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...head)), this.body);
    this.list = make("div", { className: "list", role: "region", ariaLabel: "Segments" }, this.count, make("div", { className: "scroll" }, table));
    this.tools = make("div", { className: "zoom", role: "group", ariaLabel: "Width of the tracks" },
      button("−", () => this.#zoom(0.5), { ariaLabel: "Narrower tracks", title: "Narrower tracks" }), button("+", () => this.#zoom(2), { ariaLabel: "Wider tracks", title: "Wider tracks" }));
    this.help = make("details", { className: "keys" }, make("summary", { text: "Keys" }), make("dl"));
    this.element = make("div", { className: "timeline" },
      make("div", { className: "picture" }, this.player.element, make("div", { className: "under" }, this.now, this.tools)),
      this.corrections.element, this.tracks.element, this.list, this.downloads.element, this.help);
    this.element.addEventListener("keydown", event => this.#pressed(event));
    this.player.addEventListener("time", () => this.#showTime());
    this.player.addEventListener("known", () => this.#setSeconds());
    this.player.addEventListener("unplayable", () => this.cannotPlay());
    this.segments.addEventListener("change", () => { this.#fillList(); this.#showTime(); });
    this.segments.addEventListener("select", () => this.#markList());
    if (file) this.player.show(file);
    this.update(job);
  }

  /** Take what the server says of the job. */
  update(job) {
    this.job = job;
    const editable = job.status === "done";
    this.#setSeconds();
    if (!this.tracks.editable) {
      this.tracks.editable = editable;
      this.segments.take(job.segments);
    }
    this.corrections.element.hidden = this.downloads.element.hidden = !editable;
    this.downloads.setJob(job.id, job.file);
    const lines = editable ? [...HELP, ...EDIT_HELP] : HELP;
    this.help.querySelector("dl").replaceChildren(...lines.flatMap(([keys, text]) => [
      make("dt", {}, ...keys.split(" ").map(key => make("kbd", { text: key }))), make("dd", { text }),
    ]));
  }

  /** Said while the server's copy is not there. */
  cannotPlay() {
    if (this.wantsCopy && this.job.status === "done") return this.player.tell("This browser cannot play the server's copy either.");
    if (this.wantsCopy) return;
    this.wantsCopy = true;
    this.player.tell("This browser cannot play the file. When the timeline is done, the server makes a copy that it can.");
    this.oncopywanted?.();
  }

  #setSeconds() {
    const { duration } = this.player.video, known = Number.isFinite(duration) ? duration : null;
    const seconds = this.job.seconds ?? known ?? this.job.expected_seconds ?? Math.max(this.job.done_seconds ?? 0, 1);
    if (seconds === this.segments.seconds) return;
    this.segments.seconds = seconds;
    this.player.setSeconds(seconds);
    this.segments.dispatchEvent(new Event("change"));
  }

  #showTime() {
    const { time } = this.player, here = this.segments.at(time), ids = new Set(here.map(each => each.id));
    this.tracks.setTime(time, true);
    const text = `${clock(time)}  ${here.map(each => each.label).join(", ") || (time > (this.job.done_seconds ?? 0) && this.job.status !== "done" ? "not looked at yet" : NONE_OF_THESE)}`;
    if (this.now.textContent !== text) this.now.textContent = text;
    for (const [id, { row }] of this.#rows) row.classList.toggle("here", ids.has(id));
  }

  #fillList() {
    const { list } = this.segments, ids = new Set(list.map(each => each.id));
    this.count.textContent = list.length === 1 ? "1 segment" : `${list.length} segments`;
    for (const [id, { row }] of this.#rows) if (!ids.has(id)) { row.remove(); this.#rows.delete(id); }
    list.forEach((each, place) => {
      if (!this.#rows.has(each.id)) this.#rows.set(each.id, this.#makeRow(each.id));
      const { row, key, name, choose, start, end, score } = this.#rows.get(each.id);
      key.style.setProperty("--colour", this.colours.of(each.label));
      name.textContent = each.label;
      choose.setAttribute("aria-label", `${each.label}, ${clock(each.start)} to ${clock(each.end)}`);
      start.textContent = clock(each.start);
      end.textContent = clock(each.end);
      score.textContent = each.score === null ? "edited" : each.score.toFixed(2);
      if (this.body.children[place] !== row) this.body.insertBefore(row, this.body.children[place] ?? null);
    });
    this.#markList();
  }

  #makeRow(id) {
    const key = make("span", { className: "key" }), name = make("span"), choose = make("button", { type: "button", className: "choose" }, key, name);
    choose.addEventListener("click", () => this.#choose(this.segments.get(id)));
    const [start, end, score] = [1, 2, 3].map(() => make("td", { className: "number" }));
    return { row: make("tr", {}, make("td", {}, choose), start, end, score), key, name, choose, start, end, score };
  }

  #markList() {
    for (const [id, { row, choose }] of this.#rows) {
      const chosen = id === this.segments.selected;
      row.classList.toggle("selected", chosen);
      if (chosen) choose.setAttribute("aria-current", "true");
      else choose.removeAttribute("aria-current");
    }
  }

  #choose(segment) {
    if (!segment) return;
    this.segments.select(segment.id);
    this.player.jump(segment.start);
    const row = this.#rows.get(segment.id).row, box = row.closest(".scroll");
    if (box.scrollHeight > box.clientHeight) box.scrollTop = row.offsetTop - box.clientHeight / 2;
  }

  #step(by) {
    const next = this.segments.beside(by, this.player.time);
    if (!next) return announce(by > 0 ? "No later segment" : "No earlier segment");
    this.#choose(next);
    announce(`${next.label}, ${clock(next.start)} to ${clock(next.end)}`);
  }

  #zoom(by) {
    const zoom = this.tracks.setZoom(this.tracks.zoom * by);
    announce(zoom === 1 ? "The tracks show the whole video" : `The tracks are ${zoom.toFixed(zoom < 10 ? 1 : 0)} times as wide`);
  }

  #pressed(event) {
    if (event.key === "Escape") return this.tracks.element.focus();
    const { target, key } = event, control = event.ctrlKey || event.metaKey, { editable } = this.tracks;
    if (target.matches("input:not([type=range]), select, textarea") || event.altKey) return;
    const jump = by => this.player.jump(this.player.time + by), { corrections } = this;
    const actions = {
      ArrowLeft: () => jump(event.shiftKey ? -10 : -1), ArrowRight: () => jump(event.shiftKey ? 10 : 1),
      ",": () => jump(-0.04), ".": () => jump(0.04), n: () => this.#step(1), p: () => this.#step(-1),
      "+": () => this.#zoom(2), "=": () => this.#zoom(2), "-": () => this.#zoom(0.5), " ": () => this.player.toggle(),
    };
    const edits = {
      "[": () => corrections.setBorder("start"), "]": () => corrections.setBorder("end"), a: () => corrections.add(),
      l: () => (this.segments.current ? corrections.label.focus() : announce("Choose a segment first")),
      Delete: () => corrections.remove(), Backspace: () => corrections.remove(),
    };
    let action;
    if (control) {
      if (!editable) return;
      if (key.toLowerCase() === "z") action = () => (event.shiftKey ? corrections.redo() : corrections.undo());
      else if (key.toLowerCase() === "y") action = () => corrections.redo();
    } else {
      const name = key.length === 1 ? key.toLowerCase() : key;
      // The player, a slider and a button have keys of their own.
      const own = target.matches("video, input, summary") ? ["ArrowLeft", "ArrowRight", " "] : target.matches("button") ? [" "] : [];
      if (!own.includes(name)) action = actions[name] ?? (editable ? edits[name] : undefined);
    }
    if (!action) return;
    event.preventDefault();
    action();
  }
}
