// A colour for each class, in the order of the model's classes, as in all pictures of the project: --track-0 to
// --track-7 of the style sheet, which come again after eight.

const COUNT = 8;

export class Colours {
  #labels;

  constructor(classes) {
    this.#labels = [...classes];
  }

  /** A CSS colour; a label that the model does not know gets the next one. */
  of(label) {
    if (!this.#labels.includes(label)) this.#labels.push(label);
    return `var(--track-${this.#labels.indexOf(label) % COUNT})`;
  }

  /** Where the label comes among the tracks. */
  place(label) {
    const at = this.#labels.indexOf(label);
    return at < 0 ? this.#labels.length : at;
  }
}
