/** Whirlpool (ISO/IEC 10118-3), which PHP has but OpenSSL 3 has not. This implementation is for few short texts. */
const e = [1, 11, 9, 12, 13, 6, 15, 3, 14, 8, 7, 4, 10, 2, 5, 0];
const r = [7, 12, 11, 13, 14, 4, 9, 15, 6, 3, 8, 10, 2, 5, 1, 0];
const at = (table: ArrayLike<number>, index: number) => table[index] as number;

const substitutes = Uint8Array.from({ length: 256 }, (_, x) => {
  const [upper, lower] = [at(e, x >> 4), e.indexOf(x & 15)];
  const mixed = at(r, upper ^ lower);
  return (at(e, upper ^ mixed) << 4) | e.indexOf(lower ^ mixed);
});

/** The first row of the circulant matrix. */
const matrix = [1, 1, 4, 1, 8, 5, 2, 9];
const rounds = 10;
const blockBytes = 64;

/** Multiplies in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1. */
function multiply(one: number, other: number): number {
  let [a, b, sum] = [one, other, 0];
  for (; b > 0; b >>= 1) {
    if (b & 1) sum ^= a;
    a = (a << 1) ^ (a & 0x80 ? 0x11d : 0);
  }
  return sum;
}

const products = matrix.map((factor) => Uint8Array.from({ length: 256 }, (_, x) => multiply(x, factor)));

/** Substitutes the bytes, shifts the columns, mixes the rows, and adds a key. */
function runRound(state: Uint8Array, key: Uint8Array): Uint8Array {
  return key.map((byte, index) => {
    const [row, column] = [index >> 3, index & 7];
    let sum = byte;
    for (let k = 0; k < 8; k++) {
      const shifted = at(state, ((row - k) & 7) * 8 + k);
      sum ^= at(products[(column - k) & 7] as Uint8Array, at(substitutes, shifted));
    }
    return sum;
  });
}

const xor = (one: Uint8Array, other: Uint8Array) => one.map((byte, index) => byte ^ at(other, index));

export function whirlpool(bytes: Uint8Array): Buffer {
  const zeros = (blockBytes - ((bytes.length + 33) % blockBytes)) % blockBytes;
  const padded = Buffer.concat([bytes, Buffer.from([0x80]), Buffer.alloc(zeros + 32)]);
  padded.writeBigUInt64BE(BigInt(bytes.length) * 8n, padded.length - 8);
  let digest: Uint8Array = new Uint8Array(blockBytes);
  for (let start = 0; start < padded.length; start += blockBytes) {
    const block = padded.subarray(start, start + blockBytes);
    let [key, state]: [Uint8Array, Uint8Array] = [digest, xor(block, digest)];
    for (let n = 0; n < rounds; n++) {
      key = runRound(
        key,
        new Uint8Array(blockBytes).map((_, index) => (index < 8 ? at(substitutes, 8 * n + index) : 0)),
      );
      state = runRound(state, key);
    }
    digest = xor(xor(state, digest), block);
  }
  return Buffer.from(digest);
}

/** Computes `hash_hmac('whirlpool', $text, $key)`. @param key at most 64 bytes */
export function hmacWhirlpool(text: string, key: Buffer): string {
  const whole = Buffer.concat([key, Buffer.alloc(blockBytes)]).subarray(0, blockBytes);
  const [inner, outer] = [0x36, 0x5c].map((byte) => whole.map((one) => one ^ byte)) as [Buffer, Buffer];
  const first = whirlpool(Buffer.concat([inner, Buffer.from(text)]));
  return whirlpool(Buffer.concat([outer, first])).toString('hex');
}
