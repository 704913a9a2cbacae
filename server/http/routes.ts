import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerInTime } from '../limits/answer-in-time.ts';
import { loopback } from '../outgoing/addresses.ts';
import type { HttpErrorCode } from '../wire/errors.ts';
import { answerError, answerJson, conditionOf, securityHeaders, send } from './answer.ts';
import { type Api, answerUnauthorized, createApi, hasKey } from './api.ts';
import type { ClientFile } from './client-files.ts';
import { codingFor } from './encoding.ts';
import { isOfFiles } from './files.ts';
import type { Metrics, Part } from './metrics.ts';

/**
 * Allows only the client's own files, connections to this server and the avatars of users. Text never becomes code.
 * @param framedBy who may show the page in a frame
 * @param imageOrigins other origins that serve avatars and the pictures of cards
 */
const contentSecurityPolicy = (framedBy: "'self'" | "'none'", imageOrigins: readonly string[]) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    ["img-src 'self'", ...new Set(imageOrigins)].join(' '),
    // The page plays a recording before it is sent.
    "media-src 'self' blob:",
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors ${framedBy}`,
    "require-trusted-types-for 'script'",
    // Covers only the address of the service worker.
    'trusted-types php-chat',
  ].join('; ');

/** Paths that exist once the client is built. */
const ofClient: ReadonlySet<string> = new Set(['/', '/moderate', '/php-chat.js']);
/** Paths for pages of the site, also on other origins. */
const forPages: ReadonlySet<string> = new Set(['/me', '/here', '/team']);

type Handler = (req: IncomingMessage, res: ServerResponse) => void | Promise<void>;

/** Serves everything except Socket.IO: the chat page, the client's files, health, metrics, the API. */
export function createRoutes(options: {
  files: ReadonlyMap<string, ClientFile>;
  /** The origins of the users' avatars and the pictures of cards, without this server's. */
  imageOrigins: readonly string[];
  metrics: Metrics;
  apiKeys: readonly string[];
  api: Api;
  /** Returns the parts that this server lacks to be ready. */
  missing: () => Promise<readonly Part[]>;
  /** Returns the user of the request for the launcher and badge on a page, or `{}` without a login. */
  me: (req: IncomingMessage) => Promise<object | 'session_store_unavailable'>;
  /** Returns the other readers of the page, for the launcher on it, or `{}` without a login. */
  here: (req: IncomingMessage) => Promise<object | 'session_store_unavailable'>;
  /** Returns what visitors can expect of the team, or `{}` if guests cannot ask. */
  team: () => Promise<object>;
  /** `refusalOfMe` returns why such a request is rejected, or null. `allowReading` lets the page read the response. */
  admission: {
    refusalOfMe(req: IncomingMessage): { code: HttpErrorCode; retryAfterMs?: number } | null;
    allowReading(req: IncomingMessage, res: ServerResponse): void;
  };
  /** Returns the key for push subscriptions in browsers. Absent if push is off. */
  pushKey?: (() => Promise<string>) | undefined;
  /** Serves requests under `/files`. Absent if files are off. */
  fileRoutes?: ((req: IncomingMessage, res: ServerResponse) => Promise<void>) | undefined;
  /** Serves the unsubscribe links in mails. Absent if mails have no such links. */
  mailStop?: ((req: IncomingMessage, res: ServerResponse) => Promise<void>) | undefined;
  /** Receives answers to mails. Absent if mails cannot be answered. */
  mailIn?: ((req: IncomingMessage, res: ServerResponse) => Promise<void>) | undefined;
  /** Serves the data of users to admins. Absent if admins may not export it. */
  moderateExport?: ((req: IncomingMessage, res: ServerResponse) => Promise<void>) | undefined;
  /** Whether a proxy on this machine may forward requests of other clients. */
  proxied: boolean;
}): (req: IncomingMessage, res: ServerResponse, path: string) => Promise<void> {
  /** Answers the launcher or badge on a page of the site. */
  const forPage =
    (answer: typeof options.me): Handler =>
    async (req, res) => {
      const refusal = options.admission.refusalOfMe(req);
      if (refusal !== null) return answerError(res, refusal.code, refusal.retryAfterMs);
      options.admission.allowReading(req, res);
      // Pages of other origins ask first whether they may send a ticket or a guest.
      if (req.method === 'OPTIONS') return void res.writeHead(204).end();
      const body = await answerInTime(answer(req));
      if (body === 'session_store_unavailable') return answerError(res, body);
      answerJson(res, 200, body);
    };
  const routes: Record<string, Handler> = {
    // Reports that the process is alive, in any state of its stores.
    '/healthz': (_req, res) => answerJson(res, 200, { status: 'ok' }),
    '/readyz': async (_req, res) => {
      const missing = await options.missing();
      if (missing.length === 0) answerJson(res, 200, { status: 'ready' });
      else answerJson(res, 503, { status: 'not ready', missing });
    },
    '/me': forPage(options.me),
    '/here': forPage(options.here),
    '/team': forPage(options.team),
    '/push/key': async (_req, res) => {
      if (options.pushKey === undefined) return answerError(res, 'not_found');
      // The key is public, and pages of other origins need it.
      res.setHeader('Access-Control-Allow-Origin', '*');
      answerJson(res, 200, { key: await answerInTime(options.pushKey()) });
    },
    '/metrics': async (req, res) => {
      if ((options.proxied || !isLocal(req)) && !hasKey(req, options.apiKeys)) return answerUnauthorized(res);
      send(res, 200, options.metrics.contentType, await options.metrics.text());
    },
  };
  const answerApi = createApi(options.api, options.apiKeys);
  return async (req, res, path) => {
    if (path.startsWith('/api/') && req.method !== 'TRACE') return answerApi(req, res, path);
    if (options.fileRoutes !== undefined && isOfFiles(path) && req.method !== 'TRACE') {
      return options.fileRoutes(req, res);
    }
    if (options.mailStop !== undefined && path === '/stop') return options.mailStop(req, res);
    if (options.mailIn !== undefined && path === '/mail') return options.mailIn(req, res);
    if (options.moderateExport !== undefined && path === '/moderate/export')
      return options.moderateExport(req, res);
    const file = options.files.get(path);
    const handler =
      file !== undefined
        ? serve(file, path, options.imageOrigins)
        : Object.hasOwn(routes, path)
          ? routes[path]
          : undefined;
    const known = handler !== undefined || ofClient.has(path);
    const allowed = forPages.has(path) ? ['GET', 'HEAD', 'OPTIONS'] : ['GET', 'HEAD'];
    if (req.method === 'TRACE' || (known && !allowed.includes(req.method ?? ''))) {
      return answerError(res, 'method_not_allowed', undefined, { Allow: allowed.join(', ') });
    }
    if (handler === undefined) return answerError(res, known ? 'client_not_built' : 'not_found');
    await handler(req, res);
  };
}

function serve(file: ClientFile, path: string, imageOrigins: readonly string[]): Handler {
  const headers = {
    ...securityHeaders,
    'Content-Type': file.type,
    'Cache-Control': file.cacheControl,
    ...(file.forms.size > 1 ? { Vary: 'Accept-Encoding' } : {}),
    ...(file.type.startsWith('text/html')
      ? {
          // A click on the moderators' page can delete data, so no other page may show it in a frame.
          'Content-Security-Policy': contentSecurityPolicy(
            path === '/moderate' ? "'none'" : "'self'",
            imageOrigins,
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
    const condition = conditionOf(req, etag);
    if (condition === 'changed') return answerError(res, 'precondition_failed');
    if (condition === 'known') return void res.writeHead(304, headers).end();
    res.writeHead(200, { ...headers, 'Content-Length': body.length });
    res.end(req.method === 'HEAD' ? undefined : body);
  };
}

/** Whether a request seems to come from this machine itself. A proxy on this machine may not be recognisable. */
function isLocal(req: IncomingMessage): boolean {
  const address = req.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
  // A page could make its own host name point here and read the response, but not the name `localhost`.
  const named = loopback.test((req.headers.host ?? '').replace(/:\d+$/, '').toLowerCase());
  const forwarded = Object.keys(req.headers).some((name) =>
    /^(forwarded|via|x-(forwarded-.*|real-ip))$/.test(name),
  );
  return !forwarded && named && (address === '::1' || address.startsWith('127.'));
}
