import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ChatAddresses } from './address.ts';

/** A web server of this machine. */
export interface WebServer {
  kind: 'nginx' | 'apache';
  running: boolean;
  /** The file of the site, if its name stands in one. */
  file: string | undefined;
}

interface Kind {
  title: string;
  processes: readonly string[];
  configurations: readonly string[];
  folders: readonly string[];
  /** The line that names a host. */
  hosts: RegExp;
}

export const webServers: Readonly<Record<WebServer['kind'], Kind>> = {
  nginx: {
    title: 'nginx',
    processes: ['nginx'],
    configurations: ['/etc/nginx/nginx.conf'],
    folders: ['/etc/nginx/sites-enabled', '/etc/nginx/conf.d'],
    hosts: /^\s*server_name\s+([^;]*);/gm,
  },
  apache: {
    title: 'Apache',
    processes: ['apache2', 'httpd'],
    configurations: ['/etc/apache2/apache2.conf', '/etc/httpd/conf/httpd.conf'],
    folders: ['/etc/apache2/sites-enabled', '/etc/httpd/conf.d'],
    hosts: /^\s*Server(?:Name|Alias)\s+(.*)$/gim,
  },
};

/** Bytes of a configuration file. */
const largest = 1024 * 1024;

/**
 * Finds web servers by their files and processes, and executes nothing.
 * @param host of the site
 * @param root where the files are, if that is not `/`
 * @returns those that run first
 */
export function findWebServers(host: string, root = '/'): WebServer[] {
  const running = new Set(namesIn(join(root, 'proc')).flatMap((pid) => nameOf(join(root, 'proc', pid))));
  const kinds = Object.entries(webServers) as [WebServer['kind'], Kind][];
  return kinds
    .map(([kind, { processes, configurations, folders, hosts }]) => ({
      kind,
      running: processes.some((name) => running.has(name)),
      there: configurations.some((file) => existsSync(join(root, file))),
      file: folders
        .flatMap((folder) => namesIn(join(root, folder)).map((name) => `${folder}/${name}`))
        .find((file) => namesHost(join(root, file), hosts, host)),
    }))
    .filter(({ running, there }) => running || there)
    .sort((a, b) => Number(b.running) - Number(a.running))
    .map(({ kind, running, file }) => ({ kind, running, file }));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function nameOf(folder: string): string[] {
  if (!/\/\d+$/.test(folder)) return [];
  try {
    return [readFileSync(join(folder, 'comm'), 'utf8').trim()];
  } catch {
    return [];
  }
}

function namesHost(file: string, hosts: RegExp, host: string): boolean {
  try {
    const { size } = statSync(file);
    if (size > largest) return false;
    const named = [...readFileSync(file, 'utf8').matchAll(hosts)].flatMap(([, names = '']) =>
      names.split(/\s+/),
    );
    return named.some((name) => name.replace(/:\d+$/, '').toLowerCase() === host);
  } catch {
    return false;
  }
}

/** The name of the map is used by each block of nginx. */
export const nginxMap = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }";

/** The directives of a location, with the address of the chat server. A slash at its end removes the path. */
const nginxProxy = (address: string, indent: string) =>
  `${indent}proxy_pass ${address};
${indent}proxy_http_version 1.1;
${indent}# The host as the browser named it, with the port if there is one.
${indent}proxy_set_header Host $http_host;
${indent}proxy_set_header Upgrade $http_upgrade;
${indent}proxy_set_header Connection $connection_upgrade;
${indent}# The address of the client, for the limits by address.
${indent}proxy_set_header X-Forwarded-For $remote_addr;
${indent}# The chat server pings every 25 s; a shorter time would cut quiet connections.
${indent}proxy_read_timeout 60s;
${indent}# The largest file, CHAT_LIMIT_FILE. It goes on as it comes, and not into a file of nginx's own first.
${indent}client_max_body_size 10m;
${indent}proxy_request_buffering off;`;

/** @param path of the chat, with a slash at its end */
export const nginxLocation = (path: string, port: number) => `location ^~ ${path} {
    # The slash at the end removes ${path.slice(0, -1)}: the chat server sees /socket.io/, not ${path}socket.io/.
${nginxProxy(`http://127.0.0.1:${port}/`, '    ')}
}`;

export const nginxServer = (host: string, port: number) => `server {
    listen 443 ssl;
    server_name ${host};
    # ssl_certificate …; ssl_certificate_key …;

    location / {
${nginxProxy(`http://127.0.0.1:${port}`, '        ')}
    }
}`;

export const apacheProxy = (path: string, port: number) => `ProxyPreserveHost On
ProxyPass "${path}" "http://127.0.0.1:${port}/" upgrade=websocket ttl=60`;

/** The lines that the owner adds to a web server, and their place in it. */
export function blocksFor(
  { kind, file }: Pick<WebServer, 'kind' | 'file'>,
  { site, chat, way }: ChatAddresses,
  port: number,
): { where: string; lines: string }[] {
  if (kind === 'nginx') {
    const where =
      way === 'host'
        ? 'As a server of its own, such as /etc/nginx/conf.d/chat.conf'
        : `In the server block of ${site.hostname}${file === undefined ? '' : `, in ${file}`}`;
    const block = way === 'host' ? nginxServer(chat.hostname, port) : nginxLocation(chat.pathname, port);
    return [
      { where: `${where}:`, lines: block },
      {
        where: 'And once, outside of all server blocks, such as in /etc/nginx/conf.d/upgrade.conf:',
        lines: nginxMap,
      },
    ];
  }
  const where = `In the <VirtualHost> of ${chat.hostname}${file === undefined || way === 'host' ? '' : `, in ${file}`}, before any other ProxyPass`;
  return [{ where: `${where}:`, lines: apacheProxy(chat.pathname, port) }];
}

/** The commands after that: they check the configuration, and let the server read it. */
export const reloadOf = (kind: WebServer['kind']): string =>
  kind === 'nginx'
    ? 'nginx -t && systemctl reload nginx'
    : 'a2enmod proxy proxy_http && systemctl reload apache2';
