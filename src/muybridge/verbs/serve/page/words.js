// Numbers as people read and write them.

/** 75.25 -> "1:15.3"; with two digits "1:15.25". */
export function clock(seconds, digits = 1) {
  const scale = 10 ** digits, ticks = Math.round(Math.max(0, seconds) * scale), whole = Math.floor(ticks / scale);
  const pad = (value, width = 2) => String(value).padStart(width, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  const start = hours ? `${hours}:${pad(minutes)}` : String(minutes);
  return `${start}:${pad(whole % 60)}${digits ? "." + pad(ticks % scale, digits) : ""}`;
}

/** "1:15.25", "75.25" or "0:01:15.25" -> 75.25; null where it is no time. */
export function parseClock(text) {
  const parts = text.trim().replace(",", ".").split(":");
  if (parts.length > 3 || !parts.every((part, at) => (at < parts.length - 1 ? /^\d+$/ : /^\d+(\.\d*)?$/).test(part))) return null;
  return parts.reduce((seconds, part) => 60 * seconds + Number(part), 0);
}

/** 3.2 -> "3 s", 75 -> "1 min 15 s". */
export function duration(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
}

export function bytes(count) {
  for (const [size, unit] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]])
    if (count >= size) return `${(count / size).toPrecision(2 + (count >= 100 * size))} ${unit}`;
  return `${count} bytes`;
}

/** A line of the server as a sentence. */
export const sentence = line => line.charAt(0).toUpperCase() + line.slice(1) + (/[.!?]$/.test(line) ? "" : ".");

export const NONE_OF_THESE = "none of these";
