/** An element with attributes and children; text is always text, never markup. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/** What the API answers; throws its problem (RFC 9457) as an Error that a person can read. */
export async function ask(path) {
  const response = await fetch(path, { headers: { accept: "application/json", "accept-language": document.documentElement.lang || "zh" } });
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  throw new Error([problem.title ?? response.statusText, problem.detail].filter(Boolean).join("："));
}
