import { h } from "./dom.js";

let count = 0;

/** What is said of one file: a word, counts, what to do, the first problems, and what can be fetched. */
export function card(file, words) {
  const now = file.final ?? file.verdict;
  const id = `file-${(count += 1)}`; // a file may stand among the results and in the history
  const kind = now?.code ?? "waiting";
  return h("article", { class: `verdict ${kind}`, "aria-labelledby": id },
    h("header", null,
      h("h3", { id }, file.name ?? file.receipt_id),
      h("p", { class: "word" }, now ? now[words.language] : file.state === "left_to_run" ? words.leftToRun : words.waitingWord)),
    h("p", { class: "about" }, [file[`dataset_${words.language}`] ?? file.dataset, file.receipt_id && `${words.receipt} ${file.receipt_id}`].filter(Boolean).join(" · ")),
    now && now.line_count != null && counts(now, words),
    now?.reasons?.length > 0 && listed(words.why, now.reasons, words),
    file.state === "left_to_run" && !now && h("p", { class: "next" }, words.leftToRunNext),
    now && h("p", { class: "next" }, h("strong", null, `${words.next}：`), now[`next_${words.language}`]),
    file.differs && h("p", { class: "differs", role: "note" }, h("strong", null, words.differs), file.differs[words.language]),
    file.verdict?.problems?.length > 0 && problems(file, words),
    !file.final && file.verdict?.unchecked?.length > 0 && listed(words.unchecked, file.verdict.unchecked, words),
    file.verdict?.remarks?.length > 0 && listed(words.remarks, file.verdict.remarks, words),
    downloads(file, words));
}

function counts(now, words) {
  const figures = [["lines", now.line_count], ["accepted", now.accepted_count], ["refused", now.refused_count], ["flagged", now.flagged_count], ["asked", now.finding_count]];
  return h("dl", { class: "counts" }, figures.map(([name, value]) =>
    h("div", { class: value ? name : `${name} nought` }, h("dt", null, words[name]), h("dd", null, String(value ?? 0)))));
}

function listed(title, reasons, words) {
  return h("div", { class: "reasons" }, h("p", null, title), h("ul", null, reasons.map((one) => h("li", null, one[words.language]))));
}

function problems(file, words) {
  const found = file.verdict.problems;
  const place = (one) => [one.member, one.sheet, one.line ? words.line(one.line) : words.wholeTable].filter(Boolean).join(" · ");
  return h("div", null,
    h("h4", null, words.problems(found.length, file.verdict.problem_count)),
    h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": words.problemsOf(file.name) }, h("table", { class: "problems" },
      h("thead", null, h("tr", null, words.columns.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", null, found.map((one) => h("tr", null,
        [one.severity_told, place(one), one.column, one.wrong, one.do].map((text, at) => h("td", { "data-label": words.columns[at] }, text))))))));
}

function downloads(file, words) {
  const named = [["marked.xlsx", words.marked], ["report.xlsx", words.report], ["report.html", words.page]];
  const links = named.filter(([kind]) => file.reports[kind]).map(([kind, text], at) =>
    h("a", { class: at ? "button" : "button main", href: file.reports[kind], download: true, "aria-label": `${text}：${file.name ?? file.receipt_id}` }, text));
  return links.length > 0 && h("p", { class: "actions" }, links);
}
