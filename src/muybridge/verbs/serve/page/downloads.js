// The segments as a file, in a format that the server writes.

import { ask } from "./api.js";
import { button, freshId, make } from "./dom.js";

const FORMATS = [
  ["csv", "CSV, for train and spreadsheets"], ["json", "JSON"], ["srt", "SubRip subtitles (.srt)"], ["vtt", "WebVTT subtitles"],
  ["label-studio", "Label Studio"], ["elan", "ELAN (.eaf)"], ["boris", "BORIS"], ["activitynet", "ActivityNet JSON"], ["cvat", "CVAT XML"],
];

/** Hand a file to the browser's downloads. */
export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export class Downloads {
  constructor(segments) {
    this.segments = segments;
    this.format = make("select", { id: freshId() }, ...FORMATS.map(([value, text]) => make("option", { value, text })));
    this.button = button("Download", () => this.#download(), { className: "main" });
    this.problem = make("p", { className: "problem", role: "alert" });
    this.element = make("div", { className: "downloads" },
      make("div", { className: "field" }, make("label", { htmlFor: this.format.id, text: "Annotations as" }),
        make("div", { className: "row" }, this.format, this.button)), this.problem);
  }

  setJob(id, file) {
    this.id = id;
    this.file = file;
  }

  async #download() {
    const segments = this.segments.list.map(each => ({ start_seconds: each.start, end_seconds: each.end, label: each.label }));
    this.problem.textContent = "";
    this.button.disabled = true;
    try {
      const answer = await ask(`/timeline/${this.id}/annotations?format=${this.format.value}`, { method: "POST", json: { segments } });
      const name = /filename="?([^";]+)/.exec(answer.headers.get("Content-Disposition") ?? "");
      save(await answer.blob(), name ? name[1] : `${this.file}.${this.format.value}`);
      this.segments.changed = false;
    } catch (error) {
      this.problem.textContent = `Not downloaded: ${error.message}`;
    } finally {
      this.button.disabled = false;
    }
  }
}
