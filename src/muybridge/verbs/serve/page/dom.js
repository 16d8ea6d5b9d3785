// Making elements. Text goes in as text, never as HTML: names of files and labels come from strangers.

/** An element: `values` are properties (`className`, `text`, `on: {click}`) or, where there is none, attributes. */
export function make(name, values = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined || value === null) continue;
    if (key === "text") element.textContent = value;
    else if (key === "on") for (const [event, heard] of Object.entries(value)) element.addEventListener(event, heard);
    else if (key === "ariaLabel") element.setAttribute("aria-label", value); // not a property in all browsers
    else if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter(child => child !== null));
  return element;
}

export const button = (text, pressed, values = {}) => make("button", { type: "button", text, on: { click: pressed }, ...values });

export const byId = id => document.getElementById(id);

let number = 0;

/** A name for an element that a label or a description points to. */
export const freshId = () => `n${++number}`;

let clearing;

/** Say something to who does not see the screen. */
export function announce(text) {
  const region = byId("said");
  region.textContent = "";
  // A text that is set again is read again only if the region was empty meanwhile.
  requestAnimationFrame(() => { region.textContent = text; });
  clearTimeout(clearing);
  clearing = setTimeout(() => { region.textContent = ""; }, 10_000);
}
