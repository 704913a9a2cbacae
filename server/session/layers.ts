/** Something that lies round the bytes of a session and is taken off before they are decoded. */
export interface Layer {
  name: string;
  /** @throws FormatError when the bytes are not wrapped so */
  unwrap(bytes: Buffer, id: string): Buffer;
}

/**
 * `layers=` of a store URL: names separated by commas, outermost first.
 * @throws TypeError for a name that is none
 */
export function parseLayers(text: string): Layer[] {
  if (text === '') return [];
  throw new TypeError('this version knows no layers');
}
