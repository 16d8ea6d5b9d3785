// The segments of a video as a person corrects them; each change can be undone. Knows nothing of the page.

export const LEAST_SECONDS = 0.1;

const inOrder = list => [...list].sort((one, other) => one.start - other.start || one.end - other.end || one.id - other.id);
const thousandth = seconds => Math.round(seconds * 1000) / 1000;

/** Tells of "change" (the list) and "select". A segment is `{id, start, end, label, score}`, never changed in place;
 * its score is null from when a person changed it. */
export class Segments extends EventTarget {
  list = [];
  selected = null;
  changed = false;
  seconds = 0;
  #past = [];
  #future = [];
  #merging = null;
  #nextId = 0;

  /** Take what the server found so far; what does not differ keeps its place in the page. */
  take(found) {
    const known = new Map(this.list.map(each => [`${each.start} ${each.label}`, each.id]));
    const list = found.map(each => ({
      id: known.get(`${each.start_seconds} ${each.label}`) ?? this.#nextId++,
      start: each.start_seconds, end: each.end_seconds, label: each.label, score: each.score ?? null,
    }));
    this.#past = [];
    this.#future = [];
    this.#set(list);
  }

  get(id) {
    return this.list.find(each => each.id === id) ?? null;
  }

  get current() {
    return this.get(this.selected);
  }

  /** Those in which a time lies. */
  at(seconds) {
    return this.list.filter(each => each.start <= seconds && seconds < each.end);
  }

  select(id) {
    if (this.selected === id) return;
    this.selected = id;
    this.#merging = null;
    this.dispatchEvent(new Event("select"));
  }

  /** The next segment to one side of the selected one, or of a time where none is selected. */
  beside(step, seconds) {
    const at = this.list.findIndex(each => each.id === this.selected);
    if (at >= 0) return this.list[at + step] ?? null;
    return step > 0
      ? this.list.find(each => each.start >= seconds) ?? null
      : this.list.findLast(each => each.start < seconds) ?? null;
  }

  /** Change borders or label. Changes in a row with the same `merge` are undone together, as those of one drag are. */
  change(id, values, merge = null) {
    const before = this.get(id), after = { ...before, ...values, score: null };
    const limit = this.seconds || Infinity;
    if (values.start !== undefined) after.start = thousandth(Math.min(Math.max(0, values.start), after.end - LEAST_SECONDS));
    if (values.end !== undefined) after.end = thousandth(Math.max(Math.min(limit, values.end), after.start + LEAST_SECONDS));
    if (after.start === before.start && after.end === before.end && after.label === before.label) return;
    const what = values.label === undefined ? `the borders of ${before.label}` : `the label ${after.label}`;
    this.#keep(what, merge);
    this.#set(this.list.map(each => (each.id === id ? after : each)));
  }

  /** A drag or a row of key presses ends: the next one is undone by itself. */
  endMerge() {
    this.#merging = null;
  }

  remove(id) {
    const at = this.list.findIndex(each => each.id === id);
    this.#keep(`deleting ${this.list[at].label}`);
    const list = this.list.filter(each => each.id !== id);
    if (this.selected === id) this.selected = null;
    this.#set(list);
    return list[Math.min(at, list.length - 1)] ?? null;
  }

  add(start, end, label) {
    const id = this.#nextId++, limit = this.seconds || Infinity;
    const first = thousandth(Math.max(0, Math.min(start, limit - LEAST_SECONDS)));
    this.#keep(`adding ${label}`);
    this.#set([...this.list, { id, start: first, end: thousandth(Math.max(Math.min(end, limit), first + LEAST_SECONDS)), label, score: null }]);
    this.select(id);
    return id;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** Undo the last change; what it was, or null. */
  undo() {
    return this.#travel(this.#past, this.#future);
  }

  redo() {
    return this.#travel(this.#future, this.#past);
  }

  #travel(from, to) {
    const step = from.pop();
    if (!step) return null;
    to.push({ list: this.list, selected: this.selected, what: step.what });
    this.#merging = null;
    this.changed = true;
    this.selected = step.selected;
    this.#set(step.list);
    return step.what;
  }

  #keep(what, merge = null) {
    this.changed = true;
    this.#future = [];
    if (merge !== null && this.#merging === merge) return;
    this.#past.push({ list: this.list, selected: this.selected, what });
    this.#merging = merge;
  }

  #set(list) {
    this.list = inOrder(list);
    if (this.selected !== null && this.current === null) this.selected = null;
    this.dispatchEvent(new Event("change"));
    this.dispatchEvent(new Event("select"));
  }
}
