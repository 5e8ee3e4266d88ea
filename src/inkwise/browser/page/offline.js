// Keep the site, so that it works without a connection: a service worker.
//
// A version of the site is kept whole or not at all. A page goes on with the version that it
// began with; the next one comes once no other page is open.

const FILES = {}; // the SHA-256 of each file by its address, which the export writes here

const PREFIX = `inkwise ${registration.scope} `;
const VERSION = PREFIX + FILES[""];

const keep = async () => {
  const cache = await caches.open(VERSION);
  try {
    for (const [address, hash] of Object.entries(FILES)) {
      if (!address) continue;
      const asked = new Request(address, { cache: "no-cache", integrity: `sha256-${hash}` });
      const answer = await fetch(asked);
      if (!answer.ok) throw new Error(`${answer.status}: ${address}`);
      await cache.put(address, answer);
    }
  } catch (error) {
    await caches.delete(VERSION); // the next visit tries again
    throw error;
  }
};

const tidy = async () => {
  const names = (await caches.keys()).filter((name) => name.startsWith(PREFIX));
  await Promise.all(names.filter((name) => name !== VERSION).map((name) => caches.delete(name)));
  await clients.claim();
};

const answer = async (request, address) => {
  if (request.mode === "navigate" && registration.waiting) {
    if ((await clients.matchAll({ type: "window" })).length < 2) {
      registration.waiting.postMessage("begin");
      return new Response("", { headers: { Refresh: "0" } }); // asks again, and the next answers
    }
  }
  const cache = await caches.open(VERSION);
  return (await cache.match(address)) ?? fetch(request);
};

addEventListener("install", (event) => event.waitUntil(keep()));
addEventListener("activate", (event) => event.waitUntil(tidy()));
addEventListener("message", ({ data }) => data === "begin" && skipWaiting());
addEventListener("fetch", (event) => {
  const [asked] = event.request.url.split(/[?#]/);
  if (!asked.startsWith(registration.scope)) return;
  const address = asked.slice(registration.scope.length).replace(/^(index\.html)?$/, "./");
  if (address in FILES) event.respondWith(answer(event.request, address));
});
