/** What this system draws as one picture, in colour. Asked of each tab once. */
export function drawable(all: readonly string[]): string[] {
  const canvas = document.createElement('canvas');
  const size = 20;
  canvas.width = canvas.height = size;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) return [...all];
  context.font = `${size - 4}px sans-serif`;
  context.textBaseline = 'top';
  const one = context.measureText('😀').width;
  return all.filter((emoji) => {
    // What it does not know as one is drawn as several.
    if (context.measureText(emoji).width > 1.4 * one) return false;
    context.clearRect(0, 0, size, size);
    context.fillText(emoji, 0, 0);
    const { data } = context.getImageData(0, 0, size, size);
    for (let n = 0; n < data.length; n += 4) {
      const [red = 0, green = 0, blue = 0] = data.subarray(n, n + 3);
      // A box, or a flag's letters, are in the colour of the text.
      if (Math.max(red, green, blue) > 8) return true;
    }
    return isDark.test(emoji);
  });
}

/** Some are black themselves. */
const isDark = /^[\p{So}\p{Po}\p{Sm}♾⬛◼▪✔➰〰©®™]/u;
