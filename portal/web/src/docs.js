import { ask, h } from "./dom.js";

const main = document.getElementById("main");
// Parameters that stand in the form itself; the columns of a table are folded.
const FEW = 12;

/** One block for each operation of the OpenAPI document, with a form that asks it. */
function operationOf(method, path, operation, shared) {
  const answer = h("div", { class: "answer", "aria-live": "polite" });
  const parameters = (operation.parameters ?? [])
    .map((one) => (one.$ref ? shared[one.$ref.split("/").pop()] : one))
    .filter((one) => one.schema.type !== "object");
  const fieldOf = (parameter) => {
    const id = `${operation.operationId}-${parameter.name}`;
    const schema = [parameter.schema, ...(parameter.schema.anyOf ?? [])].find((part) => part.enum || part.pattern || part.maximum) ?? parameter.schema;
    const input = schema.enum
      ? h("select", { id, name: parameter.name }, ["", ...schema.enum].map((value) => h("option", { value }, value)))
      : h("input", { id, name: parameter.name, required: parameter.required, placeholder: parameter.required ? "" : "—" });
    return h("div", { class: "field" },
      h("label", { for: id }, h("code", null, parameter.name), parameter.required ? "（必填）" : ""),
      input,
      h("span", { class: "about" }, [parameter.description, schema.maximum && `1–${schema.maximum}`].filter(Boolean).join(" ")));
  };
  const fields = parameters.slice(0, FEW).map(fieldOf);
  if (parameters.length > FEW) {
    const more = h("details", { class: "columns" }, h("summary", null, `按字段筛选（${parameters.length - FEW} 个）Filters`));
    // Hundreds of fields on a page of many operations: each is made when it is wanted.
    more.addEventListener("toggle", () => more.childElementCount === 1 && more.append(...parameters.slice(FEW).map(fieldOf)));
    fields.push(more);
  }
  async function send(event) {
    event.preventDefault();
    const given = new FormData(event.target);
    const query = new URLSearchParams();
    let address = path;
    for (const parameter of parameters) {
      const value = given.get(parameter.name);
      if (!value) continue;
      if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(value));
      else query.set(parameter.name, value);
    }
    if (query.size) address += `?${query}`;
    const response = await fetch(address);
    const text = await response.text();
    const body = response.headers.get("content-type")?.includes("json") ? JSON.stringify(JSON.parse(text), null, 2) : text;
    answer.replaceChildren(
      h("p", null, h("code", null, `GET ${address}`), ` → ${response.status}`, response.headers.get("x-data-release") ? ` · X-Data-Release ${response.headers.get("x-data-release")}` : ""),
      h("pre", { tabindex: "0" }, body.length > 20000 ? `${body.slice(0, 20000)}\n…` : body));
  }
  return h("article", { class: "card operation" },
    h("h3", null, h("code", null, `${method.toUpperCase()} ${path}`)),
    h("p", null, operation.summary),
    h("p", { class: "about" }, operation.description ?? ""),
    method === "get"
      ? h("form", { onsubmit: send }, fields, h("button", { type: "submit" }, "发送"))
      : h("p", { class: "about" }, "写入操作请用程序调用。 A write is sent by a program."),
    answer);
}

try {
  const told = await ask("/api/v1/openapi.json");
  const operations = Object.entries(told.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationOf(method, path, operation, told.components?.parameters ?? {})));
  const find = h("input", { type: "search", id: "find", oninput: () => {
    const wanted = find.value.trim().toLowerCase();
    operations.forEach((one) => (one.hidden = !one.textContent.toLowerCase().includes(wanted)));
  } });
  main.replaceChildren(
    h("div", { class: "lead" }, h("h2", null, told.info.title), h("p", null, told.info.description)),
    h("div", { class: "field" }, h("label", { for: "find" }, `查找（${operations.length}）`), find, h("span", { class: "about" }, "路径或名称 Path or words")),
    h("div", { class: "operations" }, operations));
} catch (error) {
  main.replaceChildren(h("div", { class: "notice", role: "alert" }, h("p", null, error.message)));
}
main.setAttribute("aria-busy", "false");
