// The page: its models, its two ways of getting a video, and what is dropped on it.

import { ask, takeToken, useToken } from "./api.js";
import { Camera } from "./camera.js";
import { announce, byId, make } from "./dom.js";
import { SHORT_SECONDS, Video } from "./videos.js";

let models = [], mostBytes = null;
const videos = new Set();
const chosenModel = () => models.find(each => each.name === byId("model").value) ?? models[0];
const camera = new Camera(byId("camera"), chosenModel);

async function loadModels() {
  byId("problem").textContent = "";
  try {
    const answer = await (await ask("/models")).json();
    models = answer.models;
    mostBytes = answer.max_upload_bytes ?? null;
    byId("model").replaceChildren(...models.map(each => make("option", { value: each.name, text: each.name })));
    byId("model").value = answer.default;
  } catch (error) {
    const asks = error.status === 401, again = !byId("token").hidden;
    byId("token").hidden = !asks;
    byId("problem").textContent = !asks ? error.message : again ? "The token is wrong." : "";
    if (asks) byId("token-text").focus();
    return;
  }
  byId("token").hidden = true;
  byId("models").hidden = byId("about").hidden = false;
  byId("model").hidden = models.length < 2;
  byId("only-model").hidden = models.length > 1;
  showModel();
}

function showModel() {
  const model = chosenModel();
  byId("only-model").textContent = model.name;
  const facts = {
    classes: model.classes.join(", "),
    "none of these": model.none_of_these ? "is an answer, too" : "is no answer: it always names a class",
    accuracy: model.accuracy,
    network: [model.encoder, model.head].filter(Boolean).join(", "),
    "looks at": model.frames_per_second && `${model.frames_per_second} frames a second`,
    window: model.window_seconds && `${model.window_seconds} s`,
    "look-ahead": model.look_ahead_seconds ? `${model.look_ahead_seconds} s` : null,
  };
  byId("about").querySelector("dl").replaceChildren(...Object.entries(facts).filter(([, value]) => value)
    .flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: value })]));
}

function take(files) {
  if (!files.length) return;
  if (!models.length) {
    byId("problem").textContent = "The server has not said which models it has; reload the page.";
    return;
  }
  const model = chosenModel(), way = document.querySelector("input[name=way]:checked").value;
  for (const file of files) {
    const video = new Video(file, { way, model: model.name, classes: model.classes, mostBytes }, gone => {
      videos.delete(gone);
      gone.element.remove();
      byId("chosen").focus();
    });
    videos.add(video);
    byId("videos").prepend(video.element);
    video.run();
  }
  announce(files.length === 1 ? `${files[0].name} taken` : `${files.length} videos taken`);
}

const tabs = ["files", "camera"];
function showTab(name, focus) {
  for (const each of tabs) {
    const tab = byId(`tab-${each}`), chosen = each === name;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    byId(each).hidden = !chosen;
    if (chosen && focus) tab.focus();
  }
  // Nobody should be filmed by a page that does not show it.
  if (name !== "camera" && camera.running) camera.end();
}
for (const name of tabs) {
  byId(`tab-${name}`).addEventListener("click", () => showTab(name));
  byId(`tab-${name}`).addEventListener("keydown", event => {
    const to = { ArrowLeft: tabs[0], Home: tabs[0], ArrowRight: tabs[1], End: tabs[1] }[event.key];
    if (to) { event.preventDefault(); showTab(to, true); }
  });
}

byId("chosen").addEventListener("change", event => {
  take([...event.target.files]);
  event.target.value = ""; // so that the same file can be chosen again
});
byId("model").addEventListener("change", () => { showModel(); camera.modelChanged(); });
byId("token").addEventListener("submit", event => {
  event.preventDefault();
  useToken(byId("token-text").value.trim());
  byId("token-text").value = "";
  loadModels();
});
// A file that misses the field would otherwise replace the page.
for (const name of ["dragover", "dragleave", "drop"])
  addEventListener(name, event => {
    const files = event.dataTransfer?.types.includes("Files");
    if (!files) return;
    event.preventDefault();
    byId("drop").classList.toggle("over", name === "dragover");
    if (name !== "drop") return;
    showTab("files");
    take([...event.dataTransfer.files]);
  });
addEventListener("beforeunload", event => {
  if ([...videos].some(each => each.unsaved)) event.preventDefault();
});

byId("short-seconds").textContent = SHORT_SECONDS;
takeToken();
loadModels();
