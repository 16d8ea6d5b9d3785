// A coloured track for each class: its segments, the model's score as a curve, the time that is shown, and the two
// borders of the selected segment, which are dragged or moved with the arrow keys.

import { make } from "./dom.js";
import { LEAST_SECONDS } from "./segments.js";
import { clock } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const STEPS = [0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
const TICK_PX = 70, HANDLE_PX = 12, MOST_PX_A_SECOND = 400, MOST_POINTS = 3000;

/** The highest of each stretch, so that a long curve keeps its peaks. */
export function peaks(values, most = MOST_POINTS) {
  if (values.length <= most) return values;
  return Array.from({ length: most }, (_, bin) => {
    let highest = 0;
    const last = Math.floor(((bin + 1) * values.length) / most);
    for (let at = Math.floor((bin * values.length) / most); at < last; at++) highest = Math.max(highest, values[at]);
    return highest;
  });
}

export class Tracks {
  /** @param segments a `Segments` @param colours a `Colours` @param jump called with the seconds of a click */
  constructor(segments, colours, jump) {
    this.segments = segments;
    this.colours = colours;
    this.jump = jump;
    this.zoom = 1;
    this.time = 0;
    this.editable = false;
    this.curves = new Map();
    this.rows = new Map();
    this.ruler = make("div", { className: "ruler", "aria-hidden": "true" });
    this.lanes = make("div", { className: "lanes" });
    this.line = make("div", { className: "playhead" });
    this.inner = make("div", { className: "inner" }, this.ruler, this.lanes, this.line);
    this.element = make("div", { className: "tracks", tabIndex: 0, role: "group", ariaLabel: "Tracks, one for each class" }, this.inner);
    this.inner.addEventListener("click", event => this.#clicked(event));
    this.handles = ["start", "end"].map(side => this.#makeHandle(side));
    segments.addEventListener("change", () => this.#draw());
    segments.addEventListener("select", () => this.#mark());
    new ResizeObserver(() => this.#drawRuler()).observe(this.inner);
    this.#draw();
  }

  get seconds() {
    return this.segments.seconds || 1;
  }

  percent(seconds) {
    return `${(100 * seconds) / this.seconds}%`;
  }

  /** Take the scores of the classes: `probabilities` has a row for each step. */
  setScores({ classes, probabilities, step_seconds: step }) {
    this.curves = new Map(classes.map((label, column) => {
      const values = peaks(probabilities.map(row => row[column]));
      const stretch = (probabilities.length * step) / Math.max(1, values.length);
      return [label, values.map((value, at) => `${((at + 0.5) * stretch).toFixed(3)},${(1 - value).toFixed(3)}`).join(" ")];
    }));
    for (const [label, row] of this.rows) this.#drawCurve(label, row);
  }

  /** Show a time, and keep it in sight where the tracks are wider than the window. */
  setTime(seconds, follow) {
    this.time = seconds;
    this.line.style.left = this.percent(seconds);
    if (!follow || this.zoom === 1) return;
    const { scrollLeft, clientWidth } = this.element, at = (this.inner.clientWidth * seconds) / this.seconds;
    if (at < scrollLeft || at > scrollLeft + clientWidth - 20) this.element.scrollLeft = at - 0.2 * clientWidth;
  }

  /** Make the tracks wider around the time that is shown. */
  setZoom(zoom) {
    const most = Math.max(1, (MOST_PX_A_SECOND * this.seconds) / Math.max(1, this.element.clientWidth));
    const at = (this.inner.clientWidth * this.time) / this.seconds - this.element.scrollLeft;
    this.zoom = Math.min(Math.max(1, zoom), most);
    this.inner.style.width = `${100 * this.zoom}%`;
    this.element.scrollLeft = (this.inner.clientWidth * this.time) / this.seconds - at;
    this.#drawRuler();
    return this.zoom;
  }

  #secondsOf(clientX) {
    const box = this.inner.getBoundingClientRect();
    return Math.min(Math.max(0, (this.seconds * (clientX - box.left)) / box.width), this.seconds);
  }

  #clicked(event) {
    if (event.target.closest(".handle")) return;
    const block = event.target.closest(".block");
    this.segments.select(block ? Number(block.dataset.id) : null);
    this.jump(this.#secondsOf(event.clientX));
  }

  /** Rows and blocks are kept where they can be: what is dragged must not be replaced. */
  #draw() {
    const { list } = this.segments, labels = [...new Set(list.map(each => each.label))];
    labels.sort((one, other) => this.colours.place(one) - this.colours.place(other));
    for (const [label, row] of this.rows) {
      if (labels.includes(label)) continue;
      row.holder.remove();
      this.rows.delete(label);
    }
    labels.forEach((label, place) => {
      if (!this.rows.has(label)) this.rows.set(label, this.#makeRow(label));
      const { holder } = this.rows.get(label);
      if (this.lanes.children[place] !== holder) this.lanes.insertBefore(holder, this.lanes.children[place] ?? null);
    });
    for (const [label, { lane, blocks }] of this.rows) {
      const mine = list.filter(each => each.label === label), ids = new Set(mine.map(each => each.id));
      for (const [id, block] of blocks) if (!ids.has(id)) { block.remove(); blocks.delete(id); }
      for (const each of mine) {
        if (!blocks.has(each.id)) {
          const block = make("div", { className: "block" });
          block.dataset.id = each.id;
          block.style.setProperty("--colour", this.colours.of(label));
          blocks.set(each.id, block);
          lane.prepend(block);
        }
        const block = blocks.get(each.id);
        block.style.left = this.percent(each.start);
        block.style.width = this.percent(each.end - each.start);
        block.title = `${label} ${clock(each.start)} to ${clock(each.end)}`;
      }
    }
    this.element.classList.toggle("empty", list.length === 0);
    this.setTime(this.time, false);
    this.#drawRuler();
    this.#mark();
  }

  #makeRow(label) {
    const key = make("span", { className: "key" }), svg = document.createElementNS(SVG, "svg");
    key.style.setProperty("--colour", this.colours.of(label));
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    svg.append(document.createElementNS(SVG, "polyline"));
    const lane = make("div", { className: "lane" }, svg);
    const holder = make("div", { className: "track" }, make("div", { className: "name" }, key, make("span", { text: label })), lane);
    const row = { holder, lane, svg, blocks: new Map() };
    this.#drawCurve(label, row);
    return row;
  }

  #drawCurve(label, { svg }) {
    svg.setAttribute("viewBox", `0 0 ${this.seconds} 1`);
    svg.firstChild.setAttribute("points", this.curves.get(label) ?? "");
  }

  #drawRuler() {
    const width = this.inner.clientWidth;
    if (!width) return;
    const step = STEPS.find(each => (width * each) / this.seconds >= TICK_PX) ?? STEPS.at(-1);
    const ticks = [];
    for (let at = 0; at < this.seconds; at += step) {
      const tick = make("span", { text: clock(at, step < 1 ? 1 : 0) });
      tick.style.left = this.percent(at);
      // A number at the very end would stick out and make the page wider than the window.
      if ((width * (this.seconds - at)) / this.seconds > 40) ticks.push(tick);
    }
    this.ruler.replaceChildren(...ticks);
    for (const [label, row] of this.rows) this.#drawCurve(label, row);
    this.#mark();
  }

  #mark() {
    const chosen = this.segments.current;
    for (const { blocks } of this.rows.values())
      for (const [id, block] of blocks) block.classList.toggle("selected", chosen?.id === id);
    const lane = chosen && this.editable ? this.rows.get(chosen.label)?.lane : null;
    for (const { side, handle } of this.handles) {
      if (!lane) {
        handle.remove();
        continue;
      }
      if (handle.parentNode !== lane) lane.append(handle);
      const value = chosen[side];
      handle.style.left = this.percent(value);
      // At the ends of the tracks there is no room outside the segment.
      const room = (this.inner.clientWidth * (side === "start" ? value : this.seconds - value)) / this.seconds;
      handle.classList.toggle("inside", room < HANDLE_PX);
      handle.setAttribute("aria-label", `${side === "start" ? "Start" : "End"} of ${chosen.label}`);
      handle.setAttribute("aria-valuemin", side === "start" ? 0 : chosen.start + LEAST_SECONDS);
      handle.setAttribute("aria-valuemax", side === "start" ? chosen.end - LEAST_SECONDS : this.seconds);
      handle.setAttribute("aria-valuenow", value);
      handle.setAttribute("aria-valuetext", clock(value, 2));
    }
  }

  #makeHandle(side) {
    const handle = make("div", { className: `handle ${side}`, role: "slider", tabIndex: 0 });
    let drag = null;
    const move = (seconds, merge) => {
      this.segments.change(this.segments.selected, { [side]: seconds }, merge);
      this.jump(this.segments.current[side]);
    };
    handle.addEventListener("pointerdown", event => {
      if (event.button) return;
      event.preventDefault();
      handle.focus();
      handle.setPointerCapture(event.pointerId);
      drag = { merge: `drag ${event.timeStamp}`, by: this.segments.current[side] - this.#secondsOf(event.clientX) };
    });
    handle.addEventListener("pointermove", event => {
      if (drag) move(this.#secondsOf(event.clientX) + drag.by, drag.merge);
    });
    for (const end of ["pointerup", "pointercancel"]) handle.addEventListener(end, () => { drag = null; this.segments.endMerge(); });
    handle.addEventListener("keydown", event => {
      const by = { ArrowLeft: -0.1, ArrowDown: -0.1, ArrowRight: 0.1, ArrowUp: 0.1, PageDown: -1, PageUp: 1 }[event.key];
      if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      move(this.segments.current[side] + by * (event.shiftKey ? 10 : 1), `keys ${side} ${this.segments.selected}`);
    });
    handle.addEventListener("blur", () => this.segments.endMerge());
    return { side, handle };
  }
}
