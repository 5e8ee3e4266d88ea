// The frames of a file that has several, such as a GIF that moves.

const MOVING = ["image/gif", "image/png", "image/webp", "image/avif"];

// Yield the file itself for its first frame, and each later one as a bitmap. A browser that decodes
// no single frames shows the first only.
export const framesOf = async function* (file) {
  yield file;
  if (!MOVING.includes(file.type) || !globalThis.ImageDecoder) return;
  const data = await file.arrayBuffer();
  const decoder = new ImageDecoder({ data, type: file.type, colorSpaceConversion: "none" });
  try {
    const count = await Promise.all([decoder.tracks.ready, decoder.completed]).then(
      () => decoder.tracks.selectedTrack.frameCount,
      () => 1, // the file is of another kind than its name says
    );
    for (let frameIndex = 1; frameIndex < count; frameIndex += 1) {
      const decoded = decoder.decode({ frameIndex });
      yield await decoded.then(
        ({ image }) => createImageBitmap(image).finally(() => image.close()),
        () => new Blob(), // which is refused as damaged
      );
    }
  } finally {
    decoder.close();
  }
};

// Return one of the frames, counted from 0.
export const frameAt = async (file, place) => {
  let left = place;
  for await (const frame of framesOf(file)) {
    if (left === 0) return frame;
    left -= 1;
  }
};
