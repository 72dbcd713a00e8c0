/** How the page of senders asks and hands in; a write carries the session's token. */
const API = "/api/v1";
let token = "";

export class Problem extends Error {
  constructor(status, told) {
    super([told.title, told.detail].filter(Boolean).join("："));
    this.status = status;
    this.told = told;
  }
}

async function answer(response) {
  const told = await response.json().catch(() => ({ title: response.statusText }));
  if (!response.ok) throw new Problem(response.status, told);
  return told;
}

export async function get(path, values = {}) {
  const given = Object.entries(values).filter(([, value]) => value);
  const query = given.length ? `?${new URLSearchParams(given)}` : "";
  return answer(await fetch(`${API}${path}${query}`, { headers: { accept: "application/json" } }));
}

export async function post(path, value) {
  const headers = { "content-type": "application/json", "x-csrf-token": token };
  return answer(await fetch(`${API}${path}`, { method: "POST", headers, body: JSON.stringify(value) }));
}

/** Who is signed in; null where nobody is. */
export async function whoAmI() {
  const me = await get("/me").catch(() => null);
  token = me?.csrf_token ?? "";
  return me;
}

/** A key for one choice of files: however often they are sent, they are taken once. */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Send files; `progress` gets the share that is sent, from 0 to 1. Throws a Problem, or an Error for a lost line. */
export function handIn(files, fields, key, progress) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value) form.append(name, value);
  for (const file of files) form.append("file", file, file.name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${API}/deliveries`);
    request.responseType = "json";
    request.setRequestHeader("idempotency-key", key);
    request.setRequestHeader("x-csrf-token", token);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => {
      const told = request.response ?? {};
      if (request.status < 300) resolve(told);
      // Refused at the door: what is said of each file is shown like any verdict.
      else if (told.delivery) resolve(told.delivery);
      else reject(new Problem(request.status, told));
    };
    request.onerror = () => reject(new Error(""));
    request.send(form);
  });
}

/** The delivery again until it has its verdict; `told` gets each answer. */
export async function verdict(id, told) {
  for (let pause = 500; ; pause = Math.min(pause * 1.5, 5000)) {
    const now = await get(`/deliveries/${id}`).catch((error) => {
      if (error instanceof Problem && error.status < 500 && error.status !== 429) throw error;
      return null; // a server that starts again goes on where it was
    });
    if (now) {
      told(now);
      if (!["waiting", "taking"].includes(now.state)) return;
    }
    await new Promise((done) => setTimeout(done, pause));
  }
}
