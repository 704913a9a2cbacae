/** The name, colour and logo of the site, for all that the chat shows outside of the site's pages. */
export interface Branding {
  name?: string;
  /** A colour such as `#a3420b`. */
  accent?: string;
  logo?: Logo;
}

export interface Logo {
  /** The path at which the server serves it, without the first slash. A different logo has a different path. */
  path: string;
  type: 'image/png' | 'image/jpeg';
  /** In pixels. */
  width: number;
  height: number;
  bytes: Buffer;
}

/** Minimum contrast of text (https://www.w3.org/TR/WCAG22/#contrast-minimum). */
const minContrast = 4.5;

/** Returns white if its contrast is at least `minContrast`, otherwise black. The client's `--pc-on-accent` is the same. */
export const textOn = (background: string): '#ffffff' | '#000000' =>
  contrast('#ffffff', background) >= minContrast ? '#ffffff' : '#000000';

/** Makes a colour darker on a light background, or lighter on a dark one, until it has this contrast. */
export function readableOn(background: string, colour: string, least = minContrast): string {
  const target = textOn(background) === '#000000' ? 0 : 255;
  for (let step = 0; step < 20; step++) {
    const mixed = channelsOf(colour).map((one) => Math.round(one + ((target - one) * step) / 20));
    const hex = `#${mixed.map((one) => one.toString(16).padStart(2, '0')).join('')}`;
    if (contrast(hex, background) >= least) return hex;
  }
  return target === 0 ? '#000000' : '#ffffff';
}

/** Returns the CSS value of the client's `--pc-accent`, which is lighter in dark mode if it would be hard to see. */
export const lightDarkAccent = (accent: string): string =>
  `light-dark(${accent}, ${readableOn(darkBackground, accent, 3)})`;

/** The background of the client in dark mode. */
const darkBackground = '#171920';

/** Returns the contrast of two colours (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio). */
export function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminanceOf(one), luminanceOf(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminanceOf(colour: string): number {
  const [red = 0, green = 0, blue = 0] = channelsOf(colour).map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

const channelsOf = (colour: string) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
