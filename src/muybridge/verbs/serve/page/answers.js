// The answer for a short clip: its class, or none of these, and the other classes as bars.

import { make } from "./dom.js";
import { NONE_OF_THESE } from "./words.js";

/** A list of classes with bars; the bar is for the eye, the number is text. */
export function bars(scores, colours = null) {
  return make("ol", { className: "bars" }, ...scores.map(({ label, score }) => {
    const bar = make("span", { className: "bar", "aria-hidden": "true" }, make("i"));
    bar.firstChild.style.width = `${100 * score}%`;
    if (colours) bar.firstChild.style.setProperty("--colour", colours.of(label));
    return make("li", {}, make("span", { className: "label", text: label }), make("span", { className: "score", text: score.toFixed(2) }), bar);
  }));
}

/** What the model says, in words. */
export const inWords = ({ label, score, none_of_these: none }) =>
  none ? `${NONE_OF_THESE} (nearest: ${label}, ${score.toFixed(2)})` : `${label}, ${score.toFixed(2)}`;

// A browser plays some dozens of videos at a time: those that are out of sight give way.
const inSight = new IntersectionObserver(entries => {
  for (const { target: video, isIntersecting } of entries)
    if (isIntersecting) video.src = video.dataset.address;
    else if (video.src && video.paused) {
      video.removeAttribute("src");
      video.load();
    }
}, { rootMargin: "50%" });

/** Let the files go that videos in an element show. */
export function forget(element) {
  for (const video of element.querySelectorAll("video[data-address]")) {
    inSight.unobserve(video);
    URL.revokeObjectURL(video.dataset.address);
  }
}

/** The answer beside the video, if the browser plays it. */
export function answer(prediction, file, colours) {
  const { label, score, none_of_these: none, scores } = prediction;
  const video = make("video", { muted: true, loop: true, playsInline: true, controls: true, preload: "metadata", ariaLabel: file.name });
  const noPicture = make("p", { className: "soft nopicture", text: "This browser cannot play the file. The model could read it.", hidden: true });
  video.dataset.address = URL.createObjectURL(file);
  video.addEventListener("error", () => {
    if (!video.src) return;
    video.hidden = true;
    noPicture.hidden = false;
  });
  inSight.observe(video);
  const text = make("div", { className: "text" },
    make("p", { className: "verdict" }, make("strong", { text: none ? NONE_OF_THESE : label }),
      make("span", { className: "score", text: none ? "" : score.toFixed(2) })),
    none ? make("p", { className: "soft", text: `Nearest: ${label}, ${score.toFixed(2)}. The model has no class that fits well enough.` }) : null,
    bars(scores, colours));
  return make("div", { className: "answer" }, make("div", { className: "preview" }, video, noPicture), text);
}
