// The page of a site without a service: the browser answers, and keeps the site for later.

import { start } from "./canvas.js";
import * as local from "./local.js";

const PATIENCE = 4000; // milliseconds after which the site is kept if nobody draws

let keeping = null;

const keep = () => {
  keeping ??= navigator.serviceWorker?.register("offline.js", { updateViaCache: "none" });
  keeping?.catch(() => {}); // not allowed here: the page works, but only with a connection
};

// Only after the first answer, which shall not wait for files that are kept for later.
start(local, { met: () => setTimeout(keep, PATIENCE), settled: keep });
