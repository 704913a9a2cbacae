/** Which of the formats PHP writes the bytes look like: for the log, so that the operator can set it right. */
export function guessFormat(bytes: Buffer): string {
  const start = bytes.subarray(0, 64).toString('latin1');
  if (/^[[{]/.test(start)) return 'json';
  if (/^a:\d+:\{/.test(start)) return 'php_serialize';
  if (/^[^|]*\|([abCdEOirRs]:|N;)/.test(start)) return 'php';
  if (bytes.length >= 5 && bytes.readUInt32BE(0) <= 2 && bytes[3] !== 0) return 'igbinary';
  if (bytes.readUInt8(0) < 128 && /^.[\w.]+([abCdEOirs]:|N;)/s.test(start)) return 'php_binary';
  if (bytes[0] === 0x78 || /^.{4}\x78/s.test(start)) return 'zlib compressed data';
  if (/^[\x80-\x8f\xde\xdf]/.test(start)) return 'msgpack';
  return 'no known format';
}
