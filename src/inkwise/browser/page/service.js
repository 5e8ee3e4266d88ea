// Answers by the service: HTTP requests, and their errors. local.js has the same names.

import { Trouble } from "./trouble.js";
import { fill, words } from "./words.js";

const KEY = "inkwise-token";
const PATIENCE = 20_000; // timeout of a request in milliseconds

let token = null;
try {
  token = sessionStorage.getItem(KEY);
} catch {
  // The browser allows no storage: the token is then lost when the page is closed.
}

export const hasToken = () => token !== null;

export const setToken = (value) => {
  token = value;
  try {
    if (value === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
  } catch {
    // As above.
  }
};

const ask = async (path, body) => {
  const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
  if (body) headers["Content-Type"] = body.type.startsWith("image/") ? body.type : "image/unknown";
  let response;
  try {
    response = await fetch(path, {
      method: body ? "POST" : "GET",
      body,
      headers,
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (response.ok) return await response.json();
  } catch {
    throw new Trouble("gone", words.served.gone);
  }
  const problem = await response.json().catch(() => ({}));
  const told = problem.detail ?? fill(words.served.status, { status: response.status });
  switch (response.status) {
    case 401:
      throw new Trouble("token", told);
    case 503: {
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      throw new Trouble("busy", words.served.busy, seconds);
    }
    case 502:
    case 504: // from a proxy in front of the service
      throw new Trouble("gone", words.served.gone);
    default:
      throw new Trouble("refused", told.charAt(0).toUpperCase() + told.slice(1));
  }
};

// Return the bytes of what is asked about: an uploaded file itself, or a drawing as PNG.
const encode = (source) => {
  if (source instanceof Blob) return source;
  // Unlike this, `toBlob` waits until the browser is idle.
  const bytes = atob(source.toDataURL("image/png").split(",")[1]);
  return new Blob([Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))], { type: "image/png" });
};

// Describe the model.
export const meet = () => ask("v1/model");

// Classify a picture, a file or a canvas: of a file with several pages, all of them.
export const classify = (source, hand) => ask(`v1/predict?with_image=true&hand=${hand}`, encode(source));

// Read the numbers in a picture, or in one of its pages, counted from 0.
export const read = async (source, page) => {
  const { pictures } = await ask("v1/read", encode(source));
  return pictures[page].numbers ?? [];
};

// Explain the answer about a picture.
export const explain = (source, hand) => ask(`v1/explain?hand=${hand}`, encode(source));

// Keep a picture with its true class.
export const correct = (source, name) =>
  ask(`v1/corrections?label=${encodeURIComponent(name)}`, encode(source));

// Wait until the service is ready.
export const untilThere = async () => {
  for (let wait = 500; ; wait = Math.min(5000, wait * 1.5)) {
    await new Promise((resolve) => {
      setTimeout(resolve, wait);
    });
    try {
      await ask("v2/health/ready");
      return;
    } catch {
      // Not yet.
    }
  }
};
