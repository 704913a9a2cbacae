/** A picture with more pixels on a side, or with more bytes, is encoded again. */
const MOST_SIDE = 2560;
const MOST_BYTES = 2 * 1024 * 1024;
const QUALITY = 0.88;

/**
 * The type and file extension that each type is encoded as. GIFs are not encoded, because they would lose their
 * animation.
 */
const BECOMES: Partial<Record<string, readonly [type: string, ending: string]>> = {
  'image/jpeg': ['image/jpeg', '.jpg'],
  'image/png': ['image/webp', '.webp'],
  'image/webp': ['image/webp', '.webp'],
  'image/avif': ['image/webp', '.webp'],
};

/**
 * Returns the file to send. A large picture is scaled down, turned upright and stripped of metadata such as its
 * location.
 */
export async function smaller(bytes: Blob, name: string): Promise<{ bytes: Blob; name: string }> {
  const as = { bytes, name };
  const [type, ending] = BECOMES[bytes.type] ?? [];
  if (type === undefined) return as;
  const picture = await createImageBitmap(bytes).catch(() => undefined);
  if (picture === undefined) return as;
  const { width, height } = picture;
  const scale = Math.min(1, MOST_SIDE / Math.max(width, height));
  if (scale === 1 && bytes.size <= MOST_BYTES) {
    picture.close();
    return as;
  }
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.getContext('2d')?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  const made = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, type, QUALITY));
  // If the browser cannot encode the type, it returns a different type.
  if (made === null || made.type !== type || (scale === 1 && made.size >= bytes.size)) return as;
  return { bytes: made, name: `${name.replace(/\.[^.]*$/, '')}${ending}` };
}
