// How long a file is, before it is sent: what the browser says, or the header of an AVI, which browsers do not play.

/** Seconds, or null where nobody here knows. */
export async function secondsOf(file) {
  return (await secondsOfAvi(file)) ?? (await secondsOfPlayable(file));
}

async function secondsOfAvi(file) {
  const head = await file.slice(0, 64).arrayBuffer().then(buffer => new DataView(buffer), () => null);
  if (head === null || head.byteLength < 64) return null;
  const name = at => String.fromCharCode(...[0, 1, 2, 3].map(step => head.getUint8(at + step)));
  if (name(0) !== "RIFF" || name(8) !== "AVI " || name(24) !== "avih") return null;
  const seconds = (head.getUint32(32, true) * head.getUint32(48, true)) / 1e6;
  return seconds > 0 ? seconds : null;
}

function secondsOfPlayable(file) {
  return new Promise(resolve => {
    const video = document.createElement("video"), address = URL.createObjectURL(file);
    const end = seconds => {
      clearTimeout(timer);
      video.removeAttribute("src");
      URL.revokeObjectURL(address);
      resolve(Number.isFinite(seconds) && seconds > 0 ? seconds : null);
    };
    const timer = setTimeout(end, 5000, null);
    video.preload = "metadata";
    video.addEventListener("loadedmetadata", () => end(video.duration));
    video.addEventListener("error", () => end(null));
    video.src = address;
  });
}
