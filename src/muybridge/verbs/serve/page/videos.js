// One card for each video: sent, answered at once or looked through as a job on the server, cancelled, removed.

import { answer, forget, inWords } from "./answers.js";
import { ask, Cancelled, events, Failure, patiently, sleep, upload } from "./api.js";
import { Colours } from "./colours.js";
import { announce, button, make } from "./dom.js";
import { secondsOf } from "./files.js";
import { Timeline } from "./timeline.js";
import { bytes, clock, duration, sentence } from "./words.js";

export const SHORT_SECONDS = 10;
const SMALL_BYTES = 2_000_000, ENDS = ["done", "failed", "cancelled"], MOST_WAIT_SECONDS = 30;

/** At most so many tasks at a time; the others wait in order. */
class Turns {
  #waiting = [];

  constructor(most) {
    this.free = most;
  }

  async take(task) {
    if (this.free > 0) this.free--;
    else await new Promise(resolve => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      if (this.#waiting.length) this.#waiting.shift()();
      else this.free++;
    }
  }
}

const turns = { look: new Turns(4), answer: new Turns(3), timeline: new Turns(1) };

const address = (path, model) => (model ? `${path}?model=${encodeURIComponent(model)}` : path);

export class Video {
  #stop = new AbortController();
  #timeline = null;
  #jobId = null;
  #scores = { at: 0, cost: 0, busy: false };

  /** @param file what was chosen @param settings `{way, model, mostBytes}` @param removed called when the card goes */
  constructor(file, settings, removed) {
    Object.assign(this, { file, settings, removed });
    this.status = make("p", { className: "status" });
    this.progress = make("progress", { max: 1, ariaLabel: `Progress of ${file.name}`, hidden: true });
    this.problem = make("p", { className: "problem", role: "alert" });
    this.cancel = button("Cancel", () => this.remove());
    this.again = button("Try again", () => this.run(), { hidden: true });
    this.longer = button("Show its timeline", () => { this.settings = { ...this.settings, way: "timeline" }; this.run(); }, { hidden: true });
    this.body = make("div");
    this.element = make("article", { ariaLabel: file.name, className: "video panel" },
      make("div", { className: "head" }, make("h2", { text: file.name }), this.longer, this.again, this.cancel),
      this.status, this.progress, this.problem, this.body);
  }

  /** Whether a person's corrections would be lost. */
  get unsaved() {
    return this.#timeline?.segments.changed ?? false;
  }

  async run() {
    this.#stop = new AbortController();
    this.problem.textContent = "";
    this.again.hidden = this.longer.hidden = true;
    this.cancel.textContent = "Cancel";
    try {
      const { way, mostBytes } = this.settings, { file } = this;
      if (!file.size) throw new Failure("The file is empty.", 422);
      if (mostBytes && file.size > mostBytes)
        throw new Failure(`The file is too large: ${bytes(file.size)}, and the server takes ${bytes(mostBytes)}. Cut or compress it, or use “muybridge timeline” on the server's machine.`, 413);
      this.status.textContent = "Looking at the file…";
      const kind = way === "auto" ? await turns.look.take(() => this.#kind()) : way;
      this.status.textContent = "Waiting for its turn";
      await (kind === "answer" ? this.#answer() : this.#look());
    } catch (error) {
      if (!(error instanceof Cancelled)) this.#fail(error);
    } finally {
      this.progress.hidden = true;
    }
  }

  /** Cancel what runs, and take the card away. */
  async remove() {
    if (this.unsaved && !confirm(`Your corrections of ${this.file.name} were not downloaded. Remove them?`)) return;
    this.#stop.abort();
    this.#timeline?.player.forget();
    forget(this.body);
    this.removed(this);
    announce(`${this.file.name} removed`);
    if (this.#jobId === null) return;
    // A job that the server has forgotten already needs no cancelling; one that it cannot be told of ends by itself.
    await ask(`/timeline/${this.#jobId}`, { method: "DELETE" }).catch(error => console.warn(error.message));
  }

  async #kind() {
    const seconds = await secondsOf(this.file);
    const short = seconds === null ? this.file.size <= SMALL_BYTES : seconds <= SHORT_SECONDS;
    return short ? "answer" : "timeline";
  }

  /** Send the file, again and again while the server is busy. */
  #send(path, field, kind) {
    const signal = this.#stop.signal;
    return turns[kind].take(() => patiently(
      () => {
        if (signal.aborted) throw new Cancelled();
        const form = new FormData();
        form.append(field, this.file);
        this.problem.textContent = "";
        this.progress.hidden = false;
        return upload(address(path, this.settings.model), form, { signal, sent: share => {
          this.progress.value = share;
          this.status.textContent = share < 1 ? `Sending, ${Math.floor(100 * share)} % of ${bytes(this.file.size)}` : "Sent; the model is looking at it";
          if (share >= 1) this.progress.removeAttribute("value");
        } });
      },
      left => {
        this.progress.hidden = true;
        this.status.textContent = `The server is busy. Trying again in ${left} s.`;
      },
      signal,
    ));
  }

  async #answer() {
    const { predictions: [prediction] } = await this.#send("/predict", "files", "answer");
    if (prediction.error) throw new Failure(sentence(prediction.error), 422);
    this.body.replaceChildren(answer(prediction, this.file, new Colours(this.settings.classes)));
    this.status.textContent = "";
    this.longer.hidden = false;
    this.cancel.textContent = "Remove";
    announce(`${this.file.name}: ${inWords(prediction)}`);
  }

