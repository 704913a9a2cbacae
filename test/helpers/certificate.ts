import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Creates a self-signed certificate for one host: `certificate.pem` and `certificate.key` in the folder, which belong
 * to the folder's owner.
 */
export function makeCertificate(folder: string, host: string): { certificate: string; key: string } {
  const certificate = join(folder, 'certificate.pem');
  const key = join(folder, 'certificate.key');
  const kind = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
  ];
  const subject = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`];
  execFileSync('openssl', [...kind, ...subject, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  const { uid, gid } = statSync(folder);
  for (const file of [certificate, key]) chownSync(file, uid, gid);
  chmodSync(key, 0o600);
  return { certificate, key };
}
