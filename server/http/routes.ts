import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerInTime } from '../limits/answer-in-time.ts';
import { loopback } from '../outgoing/addresses.ts';
import type { HttpErrorCode } from '../wire/errors.ts';
import { answerError, answerJson, isKnown, securityHeaders, send } from './answer.ts';
import { type Api, answerUnauthorized, createApi, hasKey } from './api.ts';
import type { ClientFile } from './client-files.ts';
import { codingFor } from './encoding.ts';
import { isOfFiles } from './files.ts';
import type { Metrics, Part } from './metrics.ts';

/**
 * Allows only the client's own files, connections to this server and the pictures of users; text never becomes code.
 *
 * @param framedBy - who may show the page in a frame
 * @param avatarOrigin - another origin that has the pictures of users
 */
const contentSecurityPolicy = (framedBy: "'self'" | "'none'", avatarOrigin = '') =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    `img-src 'self' ${avatarOrigin}`.trim(),
    // A recording is listened to before it is sent.
    "media-src 'self' blob:",
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors ${framedBy}`,
    "require-trusted-types-for 'script'",
    // The address of the service worker, and nothing else.
    'trusted-types php-chat',
  ].join('; ');

/** Addresses that are there once the client is built. */
const ofClient: ReadonlySet<string> = new Set(['/', '/moderate', '/php-chat.js']);

type Handler = (req: IncomingMessage, res: ServerResponse) => void | Promise<void>;

/** Serves everything but Socket.IO: the chat page, the client's files, health, metrics, the API. */
export function createRoutes(options: {
  files: ReadonlyMap<string, ClientFile>;
  /** The origin of the pictures of users; absent if it is this server's. */
  avatarOrigin?: string | undefined;
  metrics: Metrics;
  apiKeys: readonly string[];
  api: Api;
  /** The parts that this server lacks to do its work; empty if it is ready. */
  missing: () => Promise<readonly Part[]>;
  /** The user of the request, for the launcher and badge on a page; `{}` if nobody is logged in. */
  me: (req: IncomingMessage) => Promise<object | 'session_store_unavailable'>;
  /** `refusalOfMe`: why `/me` is refused, or null. `allowReading` lets the page read the answer. */
  admission: {
    refusalOfMe(req: IncomingMessage): { code: HttpErrorCode; retryAfterMs?: number } | null;
    allowReading(req: IncomingMessage, res: ServerResponse): void;
  };
  /** The key with which browsers subscribe to pushes; absent if they cannot. */
  pushKey?: (() => Promise<string>) | undefined;
  /** Serves requests under `/files`; absent if files are off. */
  fileRoutes?: ((req: IncomingMessage, res: ServerResponse) => Promise<void>) | undefined;
  /** Serves the links in mails that stop mails; absent if there are none. */
  mailStop?: ((req: IncomingMessage, res: ServerResponse) => Promise<void>) | undefined;
  /** Serves the data of users to admins; absent if they may not have them. */
  moderateExport?: ((req: IncomingMessage, res: ServerResponse) => Promise<void>) | undefined;
  /** Whether a proxy on this machine may pass on requests of others. */
  proxied: boolean;
}): (req: IncomingMessage, res: ServerResponse, path: string) => Promise<void> {
  const routes: Record<string, Handler> = {
    // Answers whether the process is alive, whatever the state of its stores.
    '/healthz': (req, res) => answerJson(req, res, 200, { status: 'ok' }),
    '/readyz': async (req, res) => {
      const missing = await options.missing();
      if (missing.length === 0) answerJson(req, res, 200, { status: 'ready' });
      else answerJson(req, res, 503, { status: 'not ready', missing });
    },
    '/me': async (req, res) => {
      const refusal = options.admission.refusalOfMe(req);
      if (refusal !== null) return answerError(res, refusal.code, refusal.retryAfterMs);
      options.admission.allowReading(req, res);
      const me = await answerInTime(options.me(req));
      if (me === 'session_store_unavailable') return answerError(res, me);
      answerJson(req, res, 200, me);
    },
    '/push/key': async (req, res) => {
      if (options.pushKey === undefined) return answerError(res, 'not_found');
      // It is public, and a page of another origin needs it too.
      res.setHeader('Access-Control-Allow-Origin', '*');
      answerJson(req, res, 200, { key: await answerInTime(options.pushKey()) });
    },
    '/metrics': async (req, res) => {
      if ((options.proxied || !isLocal(req)) && !hasKey(req, options.apiKeys)) return answerUnauthorized(res);
      send(req, res, 200, options.metrics.contentType, await options.metrics.text());
    },
  };
  const answerApi = createApi(options.api, options.apiKeys);
  return async (req, res, path) => {
    if (path.startsWith('/api/') && req.method !== 'TRACE') return answerApi(req, res, path);
    if (options.fileRoutes !== undefined && isOfFiles(path) && req.method !== 'TRACE') {
      return options.fileRoutes(req, res);
    }
    if (options.mailStop !== undefined && path === '/stop') return options.mailStop(req, res);
    if (options.moderateExport !== undefined && path === '/moderate/export')
      return options.moderateExport(req, res);
    const file = options.files.get(path);
    const handler =
      file !== undefined
        ? serve(file, path, options.avatarOrigin)
        : Object.hasOwn(routes, path)
          ? routes[path]
          : undefined;
    const known = handler !== undefined || ofClient.has(path);
    if (req.method === 'TRACE' || (known && req.method !== 'GET' && req.method !== 'HEAD')) {
      return answerError(res, 'method_not_allowed', undefined, { Allow: 'GET, HEAD' });
    }
    if (handler === undefined) return answerError(res, known ? 'client_not_built' : 'not_found');
    await handler(req, res);
  };
}

function serve(file: ClientFile, path: string, avatarOrigin?: string): Handler {
  const headers = {
    ...securityHeaders,
    'Content-Type': file.type,
    'Cache-Control': file.cacheControl,
    ...(file.forms.size > 1 ? { Vary: 'Accept-Encoding' } : {}),
    ...(file.type.startsWith('text/html')
      ? {
          // A press there can delete: no other page may lay it under something else.
          'Content-Security-Policy': contentSecurityPolicy(
            path === '/moderate' ? "'none'" : "'self'",
            avatarOrigin,
          ),
          'Permissions-Policy': 'microphone=(self), camera=(), geolocation=()',
        }
      : // Sites on other origins include the element by its script.
        { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' }),
  };
  return (req, res) => {
    const coding = codingFor(req.headers['accept-encoding'], (one) => file.forms.has(one));
    const { body, etag } = file.forms.get(coding) as { body: Buffer; etag: string };
    res.setHeader('ETag', etag);
    if (coding !== 'identity') res.setHeader('Content-Encoding', coding);
    if (isKnown(etag, req.headers['if-none-match'])) {
      res.writeHead(304, headers).end();
      return;
    }
    res.writeHead(200, { ...headers, 'Content-Length': body.length });
    res.end(req.method === 'HEAD' ? undefined : body);
  };
}

/** Whether a request seems to come from this machine itself. A proxy on it may leave no trace. */
function isLocal(req: IncomingMessage): boolean {
  const address = req.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
  // A page could point its own host name here and read the answer, but not the name `localhost`.
  const named = loopback.test((req.headers.host ?? '').replace(/:\d+$/, '').toLowerCase());
  const forwarded = Object.keys(req.headers).some((name) =>
    /^(forwarded|via|x-(forwarded-.*|real-ip))$/.test(name),
  );
  return !forwarded && named && (address === '::1' || address.startsWith('127.'));
}
