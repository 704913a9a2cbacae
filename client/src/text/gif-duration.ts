/** Browsers show a frame for `USUAL_MS` if its time is shorter than `SHORTEST_MS`. */
const USUAL_MS = 100;
const SHORTEST_MS = 20;

/** Returns how long a GIF plays once, in milliseconds. Returns 0 for a still picture, or if it is not a GIF. */
export function gifDuration(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const colors = (packed: number) => (packed & 0x80 ? 3 * 2 ** ((packed & 7) + 1) : 0);
  let total = 0;
  let frames = 0;
  let delay = USUAL_MS;
  try {
    if (view.getUint32(0) !== 0x47494638) return 0;
    let at = 13 + colors(view.getUint8(10));
    /** Skips blocks of data, each of which begins with its length. */
    const skip = () => {
      for (let length = view.getUint8(at++); length > 0; length = view.getUint8(at++)) at += length;
    };
    for (let kind = view.getUint8(at++); kind !== 0x3b; kind = view.getUint8(at++)) {
      if (kind === 0x21) {
        // The time of the next frame, in hundredths of a second.
        if (view.getUint8(at++) === 0xf9) delay = 10 * view.getUint16(at + 2, true);
        skip();
      } else if (kind === 0x2c) {
        at += 9 + colors(view.getUint8(at + 8)) + 1;
        skip();
        total += delay < SHORTEST_MS ? USUAL_MS : delay;
        frames++;
      } else return 0;
    }
  } catch {
    // The file ends too early. The frames before its end are played.
  }
  return frames > 1 ? total : 0;
}
