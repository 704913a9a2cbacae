/**
 * The emoji that this system draws as a single picture, in colour where it has any in colour. Asked of each tab
 * once.
 */
export function drawable(all: readonly string[]): string[] {
  const size = 20;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = size;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) return [...all];
  // As panels.css has them.
  context.font = `${size - 4}px "Apple Color Emoji", "Segoe UI Emoji", "Noto Color Emoji", emoji, sans-serif`;
  context.textBaseline = 'top';
  const drawn = (emoji: string, colour: string) => {
    context.clearRect(0, 0, size, size);
    context.fillStyle = colour;
    context.fillText(emoji, 0, 0);
    return context.getImageData(0, 0, size, size).data;
  };
  // A letter, a box and a picture in black and white take the colour of the text.
  const isColoured = (emoji: string) => {
    const blue = drawn(emoji, 'blue');
    return blue.some((value) => value > 0) && drawn(emoji, 'red').every((value, n) => value === blue[n]);
  };
  const known = '😀';
  const one = context.measureText(known).width;
  const inColour = isColoured(known);
  // An emoji that the system does not know is drawn as several.
  return all.filter(
    (emoji) => context.measureText(emoji).width <= 1.4 * one && (!inColour || isColoured(emoji)),
  );
}
