// The words of the page, which words.json holds all of. The page carries them.

export const words = JSON.parse(document.getElementById("words").textContent);

// Put values in the place of {names}.
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
