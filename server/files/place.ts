/** Where the bytes of files are stored: in a folder, or in a bucket of S3 or a compatible service. */
export type FilesPlace =
  | { kind: 'off' }
  | { kind: 'dir'; folder: string }
  | {
      kind: 's3';
      /** The bucket's address, ending in a slash. */
      url: string;
      region: string;
      /** Prepended to the names of all files. */
      prefix: string;
      /** Absent if `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` contain them. */
      credentials?: BucketCredentials;
    };

export interface BucketCredentials {
  key: string;
  secret: string;
}

/**
 * Parses `off`, `dir:FOLDER`, or `s3://[KEY:SECRET@]BUCKET` with the options `endpoint` (a URL; by default Amazon's),
 * `region` and `prefix`. Returns undefined for any other text.
 */
export function readFilesPlace(text: string): FilesPlace | undefined {
  if (text === 'off') return { kind: 'off' };
  const [, folder] = /^dir:(?!\/\/|.*:.*@)([^\0]+)$/s.exec(text) ?? [];
  if (folder !== undefined) return { kind: 'dir', folder };
  return readBucket(text);
}

function readBucket(text: string): FilesPlace | undefined {
  const [, user, bucket, query = ''] =
    /^s3:\/\/(?:([^@/?#]+)@)?([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/?(?:\?([^#]*))?$/.exec(text) ?? [];
  if (bucket === undefined) return undefined;
  const options = new URLSearchParams(query);
  const known = new Set(['endpoint', 'region', 'prefix']);
  if ([...options.keys()].some((name) => !known.has(name) || options.getAll(name).length > 1))
    return undefined;
  const region = options.get('region') ?? 'us-east-1';
  const prefix = options.get('prefix') ?? '';
  if (!/^[a-z0-9-]{1,40}$/.test(region) || !/^[A-Za-z0-9/_.-]{0,200}$/.test(prefix)) return undefined;
  const credentials = user === undefined ? undefined : credentialsOf(user);
  if (credentials === null) return undefined;
  const url = addressOf(bucket, region, options.get('endpoint'));
  if (url === undefined) return undefined;
  return { kind: 's3', url, region, prefix, credentials };
}

/**
 * Returns the address of the bucket, or undefined if the endpoint is invalid. Only Amazon's host names contain the
 * bucket, because other services may lack a DNS name for each bucket.
 */
function addressOf(bucket: string, region: string, endpoint: string | null): string | undefined {
  if (endpoint === null) return `https://${bucket}.s3.${region}.amazonaws.com/`;
  if (!URL.canParse(endpoint)) return undefined;
  const { protocol, host, pathname, search, hash, username, password } = new URL(endpoint);
  if (!/^https?:$/.test(protocol) || search + hash + username + password !== '') return undefined;
  return `${protocol}//${host}${pathname.replace(/\/$/, '')}/${bucket}/`;
}

function credentialsOf(text: string): BucketCredentials | null {
  try {
    const [key = '', secret = '', ...rest] = text.split(':').map(decodeURIComponent);
    return key === '' || secret === '' || rest.length > 0 ? null : { key, secret };
  } catch {
    return null;
  }
}
