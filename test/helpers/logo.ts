/** Returns the start of a PNG file, which is all that the server reads of a logo. */
export function pngOf(width: number, height = width, bytes = 100): Buffer {
  const png = Buffer.alloc(bytes);
  png.write('89504e470d0a1a0a0000000d49484452', 'hex');
  png.writeUInt32BE(width, 16);
  png.writeUInt32BE(height, 20);
  return png;
}

/** Returns the start of a JPEG file, with a segment before the frame header. */
export function jpegOf(width: number, height = width): Buffer {
  const jpeg = Buffer.from('ffd8ffe000104a46494600010100000100010000ffc2001108000000000301', 'hex');
  jpeg.writeUInt16BE(height, jpeg.length - 6);
  jpeg.writeUInt16BE(width, jpeg.length - 4);
  return jpeg;
}
