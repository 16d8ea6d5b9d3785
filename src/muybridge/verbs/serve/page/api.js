// Talking to the server: its token, its errors in plain words, uploads that say how far they are, events.

import { sentence } from "./words.js";

const KEY = "muybridge token";

/** What went wrong, as a sentence; `status` 0 is a lost connection, `wait` seconds are asked for by a busy server. */
export class Failure extends Error {
  constructor(message, status = 0, wait = null) {
    super(message);
    this.status = status;
    this.wait = wait;
  }
}

export class Cancelled extends Error {}

/** The token comes in the part of the address that browsers do not send; it is taken out of what the address shows. */
export function takeToken() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found === null) return;
  useToken(found);
  history.replaceState(null, "", location.pathname + location.search);
}

export const useToken = token => sessionStorage.setItem(KEY, token);
const token = () => sessionStorage.getItem(KEY);
const headers = () => (token() ? { Authorization: `Bearer ${token()}` } : {});

/** The address of a WebSocket, and its subprotocols: the place where a browser can put a token. */
export function socketTo(path) {
  const address = new URL(path, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocket(address, token() ? ["muybridge", `token.${token()}`] : ["muybridge"]);
}

const LOST = "The server does not answer. Is it still running, and is the network up?";

function failure(status, text, retryAfter) {
  let detail = "";
  try {
    const body = JSON.parse(text);
    // Of one file that cannot be read, the reason alone: the card has its name.
    detail = body.predictions?.length === 1 ? body.predictions[0].error : body.detail;
  } catch {
    // An answer that is not the server's own, of a proxy for example: its status has to do.
  }
  if (typeof detail !== "string" || !detail) detail = `The server answered with status ${status}.`;
  if (status === 401) detail = "The server asks for its token: open the address that muybridge serve printed.";
  if (status === 413) detail = `The file is too large: ${detail}`;
  detail = sentence(detail);
  const seconds = Number(retryAfter);
  return new Failure(detail, status, status === 503 ? (retryAfter && seconds > 0 ? seconds : 5) : null);
}

/** The answer to a request; anything but success is a `Failure`. */
export async function ask(path, { method = "GET", json, signal } = {}) {
  const options = { method, signal, headers: headers() };
  if (json !== undefined) {
    options.body = JSON.stringify(json);
    options.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (signal?.aborted) throw new Cancelled();
    throw new Failure(LOST);
  }
  if (answer.ok) return answer;
  throw failure(answer.status, await answer.text().catch(() => ""), answer.headers.get("Retry-After"));
}

/** Send a form with a file, and tell how much has gone (`fetch` cannot); the JSON of the answer. */
export function upload(path, form, { sent = () => {}, signal } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", event => sent(event.total ? event.loaded / event.total : 0));
    request.addEventListener("load", () => {
      if (request.status < 200 || request.status >= 300)
        return reject(failure(request.status, request.responseText, request.getResponseHeader("Retry-After")));
      try {
        resolve(JSON.parse(request.responseText));
      } catch {
        reject(new Failure("The server's answer is not whole.", request.status));
      }
    });
    request.addEventListener("error", () =>
      reject(new Failure("The connection broke while the file was sent. The server may have stopped, or may refuse a file of this size."))
    );
    request.addEventListener("abort", () => reject(new Cancelled()));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/** Server-sent events as `{name, data}`. By `fetch`, since an EventSource cannot send a token. */
export async function* events(path, signal) {
  const answer = await ask(path, { signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch {
      if (signal?.aborted) throw new Cancelled();
      throw new Failure(LOST);
    }
    if (part.done) return;
    const blocks = (rest + part.value).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split(/\r?\n/);
      const field = name => lines.filter(line => line.startsWith(`${name}:`)).map(line => line.slice(name.length + 1).replace(/^ /, ""));
      const data = field("data").join("\n");
      if (data) yield { name: field("event")[0] ?? "message", data: JSON.parse(data) };
    }
  }
}

export const sleep = (seconds, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new Cancelled());
    });
  });

/** Do something, and again while the server is busy; `waiting(seconds)` is called every second of the wait. */
export async function patiently(task, waiting, signal) {
  for (;;) {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof Failure) || error.wait === null) throw error;
      for (let left = Math.ceil(error.wait); left > 0; left--) {
        waiting(left, error.message);
        await sleep(1, signal);
      }
    }
  }
}
