/** Returns the emoji that this system draws as a single picture, and in colour if it has coloured emoji. */
export function drawable(all: readonly string[]): string[] {
  const size = 20;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = size;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) return [...all];
  // The same fonts as in panels.css.
  context.font = `${size - 4}px "Apple Color Emoji", "Segoe UI Emoji", "Noto Color Emoji", emoji, sans-serif`;
  context.textBaseline = 'top';
  const drawn = (emoji: string, colour: string) => {
    context.clearRect(0, 0, size, size);
    context.fillStyle = colour;
    context.fillText(emoji, 0, 0);
    return context.getImageData(0, 0, size, size).data;
  };
  // A letter, a box or a monochrome picture takes the colour of the text.
  const isColoured = (emoji: string) => {
    const blue = drawn(emoji, 'blue');
    return blue.some((value) => value > 0) && drawn(emoji, 'red').every((value, n) => value === blue[n]);
  };
  const known = '😀';
  const one = context.measureText(known).width;
  const inColour = isColoured(known);
  // The system draws an unknown emoji sequence as several emoji.
  return all.filter(
    (emoji) => context.measureText(emoji).width <= 1.4 * one && (!inColour || isColoured(emoji)),
  );
}
