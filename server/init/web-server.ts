import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ChatAddresses } from './address.ts';

/** A web server of this machine. */
export interface WebServer {
  kind: 'nginx' | 'apache';
  isRunning: boolean;
  /** The configuration file that names the site. */
  file: string | undefined;
}

interface Kind {
  title: string;
  processes: readonly string[];
  configurations: readonly string[];
  siteFolders: readonly string[];
  /** Matches the lines that name hosts. */
  hosts: RegExp;
}

export const webServers: Readonly<Record<WebServer['kind'], Kind>> = {
  nginx: {
    title: 'nginx',
    processes: ['nginx'],
    configurations: ['/etc/nginx/nginx.conf'],
    siteFolders: ['/etc/nginx/sites-enabled', '/etc/nginx/conf.d'],
    hosts: /^\s*server_name\s+([^;]*);/gm,
  },
  apache: {
    title: 'Apache',
    processes: ['apache2', 'httpd'],
    configurations: ['/etc/apache2/apache2.conf', '/etc/httpd/conf/httpd.conf'],
    siteFolders: ['/etc/apache2/sites-enabled', '/etc/httpd/conf.d'],
    hosts: /^\s*Server(?:Name|Alias)\s+(.*)$/gim,
  },
};

const maxFileBytes = 1024 * 1024;

/**
 * Finds web servers by their files and processes, without executing them.
 * @param host the host of the site
 * @param root the root of the machine
 * @returns the web servers, running ones first, then those that serve the site
 */
export function findWebServers(host: string, root = '/'): WebServer[] {
  const running = new Set(
    namesIn(join(root, 'proc')).flatMap((pid) => readProcessName(join(root, 'proc', pid))),
  );
  const kinds = Object.entries(webServers) as [WebServer['kind'], Kind][];
  return kinds
    .map(([kind, { processes, configurations, siteFolders, hosts }]) => ({
      kind,
      isRunning: processes.some((name) => running.has(name)),
      isInstalled: configurations.some((file) => existsSync(join(root, file))),
      file: siteFolders
        .flatMap((folder) => namesIn(join(root, folder)).map((name) => `${folder}/${name}`))
        .find((file) => namesHost(join(root, file), hosts, host)),
    }))
    .filter(({ isRunning, isInstalled }) => isRunning || isInstalled)
    .sort(
      (a, b) =>
        Number(b.isRunning) - Number(a.isRunning) ||
        Number(b.file !== undefined) - Number(a.file !== undefined),
    )
    .map(({ kind, isRunning, file }) => ({ kind, isRunning, file }));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function readProcessName(folder: string): string[] {
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
    if (size > maxFileBytes) return false;
    const serverNames = [...readFileSync(file, 'utf8').matchAll(hosts)].flatMap(([, names = '']) =>
      names.split(/\s+/),
    );
    return serverNames.some((name) => name.replace(/:\d+$/, '').toLowerCase() === host);
  } catch {
    return false;
  }
}

/** The nginx blocks use the variable of this map. */
export const nginxMap = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }";

/**
 * Returns the directives of the location at `path`. A slash at the end of the address removes the path of the location.
 */
const nginxProxy = (address: string, path: string, indent: string) =>
  `${indent}proxy_pass ${address};
${indent}proxy_http_version 1.1;
${indent}# The host that the browser requested, with its port.
${indent}proxy_set_header Host $http_host;
${indent}proxy_set_header Upgrade $http_upgrade;
${indent}proxy_set_header Connection $connection_upgrade;
${indent}# The address of the client, for the limits by address.
${indent}proxy_set_header X-Forwarded-For $remote_addr;
${indent}# The chat server pings every 25 s; a shorter time would cut quiet connections.
${indent}proxy_read_timeout 60s;
${indent}# The largest file, CHAT_LIMIT_FILE. Uploads are passed on directly, without a temporary file.
${indent}client_max_body_size 10m;
${indent}proxy_request_buffering off;
${indent}# Not for visitors. Your machines read it at the chat server's port.
${indent}location = ${path}metrics { return 404; }`;

/**
 * Returns the nginx location of the chat.
 * @param path of the chat, which ends with a slash
 * @param upstream host and port at which the chat server listens
 */
export const nginxLocation = (path: string, upstream: string) => `location ^~ ${path} {
    # The slash at the end removes ${path.slice(0, -1)}: the chat server sees /socket.io/, not ${path}socket.io/.
${nginxProxy(`http://${upstream}/`, path, '    ')}
}`;

export const nginxServer = (host: string, upstream: string) => `server {
    listen 443 ssl;
    server_name ${host};
    # ssl_certificate …; ssl_certificate_key …;

    location / {
${nginxProxy(`http://${upstream}`, '/', '        ')}
    }
}`;

export const apacheProxy = (path: string, upstream: string) => `ProxyPreserveHost On
ProxyPass "${path}metrics" "!"
ProxyPass "${path}" "http://${upstream}/" upgrade=websocket ttl=60`;

/** Returns the lines that the owner adds to the configuration of a web server, and the place for them. */
export function configurationBlocks(
  { kind, file }: Pick<WebServer, 'kind' | 'file'>,
  { site, chat, way }: ChatAddresses,
  upstream: string,
): { where: string; lines: string }[] {
  if (kind === 'nginx') {
    const where =
      way === 'host'
        ? 'As a separate server, such as in /etc/nginx/conf.d/chat.conf'
        : `In the server block of ${site.hostname}${file === undefined ? '' : `, in ${file}`}`;
    const block =
      way === 'host' ? nginxServer(chat.hostname, upstream) : nginxLocation(chat.pathname, upstream);
    return [
      { where: `${where}:`, lines: block },
      {
        where: 'And once, outside of all server blocks, such as in /etc/nginx/conf.d/upgrade.conf:',
        lines: nginxMap,
      },
    ];
  }
  const where = `In the <VirtualHost> of ${chat.hostname}${file === undefined || way === 'host' ? '' : `, in ${file}`}, before any other ProxyPass`;
  return [{ where: `${where}:`, lines: apacheProxy(chat.pathname, upstream) }];
}

/** Returns the commands that check and load the configuration. */
export const reloadCommands = (kind: WebServer['kind']): string =>
  kind === 'nginx'
    ? 'nginx -t && systemctl reload nginx'
    : 'a2enmod proxy proxy_http && systemctl reload apache2';
