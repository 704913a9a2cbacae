import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { AwsV4Signer } from 'aws4fetch';
import { ownPort, startChild } from './child.ts';
import { reachable } from './memcached.ts';
import { pythonPackages } from './python.ts';

/** An S3 server in Python. It checks signatures and the rights of keys. */
const moto = ['moto-5.2.1', ['moto[s3]==5.2.1', 'flask', 'flask-cors']] as const;

interface Key {
  id: string;
  secret: string;
}

export interface S3Server {
  /** The server's address, as in the option of `CHAT_FILES`. `mode` decides how it responds. */
  readonly endpoint: string;
  readonly bucket: string;
  /** A key with the rights in the bucket that docs/operate/files.md lists. */
  readonly key: Key;
  /** `busy` rejects requests with 503, `forbidden` with 403. `silent` reads requests and sends no response. */
  mode: 'open' | 'busy' | 'forbidden' | 'silent';
  /** Returns the names of the objects in the bucket. */
  names(): Promise<string[]>;
  stop(): Promise<void>;
}

const rules: Record<string, [action: string, resource: string][]> = {
  chat: [
    ['s3:GetObject', '/*'],
    ['s3:PutObject', '/*'],
    ['s3:DeleteObject', '/*'],
    ['s3:ListBucket', ''],
  ],
  tester: [['s3:*', '']],
};

export async function startS3Server(bucket = 'pictures'): Promise<S3Server> {
  const installed = pythonPackages(...moto);
  const port = await ownPort();
  // The first requests need no authentication: they create the bucket, and an account, rights and a key for each user.
  const free = 1 + 3 * Object.keys(rules).length;
  const child = startChild(join(installed, 'moto_server'), ['-H', '127.0.0.1', '-p', `${port}`], {
    env: { ...process.env, INITIAL_NO_AUTH_ACTION_COUNT: `${free}` },
  });
  await reachable(port, child);
  const ask = async (method: string, path: string, service: 's3' | 'iam', key: Key, body?: string) => {
    const type = service === 'iam' ? { 'Content-Type': 'application/x-www-form-urlencoded' } : {};
    const signed = await new AwsV4Signer({
      method,
      url: `http://127.0.0.1:${port}${path}`,
      headers: type,
      accessKeyId: key.id,
      secretAccessKey: key.secret,
      service,
      region: 'us-east-1',
      body,
    }).sign();
    const answer = await fetch(signed.url, { method, headers: signed.headers, body: body ?? null });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text;
  };
  const nobody = { id: 'nobody', secret: 'nothing' };
  const iam = (what: Record<string, string>) =>
    ask('POST', '/', 'iam', nobody, `${new URLSearchParams({ Version: '2010-05-08', ...what })}`);
  const keys: Record<string, Key> = {};
  await ask('PUT', `/${bucket}`, 's3', nobody);
  for (const [user, allowed] of Object.entries(rules)) {
    const statements = allowed.map(([Action, resource]) => ({
      Effect: 'Allow',
      Action,
      Resource: `arn:aws:s3:::${bucket}${resource}`,
    }));
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: statements });
    await iam({ Action: 'CreateUser', UserName: user });
    await iam({ Action: 'PutUserPolicy', UserName: user, PolicyName: 'files', PolicyDocument: policy });
    const made = await iam({ Action: 'CreateAccessKey', UserName: user });
    const textOf = (name: string) => new RegExp(`<${name}>([^<]+)<`).exec(made)?.[1] ?? '';
    keys[user] = { id: textOf('AccessKeyId'), secret: textOf('SecretAccessKey') };
  }
  const { chat, tester } = keys as { chat: Key; tester: Key };
  const self: S3Server = {
    endpoint: '',
    bucket,
    key: chat,
    mode: 'open',
    async names() {
      const listed = await ask('GET', `/${bucket}?list-type=2`, 's3', tester);
      return [...listed.matchAll(/<Key>([^<]+)</g)].map(([, name]) => name as string).sort();
    },
    async stop() {
      front.closeAllConnections();
      front.close();
      await child.stop('SIGKILL');
    },
  };
  const front = createServer((req, res) => {
    if (self.mode === 'silent') return void req.resume();
    if (self.mode !== 'open') {
      const [status, code] = self.mode === 'busy' ? [503, 'SlowDown'] : [403, 'AccessDenied'];
      req.resume();
      return void res.writeHead(status).end(`<Error><Code>${code}</Code></Error>`);
    }
    const { method, url, headers } = req;
    const onward = request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  return Object.assign(self, { endpoint: `http://127.0.0.1:${(front.address() as AddressInfo).port}` });
}
