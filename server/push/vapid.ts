import { createECDH, createPrivateKey, type KeyObject } from 'node:crypto';
import { pointBytes } from './encryption.ts';
import { signedToken } from './signed-token.ts';

// Voluntary Application Server Identification for Web Push, RFC 8292.

/** The lifetime of a token, in seconds. RFC 8292 allows 24 hours. This is less, because clocks may differ. */
const tokenTime = 12 * 60 * 60;
const coordinateBytes = (pointBytes - 1) / 2;

/** A key pair that identifies this chat to push services. */
export interface VapidKey {
  /** The public key that browsers use to subscribe: an uncompressed P-256 point in base64url. */
  public: string;
  private: KeyObject;
}

/** Generates the bytes of a private key. */
export function drawVapidKey(): Buffer {
  const ecdh = createECDH('prime256v1');
  ecdh.generateKeys();
  const key = ecdh.getPrivateKey();
  // Node omits leading zero bytes of the key.
  return Buffer.concat([Buffer.alloc(coordinateBytes - key.length), key]);
}

export function vapidKeyOf(bytes: Uint8Array): VapidKey {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(bytes);
  const point = ecdh.getPublicKey();
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: point.subarray(1, 1 + coordinateBytes).toString('base64url'),
    y: point.subarray(1 + coordinateBytes).toString('base64url'),
    d: Buffer.from(bytes).toString('base64url'),
  };
  return { public: point.toString('base64url'), private: createPrivateKey({ key: jwk, format: 'jwk' }) };
}

/**
 * Returns the `Authorization` header of a push.
 * @param audience the origin of the push service
 * @param contact a `mailto:` or `https:` URL for its operators
 * @param now the current time as Unix ms
 */
export async function authorization(
  key: VapidKey,
  audience: string,
  contact: string,
  now: number,
): Promise<string> {
  const claims = { aud: audience, exp: Math.floor(now / 1000) + tokenTime, sub: contact };
  const token = await signedToken('ES256', claims, key.private);
  return `vapid t=${token},k=${key.public}`;
}
