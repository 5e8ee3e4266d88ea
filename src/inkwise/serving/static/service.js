// The client of the service: HTTP requests, and their errors.

const KEY = "inkwise-token";
const PATIENCE = 20_000; // timeout of a request in milliseconds

// The reason why there is no answer. Its kind is "gone", "busy", "token" or "refused".
export class Trouble extends Error {
  constructor(kind, told, seconds = 1) {
    super(told);
    this.kind = kind;
    this.seconds = seconds; // time to wait if the service is busy
  }
}

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

export const ask = async (path, body) => {
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
    throw new Trouble("gone", "The service does not answer. Trying again…");
  }
  const problem = await response.json().catch(() => ({}));
  const told = problem.detail ?? `The service answered ${response.status}.`;
  switch (response.status) {
    case 401:
      throw new Trouble("token", told);
    case 503: {
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      throw new Trouble("busy", "The service is busy. Trying again…", seconds);
    }
    case 502:
    case 504: // from a proxy in front of the service
      throw new Trouble("gone", "The service does not answer. Trying again…");
    default:
      throw new Trouble("refused", told.charAt(0).toUpperCase() + told.slice(1));
  }
};

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