  async #look() {
    const job = await this.#send("/timeline", "file", "timeline");
    forget(this.body);
    this.#jobId = job.id;
    this.progress.hidden = false;
    this.#timeline = new Timeline(job, this.file);
    this.#timeline.oncopywanted = () => this.#fetchCopy();
    this.body.replaceChildren(this.#timeline.element);
    this.#update(job);
    announce(`${this.file.name}: the server looks through it`);
    await this.#followJob();
  }

  /** Listen to the job until it ends; a lost connection is taken up again. */
  async #followJob() {
    let wait = 1;
    while (!ENDS.includes(this.#timeline.job.status)) {
      try {
        for await (const { data } of events(`/timeline/${this.#jobId}/events`, this.#stop.signal)) {
          this.problem.textContent = "";
          wait = 1;
          this.#update(data);
        }
        if (!ENDS.includes(this.#timeline.job.status)) throw new Failure("The server ended the connection.");
      } catch (error) {
        if (error instanceof Cancelled || (error.status && error.wait === null)) throw error;
        for (let left = error.wait ?? wait; left > 0; left--) {
          this.problem.textContent = `The connection to the server is lost. Trying again in ${left} s.`;
          await sleep(1, this.#stop.signal);
        }
        wait = Math.min(2 * wait, MOST_WAIT_SECONDS);
      }
    }
  }

  #update(job) {
    this.#timeline.update(job);
    const { status, done_seconds: done, expected_seconds: expected, times_real_time: times, eta_seconds: eta } = job;
    if (status === "running" && expected) this.progress.value = Math.min(1, done / expected);
    else this.progress.removeAttribute("value");
    const speed = times ? `, ${times.toFixed(times < 10 ? 1 : 0)} times real time` : "";
    this.status.textContent = {
      queued: "Waiting for its turn on the server",
      running: `Looked at ${clock(done, 0)}${expected ? ` of ${clock(expected, 0)}` : ""}${speed}${eta ? `, about ${duration(eta)} to go` : ""}`,
      done: `Looked at ${clock(job.seconds ?? done)}${speed}, with ${job.model}`,
      cancelled: "Cancelled on the server.",
    }[status] ?? "";
    if (status === "failed") throw new Failure(sentence(job.error ?? "the server could not look through the video"), 422);
    if (done > 0) this.#fetchScores(status === "done");
    if (job.plays_in_browsers === false && !this.#timeline.wantsCopy) this.#timeline.cannotPlay();
    if (status !== "done") return;
    this.cancel.textContent = "Remove";
    announce(`${this.file.name}: done, ${job.segments.length} segments`);
  }

  /** The curves: at the end, and before now and then, the less often the longer it takes. */
  async #fetchScores(last) {
    const scores = this.#scores;
    if (scores.busy ? !last : !last && performance.now() < scores.at + Math.max(1000, 5 * scores.cost)) return;
    scores.busy = true;
    const begun = performance.now();
    try {
      this.#timeline.tracks.setScores(await (await ask(`/timeline/${this.#jobId}/scores`, { signal: this.#stop.signal })).json());
    } catch (error) {
      if (error instanceof Cancelled) return;
      // Before the first score there are none; at the end their absence is told.
      if (last) this.problem.textContent = `The curves are missing: ${error.message}`;
    } finally {
      Object.assign(scores, { busy: false, at: performance.now(), cost: performance.now() - begun });
    }
  }

  /** The server's copy of a video that this browser does not play. */
  async #fetchCopy() {
    const { signal } = this.#stop;
    try {
      while (!ENDS.includes(this.#timeline.job.status)) await sleep(0.5, signal); // it is made after that
      const { job, player } = this.#timeline;
      if (job.status !== "done") return;
      if (job.plays_in_browsers) return player.tell("This browser cannot play the file.");
      player.tell("This browser cannot play the file. The server is making a copy that it can.");
      for (let wait = 1; ; wait = Math.min(1.5 * wait, 15)) {
        try {
          return player.show(await (await ask(`/timeline/${job.id}/video`, { signal })).blob());
        } catch (error) {
          if (error instanceof Cancelled) throw error;
          const comes = error.status === 0 || /not written yet/.test(error.message);
          if (!comes) return player.tell(`This browser cannot play the file. ${error.message}`);
        }
        await sleep(wait, signal);
      }
    } catch (error) {
      if (!(error instanceof Cancelled)) throw error;
    }
  }

  #fail(error) {
    this.status.textContent = "";
    this.problem.textContent = error.message;
    this.again.hidden = error.status === 413 || error.status === 422;
    this.cancel.textContent = "Remove";
  }
}
