// The form that changes the selected segment: label, borders, delete; and add, undo, redo.

import { announce, button, freshId, make } from "./dom.js";
import { LEAST_SECONDS } from "./segments.js";
import { clock, parseClock } from "./words.js";

const NEW_SECONDS = 2, OTHER = "\u0000other";

export class Corrections {
  /** @param segments a `Segments` @param player a `Player` @param classes the labels to choose from
   * @param home gets the focus when what had it is gone */
  constructor(segments, player, classes, home) {
    Object.assign(this, { segments, player, home, classes: [...classes] });
    const named = (text, element, ...more) => {
      element.id = freshId();
      return make("div", { className: "field" }, make("label", { htmlFor: element.id, text }), make("div", { className: "row" }, element, ...more));
    };
    this.label = make("select", { on: { change: () => this.#chooseLabel() } });
    this.other = make("input", { type: "text", maxLength: 200, ariaLabel: "New label", placeholder: "new label", hidden: true });
    this.other.addEventListener("change", () => this.#newLabel());
    this.problem = make("p", { className: "problem", role: "alert" });
    this.start = this.#time("start");
    this.end = this.#time("end");
    this.what = make("p", { className: "what" });
    this.fields = make("div", { className: "fields" },
      named("Label", this.label, this.other),
      named("Start", this.start, button("now", () => this.setBorder("start"), { ariaLabel: "Start now, at the time shown" })),
      named("End", this.end, button("now", () => this.setBorder("end"), { ariaLabel: "End now, at the time shown" })),
      button("Delete", () => this.remove()),
    );
    this.addButton = button("Add a segment", () => this.add());
    this.undoButton = button("Undo", () => this.undo());
    this.redoButton = button("Redo", () => this.redo());
    this.element = make("div", { className: "corrections", role: "group", ariaLabel: "Corrections" },
      make("div", { className: "tools" }, this.what, this.addButton, this.undoButton, this.redoButton), this.fields, this.problem);
    segments.addEventListener("change", () => this.#show());
    segments.addEventListener("select", () => this.#show());
    this.#show();
  }

  setBorder(side) {
    const chosen = this.segments.current, time = this.player.time;
    if (!chosen) return this.#say("Choose a segment first.");
    if (side === "start" ? time > chosen.end - LEAST_SECONDS : time < chosen.start + LEAST_SECONDS)
      return this.#say(`The time shown, ${clock(time)}, lies ${side === "start" ? "after the end" : "before the start"} of the segment.`);
    this.segments.change(chosen.id, { [side]: time });
    announce(`${side} of ${chosen.label} is ${clock(time, 2)}`);
  }

  remove() {
    const chosen = this.segments.current;
    if (!chosen) return this.#say("Choose a segment first.");
    const next = this.segments.remove(chosen.id);
    this.segments.select(next?.id ?? null);
    announce(`Deleted ${chosen.label}`);
    // What had the focus may be gone: its row, its border, or the fields with the last segment.
    const focused = document.activeElement;
    if (focused === document.body || focused.getClientRects().length === 0) this.home.focus();
  }

  add() {
    const time = this.player.time, label = this.segments.current?.label ?? this.classes[0] ?? "action";
    this.segments.add(time, time + NEW_SECONDS, label);
    announce(`Added ${label} at ${clock(time)}`);
    this.label.focus();
  }

  undo() {
    const what = this.segments.undo();
    announce(what === null ? "Nothing to undo" : `Undone: ${what}`);
  }

  redo() {
    const what = this.segments.redo();
    announce(what === null ? "Nothing to redo" : `Done again: ${what}`);
  }

  #time(side) {
    const input = make("input", { type: "text", inputMode: "decimal", size: 9, autocomplete: "off" });
    input.addEventListener("change", () => {
      const chosen = this.segments.current, seconds = parseClock(input.value);
      const wrong =
        seconds === null ? `“${input.value}” is no time; write 75.2 or 1:15.2.`
        : side === "start" && seconds > chosen.end - LEAST_SECONDS ? `The start must lie before the end, ${clock(chosen.end, 2)}.`
        : side === "end" && seconds < chosen.start + LEAST_SECONDS ? `The end must lie after the start, ${clock(chosen.start, 2)}.`
        : this.segments.seconds && seconds > this.segments.seconds + 0.01 ? `The video ends at ${clock(this.segments.seconds, 2)}.`
        : "";
      input.setAttribute("aria-invalid", Boolean(wrong));
      if (wrong) return this.#say(wrong);
      this.segments.change(chosen.id, { [side]: seconds });
      this.player.jump(seconds);
    });
    return input;
  }

  #chooseLabel() {
    this.other.hidden = this.label.value !== OTHER;
    if (!this.other.hidden) return this.other.focus();
    this.segments.change(this.segments.selected, { label: this.label.value });
  }

  #newLabel() {
    const text = this.other.value.trim();
    if (!text) return;
    if (!this.classes.includes(text)) this.classes.push(text);
    this.segments.change(this.segments.selected, { label: text });
    this.#show();
    this.label.focus();
  }

  #say(text) {
    this.problem.textContent = text;
  }

  #show() {
    const { current: chosen, list } = this.segments;
    this.#say("");
    this.fields.hidden = !chosen;
    this.undoButton.disabled = !this.segments.canUndo;
    this.redoButton.disabled = !this.segments.canRedo;
    this.what.textContent = chosen ? `Segment ${list.indexOf(chosen) + 1} of ${list.length}` : "Choose a segment to correct it.";
    if (!chosen) return;
    const labels = [...new Set([...this.classes, ...list.map(each => each.label)])];
    this.label.replaceChildren(...labels.map(label => make("option", { value: label, text: label })), make("option", { value: OTHER, text: "another label…" }));
    this.label.value = chosen.label;
    this.other.hidden = true;
    this.other.value = "";
    for (const [input, seconds] of [[this.start, chosen.start], [this.end, chosen.end]]) {
      input.value = clock(seconds, 2);
      input.setAttribute("aria-invalid", "false");
    }
  }
}
