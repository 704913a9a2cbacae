import { createECDH, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { pointBytes } from './encryption.ts';

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
export function authorization(key: VapidKey, audience: string, contact: string, now: number): string {
  const claims = { aud: audience, exp: Math.floor(now / 1000) + tokenTime, sub: contact };
  const signed = `${encoded({ typ: 'JWT', alg: 'ES256' })}.${encoded(claims)}`;
  const signature = sign('sha256', Buffer.from(signed), { key: key.private, dsaEncoding: 'ieee-p1363' });
  return `vapid t=${signed}.${signature.toString('base64url')},k=${key.public}`;
}

/** Encodes a part of a JSON Web Token. */
export const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
