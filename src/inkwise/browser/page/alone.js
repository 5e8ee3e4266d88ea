// The page of a site without a service: the browser answers, and keeps the site for later.

import { start } from "./canvas.js";
import * as local from "./local.js";

start(local, {
  // Only now, because keeping the site shall not slow down its first answer.
  met: () => {
    const keeping = navigator.serviceWorker?.register("offline.js", { updateViaCache: "none" });
    keeping?.catch(() => {}); // not allowed here: the page works, but only with a connection
  },
});
